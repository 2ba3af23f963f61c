#include "controller/store/json_columns.h"

#include <nlohmann/json.hpp>

#include "base/status.h"

namespace homeslice::controller {
namespace {

using Json = nlohmann::json;

// Text from nodes and users need not be UTF-8; what is not is replaced rather than refused.
std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

template <typename T, typename Read>
absl::StatusOr<std::vector<T>> listFromColumn(const std::string& text, Read read) {
    try {
        std::vector<T> values;
        for (const Json& item : Json::parse(text)) values.push_back(read(item));
        return values;
    } catch (const Json::exception& error) {
        return dataLoss("'" + text.substr(0, 60) + "': " + error.what());
    }
}

}  // namespace

std::string toColumn(const std::set<std::string>& values) { return dump(Json(values)); }

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

}  // namespace homeslice::controller
