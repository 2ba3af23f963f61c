// Users and the audit log, as people see them.
#include "base/clock.h"
#include "ctl/commands/views.h"

namespace homeslice::ctl {

Value userValue(const v1::User& user) {
    Value keys = Value::array();
    for (const std::string& key : user.ssh_keys()) keys.push_back(key);
    return {{"name", user.name()},
            {"role", user.role() == v1::ROLE_ADMIN ? "admin" : "user"},
            {"enrolled", user.enrolled()},
            {"created", formatUtc(fromUnixMicros(user.created_us()))},
            {"keys", user.ssh_keys_size()},
            {"ssh_keys", std::move(keys)},
            {"quota", quotaValue(user.quota())},
            {"usage", usageValue(user.usage())}};
}

const std::vector<Column>& userColumns() {
    static const std::vector<Column> kColumns{{.header = "user", .field = "name"},
                                              {.header = "role", .field = "role"},
                                              {.header = "enrolled", .field = "enrolled"},
                                              {.header = "keys", .field = "keys"},
                                              {.header = "age", .field = "created", .show = showAge},
                                              {.header = "ssh keys", .field = "ssh_keys", .wide_only = true}};
    return kColumns;
}

Value auditValue(const v1::AuditEntry& entry) {
    return {{"time", formatUtc(fromUnixMicros(entry.time_us()))},
            {"who", entry.who()},
            {"what", entry.what()},
            {"subject", entry.subject()},
            {"outcome", entry.outcome()}};
}

const std::vector<Column>& auditColumns() {
    static const std::vector<Column> kColumns{{.header = "time", .field = "time"},
                                              {.header = "who", .field = "who"},
                                              {.header = "what", .field = "what"},
                                              {.header = "subject", .field = "subject"},
                                              {.header = "outcome", .field = "outcome"}};
    return kColumns;
}

}  // namespace homeslice::ctl
