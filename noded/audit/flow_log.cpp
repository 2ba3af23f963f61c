#include "noded/audit/flow_log.h"

#include "base/status.h"

namespace homeslice::audit {
namespace {

using Row = std::vector<std::string>;

// Times come first in the key: what is asked for lies together, and what is old goes in one piece.
constexpr const char* kSchema = R"sql(
    PRAGMA journal_mode=WAL;
    PRAGMA synchronous=NORMAL;
    CREATE TABLE IF NOT EXISTS flows (
        first_us INTEGER NOT NULL,
        home_address TEXT NOT NULL,
        protocol INTEGER NOT NULL,
        source TEXT NOT NULL,
        source_port INTEGER NOT NULL,
        destination TEXT NOT NULL,
        destination_port INTEGER NOT NULL,
        last_us INTEGER NOT NULL,
        packets INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        slice TEXT NOT NULL,
        sliver INTEGER NOT NULL,
        user TEXT NOT NULL,
        PRIMARY KEY (first_us, home_address, protocol, source, source_port, destination, destination_port)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS flows_of_slice ON flows (slice, first_us);
)sql";

constexpr const char* kPut = R"sql(
    INSERT INTO flows VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)
    ON CONFLICT DO UPDATE SET last_us=excluded.last_us, packets=excluded.packets, bytes=excluded.bytes
)sql";

// Addresses as text: an unset one is "", which in a row stands for many.
std::string textOf(const Ipv6Address& address) { return address.isUnspecified() ? "" : address.toString(); }

absl::StatusOr<Ipv6Address> addressOf(const std::string& text) {
    return text.empty() ? Ipv6Address() : Ipv6Address::parse(text);
}

Row rowOf(const Flow& flow) {
    return {std::to_string(flow.first_us),
            textOf(flow.home_address),
            std::to_string(flow.protocol),
            textOf(flow.source),
            std::to_string(flow.source_port),
            textOf(flow.destination),
            std::to_string(flow.destination_port),
            std::to_string(flow.last_us),
            std::to_string(flow.packets),
            std::to_string(flow.bytes),
            flow.owner.sliver.slice,
            std::to_string(flow.owner.sliver.index),
            flow.owner.user};
}

// The columns are ours, so that their numbers are numbers.
absl::StatusOr<Flow> flowOf(const Row& row) {
    Flow flow;
    flow.first_us = std::stoll(row[0]);
    HS_ASSIGN_OR_RETURN(flow.home_address, addressOf(row[1]));
    flow.protocol = static_cast<uint8_t>(std::stoul(row[2]));
    HS_ASSIGN_OR_RETURN(flow.source, addressOf(row[3]));
    flow.source_port = static_cast<uint16_t>(std::stoul(row[4]));
    HS_ASSIGN_OR_RETURN(flow.destination, addressOf(row[5]));
    flow.destination_port = static_cast<uint16_t>(std::stoul(row[6]));
    flow.last_us = std::stoll(row[7]);
    flow.packets = std::stoull(row[8]);
    flow.bytes = std::stoull(row[9]);
    flow.owner = {.sliver = {row[10], static_cast<uint32_t>(std::stoul(row[11]))}, .user = row[12]};
    return flow;
}

}  // namespace

absl::StatusOr<FlowLog> FlowLog::open(const std::string& path) {
    HS_ASSIGN_OR_RETURN_CTX(store::Database database, store::Database::open(path), "flow log");
    HS_RETURN_IF_ERROR_CTX(database.run(kSchema), "flow log");
    return FlowLog(std::move(database));
}

absl::Status FlowLog::put(const std::vector<Flow>& flows) {
    if (flows.empty()) return absl::OkStatus();
    HS_RETURN_IF_ERROR_CTX(database_.run("BEGIN IMMEDIATE"), "flow log");
    const absl::Status put = putAll(flows);
    const absl::Status ended = database_.run(put.ok() ? "COMMIT" : "ROLLBACK");
    return withContext(put.ok() ? ended : put, "flow log");
}

absl::Status FlowLog::putAll(const std::vector<Flow>& flows) {
    for (const Flow& flow : flows) HS_RETURN_IF_ERROR(database_.query(kPut, rowOf(flow)).status());
    return absl::OkStatus();
}

absl::StatusOr<FoundFlows> FlowLog::find(const FlowQuestion& question) {
    const int64_t longest_us = std::chrono::microseconds(2 * kLongestFlow).count();
    std::string sql = "SELECT * FROM flows WHERE first_us >= ? AND first_us <= ? AND last_us >= ?";
    Row values{std::to_string(question.from_us - longest_us), std::to_string(question.until_us),
               std::to_string(question.from_us)};
    const auto demand = [&](const std::string& condition, const std::string& value, int times) {
        sql += " AND (" + condition + ")";
        for (int i = 0; i < times; ++i) values.push_back(value);
    };
    if (question.address) demand("home_address = ? OR source = ?", textOf(*question.address), 2);
    if (question.peer) demand("destination = ? OR destination = ''", textOf(*question.peer), 1);
    if (question.port != 0) demand("source_port = ? OR destination = ''", std::to_string(question.port), 1);
    if (question.peer_port != 0)
        demand("destination_port = ? OR destination = ''", std::to_string(question.peer_port), 1);
    sql += " ORDER BY last_us DESC LIMIT ?";
    values.push_back(std::to_string(uint64_t{question.most} + 1));
    HS_ASSIGN_OR_RETURN_CTX(const auto rows, database_.query(sql, values), "flow log");
    FoundFlows found;
    found.truncated = rows.size() > question.most;
    for (const Row& row : rows) {
        if (found.flows.size() == question.most) break;
        HS_ASSIGN_OR_RETURN(Flow flow, flowOf(row));
        found.flows.push_back(std::move(flow));
    }
    return found;
}

absl::Status FlowLog::trim(int64_t oldest_us, uint64_t most_of_a_slice) {
    const std::string oldest = std::to_string(oldest_us);
    HS_RETURN_IF_ERROR_CTX(
        database_.query("DELETE FROM flows WHERE first_us < ? AND last_us < ?", {oldest, oldest}).status(), "flow log");
    HS_ASSIGN_OR_RETURN_CTX(const auto slices, database_.query("SELECT DISTINCT slice FROM flows"), "flow log");
    for (const Row& slice : slices) {
        const std::string nth = "SELECT first_us FROM flows WHERE slice=?1 ORDER BY first_us DESC LIMIT 1 OFFSET ?2";
        HS_RETURN_IF_ERROR_CTX(database_
                                   .query("DELETE FROM flows WHERE slice=?1 AND first_us <= (" + nth + ")",
                                          {slice[0], std::to_string(most_of_a_slice)})
                                   .status(),
                               "flow log");
    }
    return absl::OkStatus();
}

}  // namespace homeslice::audit
