// Quotas, reservations, loans and rebalancings, as people see them.
#include "base/clock.h"
#include "ctl/commands/views.h"
#include "ctl/output/units.h"

namespace homeslice::ctl {
namespace {

template <typename Repeated>
Value textsValue(const Repeated& texts) {
    return Value(std::vector<std::string>(texts.begin(), texts.end()));
}

// "1 of 4"; "1" without a limit.
std::string ofLimit(const std::string& used, bool limited, const std::string& limit) {
    return limited ? used + " of " + limit : used;
}

std::string showSliverQuota(const Value& user) {
    const Value& quota = user.at("quota");
    const bool limited = quota.contains("slivers");
    return ofLimit(showPlain(user.at("usage").at("slivers")), limited, limited ? showPlain(quota.at("slivers")) : "");
}

std::string cpusText(const Value& millis) { return millis == 0 ? "0" : showCpuMillis(millis); }

std::string showCpuQuota(const Value& user) {
    const Value& quota = user.at("quota");
    const bool limited = quota.contains("cpu_millis");
    return ofLimit(cpusText(user.at("usage").at("cpu_millis")), limited,
                   limited ? cpusText(quota.at("cpu_millis")) : "");
}

std::string bytesOfLimit(const Value& user, const char* field) {
    const Value& quota = user.at("quota");
    const bool limited = quota.contains(field);
    return ofLimit(showBytes(user.at("usage").at(field)), limited, limited ? showBytes(quota.at(field)) : "");
}

std::string showMemoryQuota(const Value& user) { return bytesOfLimit(user, "memory_bytes"); }

std::string showDiskQuota(const Value& user) { return bytesOfLimit(user, "disk_bytes"); }

}  // namespace

Value quotaValue(const v1::Quota& quota) {
    Value value = Value::object();
    if (quota.has_slivers()) value["slivers"] = quota.slivers();
    if (quota.has_cpu_millis()) value["cpu_millis"] = quota.cpu_millis();
    if (quota.has_memory_bytes()) value["memory_bytes"] = quota.memory_bytes();
    if (quota.has_disk_bytes()) value["disk_bytes"] = quota.disk_bytes();
    return value;
}

Value usageValue(const v1::Usage& usage) {
    return {{"slivers", usage.slivers()},
            {"cpu_millis", usage.cpu_millis()},
            {"memory_bytes", usage.memory_bytes()},
            {"disk_bytes", usage.disk_bytes()}};
}

const std::vector<Column>& quotaColumns() {
    static const std::vector<Column> kColumns{{.header = "user", .field = "name"},
                                              {.header = "slivers", .field = "", .show = showSliverQuota},
                                              {.header = "cpus", .field = "", .show = showCpuQuota},
                                              {.header = "memory", .field = "", .show = showMemoryQuota},
                                              {.header = "disk", .field = "", .show = showDiskQuota}};
    return kColumns;
}

Value reservationValue(const v1::Reservation& reservation) {
    return {{"name", reservation.name()},
            {"owner", reservation.owner()},
            {"nodes", textsValue(reservation.nodes())},
            {"cpu_millis", reservation.cpu_millis()},
            {"start", formatUtc(fromUnixMicros(reservation.start_us()))},
            {"end", formatUtc(fromUnixMicros(reservation.end_us()))},
            {"slices", textsValue(reservation.slices())}};
}

const std::vector<Column>& reservationColumns() {
    static const std::vector<Column> kColumns{{.header = "reservation", .field = "name"},
                                              {.header = "owner", .field = "owner"},
                                              {.header = "nodes", .field = "nodes"},
                                              {.header = "cpus each", .field = "cpu_millis", .show = showCpuMillis},
                                              {.header = "begins", .field = "start", .show = showAge},
                                              {.header = "ends", .field = "end", .show = showAge},
                                              {.header = "slices", .field = "slices"}};
    return kColumns;
}

Value loanValue(const v1::Loan& loan) {
    return {{"lender", loan.lender()},
            {"borrower", loan.borrower()},
            {"cpu_millis", loan.cpu_millis()},
            {"end", formatUtc(fromUnixMicros(loan.end_us()))},
            {"uncovered_nodes", textsValue(loan.uncovered_nodes())}};
}

const std::vector<Column>& loanColumns() {
    static const std::vector<Column> kColumns{{.header = "lender", .field = "lender"},
                                              {.header = "borrower", .field = "borrower"},
                                              {.header = "cpus a sliver", .field = "cpu_millis", .show = showCpuMillis},
                                              {.header = "ends", .field = "end", .show = showAge},
                                              {.header = "nothing on", .field = "uncovered_nodes"}};
    return kColumns;
}

Value rebalanceStepValue(const v1::RebalancePlan::Step& step) {
    return {{"sliver", nameOf(step.sliver())},
            {"from", step.from_node()},
            {"to", step.to_node()},
            {"reason", step.reason()}};
}

const std::vector<Column>& rebalanceStepColumns() {
    static const std::vector<Column> kColumns{{.header = "sliver", .field = "sliver"},
                                              {.header = "from", .field = "from"},
                                              {.header = "to", .field = "to"},
                                              {.header = "because", .field = "reason"}};
    return kColumns;
}

}  // namespace homeslice::ctl
