#include "controller/store/json_columns.h"

#include <nlohmann/json.hpp>

#include "base/status.h"

namespace homeslice::controller {
namespace {

using Json = nlohmann::json;

// Text from nodes and users need not be UTF-8; what is not is replaced rather than refused.
std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

template <typename Read>
auto fromColumn(const std::string& text, Read read) -> absl::StatusOr<decltype(read(Json()))> {
    try {
        return read(Json::parse(text));
    } catch (const Json::exception& error) {
        return dataLoss("'" + text.substr(0, 60) + "': " + error.what());
    }
}

template <typename T, typename Read>
absl::StatusOr<std::vector<T>> listFromColumn(const std::string& text, Read read) {
    return fromColumn(text, [&](const Json& list) {
        std::vector<T> values;
        for (const Json& item : list) values.push_back(read(item));
        return values;
    });
}

}  // namespace

std::string toColumn(const std::set<std::string>& values) { return dump(Json(values)); }

std::string toColumn(const std::vector<std::string>& values) { return dump(Json(values)); }

std::string toColumn(const std::vector<OperationFailure>& failures) {
    Json list = Json::array();
    for (const OperationFailure& failure : failures) {
        list.push_back({{"slice", failure.sliver.slice},
                        {"index", failure.sliver.index},
                        {"node", failure.node},
                        {"reason", failure.reason}});
    }
    return dump(list);
}

std::string toColumn(const Labels& labels) { return dump(Json(labels)); }

std::string toColumn(const PlacementRules& rules) {
    Json where = Json::array();
    for (const LabelTerm& term : rules.where) where.push_back(term.toString());
    return dump({{"where", where},
                 {"spread_over", rules.spread_over},
                 {"pack", rules.pack},
                 {"apart_from", rules.apart_from},
                 {"stay", rules.on_node_loss == OnNodeLoss::stay}});
}

std::string toColumn(const Quota& quota) {
    Json json = Json::object();
    if (quota.slivers) json["slivers"] = *quota.slivers;
    if (quota.cpu_millis) json["cpu_millis"] = *quota.cpu_millis;
    if (quota.memory_bytes) json["memory_bytes"] = *quota.memory_bytes;
    if (quota.disk_bytes) json["disk_bytes"] = *quota.disk_bytes;
    return dump(json);
}

std::string toColumn(const Reservation& reservation) {
    return dump({{"name", reservation.name},
                 {"owner", reservation.owner},
                 {"nodes", reservation.nodes},
                 {"cpu_millis", reservation.cpu_millis},
                 {"start_us", reservation.start_us},
                 {"end_us", reservation.end_us}});
}

std::string toColumn(const Loan& loan) {
    return dump({{"lender", loan.lender},
                 {"borrower", loan.borrower},
                 {"cpu_millis", loan.cpu_millis},
                 {"end_us", loan.end_us}});
}

absl::StatusOr<std::vector<std::string>> stringsFromColumn(const std::string& text) {
    return listFromColumn<std::string>(text, [](const Json& item) { return item.get<std::string>(); });
}

absl::StatusOr<std::vector<OperationFailure>> failuresFromColumn(const std::string& text) {
    return listFromColumn<OperationFailure>(text, [](const Json& item) {
        return OperationFailure{{item.at("slice").get<std::string>(), item.at("index").get<uint32_t>()},
                                item.at("node").get<std::string>(),
                                item.at("reason").get<std::string>()};
    });
}

absl::StatusOr<Labels> labelsFromColumn(const std::string& text) {
    return fromColumn(text, [](const Json& json) { return json.get<Labels>(); });
}

absl::StatusOr<PlacementRules> rulesFromColumn(const std::string& text) {
    std::vector<std::string> where;
    HS_ASSIGN_OR_RETURN(PlacementRules rules, fromColumn(text, [&where](const Json& json) {
                            where = json.value("where", std::vector<std::string>());
                            PlacementRules parsed;
                            parsed.spread_over = json.value("spread_over", "");
                            parsed.pack = json.value("pack", false);
                            parsed.apart_from = json.value("apart_from", std::vector<std::string>());
                            if (json.value("stay", false)) parsed.on_node_loss = OnNodeLoss::stay;
                            return parsed;
                        }));
    for (const std::string& term : where) {
        HS_ASSIGN_OR_RETURN(LabelTerm parsed, parseLabelTerm(term));
        rules.where.push_back(std::move(parsed));
    }
    return rules;
}

absl::StatusOr<Quota> quotaFromColumn(const std::string& text) {
    return fromColumn(text, [](const Json& json) {
        const auto limit = [&json](const char* key) -> std::optional<uint64_t> {
            if (!json.contains(key)) return std::nullopt;
            return json.at(key).get<uint64_t>();
        };
        return Quota{.slivers = limit("slivers"),
                     .cpu_millis = limit("cpu_millis"),
                     .memory_bytes = limit("memory_bytes"),
                     .disk_bytes = limit("disk_bytes")};
    });
}

absl::StatusOr<Reservation> reservationFromColumn(const std::string& text) {
    return fromColumn(text, [](const Json& json) {
        return Reservation{.name = json.at("name").get<std::string>(),
                           .owner = json.at("owner").get<std::string>(),
                           .nodes = json.at("nodes").get<std::set<std::string>>(),
                           .cpu_millis = json.at("cpu_millis").get<uint32_t>(),
                           .start_us = json.at("start_us").get<int64_t>(),
                           .end_us = json.at("end_us").get<int64_t>()};
    });
}

absl::StatusOr<Loan> loanFromColumn(const std::string& text) {
    return fromColumn(text, [](const Json& json) {
        return Loan{.lender = json.at("lender").get<std::string>(),
                    .borrower = json.at("borrower").get<std::string>(),
                    .cpu_millis = json.at("cpu_millis").get<uint32_t>(),
                    .end_us = json.at("end_us").get<int64_t>()};
    });
}

}  // namespace homeslice::controller
