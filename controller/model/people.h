// Who may ask the controller for something, and what was asked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pki/identity.h"

namespace homeslice::controller {

// Stored by number: new ones come last.
enum class UserRole { user, admin };
const char* toString(UserRole role);

// What the slices that a user owns may use together; what is absent is not limited.
struct Quota {
    std::optional<uint64_t> slivers{};
    std::optional<uint64_t> cpu_millis{};    // of the slivers' caps, thousandths of a CPU
    std::optional<uint64_t> memory_bytes{};  // of the slivers' caps
    std::optional<uint64_t> disk_bytes{};    // of the slivers' writable layers

    bool operator==(const Quota&) const = default;
};

struct User {
    std::string name;
    UserRole role = UserRole::user;
    std::string enrolment;  // that its certificates carry; empty before the first one
    int64_t created_us = 0;
    std::vector<std::string> ssh_keys;  // in OpenSSH's form, see core/ssh_keys.h
    Quota quota{};

    bool operator==(const User&) const = default;
};

// A node whose certificates count. It may never have said hello.
struct EnrolledNode {
    std::string name;
    std::string enrolment;
    bool home_agent = false;      // an administrator allows it to be one
    bool was_home_agent = false;  // an administrator has ended that; stays, whatever comes after

    bool operator==(const EnrolledNode&) const = default;
};

// What remains here of a one-time token.
struct JoinToken {
    std::string digest;  // of its secret
    pki::Kind kind = pki::Kind::node;
    std::string name;
    int64_t expires_us = 0;
    bool home_agent = false;  // the node that joins with it may be one

    bool operator==(const JoinToken&) const = default;
};

// A change that somebody asked for.
struct AuditEntry {
    int64_t time_us = 0;
    std::string who;
    std::string what;     // method of the API
    std::string subject;  // the slice, sliver, node, user or image
    std::string outcome;  // "ok", or why not

    bool operator==(const AuditEntry&) const = default;
};

}  // namespace homeslice::controller
