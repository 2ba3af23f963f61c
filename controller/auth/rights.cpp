#include "controller/auth/rights.h"

#include <algorithm>

#include "base/reason.h"
#include "base/status.h"

namespace homeslice::controller {
namespace {

constexpr bool kReads = false;
constexpr bool kChanges = true;

absl::Status lacks(const Caller& caller, const std::string& what, const std::string& advice) {
    return because(permissionDenied("user '" + caller.name + "' lacks the right '" + what + "'" + advice),
                   reason::kRightMissing, {{"right", what}, {"user", caller.name}});
}

bool isMember(const Caller& caller, const Slice& slice) { return slice.members.contains(caller.name); }

}  // namespace

const char* toString(Right right) {
    switch (right) {
        case Right::look:
            return "look";
        case Right::create_slices:
            return "create slices";
        case Right::use_slice:
            return "use slice";
        case Right::own_slice:
            return "own slice";
        case Right::edit_user:
            return "edit user";
        case Right::manage_images:
            return "manage images";
        case Right::manage_nodes:
            return "manage nodes";
        case Right::manage_users:
            return "manage users";
        case Right::read_audit:
            return "read audit log";
    }
    return "unknown";
}

const std::vector<Method>& methods() {
    static const std::vector<Method> kMethods{
        {"ListNodes", Right::look, kReads},
        {"GetNode", Right::look, kReads},
        {"InspectNode", Right::manage_nodes, kReads},
        {"SetNode", Right::manage_nodes, kChanges},
        {"DrainNode", Right::manage_nodes, kChanges},
        {"RebalanceNodes", Right::manage_nodes, kChanges},
        {"PlanRebalance", Right::manage_nodes, kReads},
        {"CreateReservation", Right::manage_nodes, kChanges},
        {"ListReservations", Right::look, kReads},
        {"RemoveReservation", Right::manage_nodes, kChanges},
        {"MakeNodeToken", Right::manage_nodes, kChanges},
        {"RevokeNode", Right::manage_nodes, kChanges},
        {"SetHomeAgentRole", Right::manage_nodes, kChanges},
        {"ImportImage", Right::manage_images, kChanges},
        {"ListImages", Right::look, kReads},
        {"RemoveImage", Right::manage_images, kChanges},
        {"CreateSlice", Right::create_slices, kChanges},
        {"PlanSlice", Right::create_slices, kReads},
        {"ListSlices", Right::look, kReads},
        {"GetSlice", Right::use_slice, kReads},
        {"RenewSlice", Right::use_slice, kChanges},
        {"SetSlice", Right::use_slice, kChanges},
        {"SetFrozen", Right::use_slice, kChanges},
        {"DeleteSlice", Right::own_slice, kChanges},
        {"ShareSlice", Right::own_slice, kChanges},
        {"ListSlivers", Right::look, kReads},
        {"GetSliver", Right::use_slice, kReads},
        {"MoveSliver", Right::use_slice, kChanges},
        {"Exec", Right::use_slice, kChanges},
        {"Logs", Right::use_slice, kReads},
        {"Watch", Right::look, kReads},
        {"ListBindings", Right::look, kReads},
        {"WatchHomeBindings", Right::look, kReads},
        {"WatchOperation", Right::use_slice, kReads},
        {"ListOperations", Right::look, kReads},
        {"GetOperation", Right::use_slice, kReads},
        {"CancelOperation", Right::use_slice, kChanges},
        {"LendGuarantee", Right::own_slice, kChanges},
        {"ListLoans", Right::look, kReads},
        {"EndLoan", Right::own_slice, kChanges},
        {"ListUsers", Right::manage_users, kReads},
        {"GetUser", Right::edit_user, kReads},
        {"SetUserQuota", Right::manage_users, kChanges},
        {"AddUser", Right::manage_users, kChanges},
        {"MakeUserToken", Right::manage_users, kChanges},
        {"RemoveUser", Right::manage_users, kChanges},
        {"AddUserKey", Right::edit_user, kChanges},
        {"RemoveUserKey", Right::edit_user, kChanges},
        {"ListAudit", Right::read_audit, kReads},
        {"FindFlows", Right::read_audit, kReads},
    };
    return kMethods;
}

const Method* findMethod(const std::string& name) {
    const auto found =
        std::find_if(methods().begin(), methods().end(), [&](const Method& method) { return method.name == name; });
    return found == methods().end() ? nullptr : &*found;
}

absl::Status checkRight(const Caller& caller, Right right) {
    const bool everyones = right == Right::look || right == Right::create_slices;
    if (everyones || caller.role == UserRole::admin) return absl::OkStatus();
    return lacks(caller, toString(right), ", which administrators have");
}

absl::Status checkRight(const Caller& caller, Right right, const Slice& slice) {
    if (caller.role == UserRole::admin || caller.name == slice.owner) return absl::OkStatus();
    if (right == Right::use_slice && isMember(caller, slice)) return absl::OkStatus();
    const std::string help = slice.owner.empty() ? "an administrator" : "its owner '" + slice.owner + "'";
    return lacks(caller, toString(right), " on slice '" + slice.name + "': ask " + help);
}

absl::Status checkEditUser(const Caller& caller, const std::string& user) {
    if (caller.role == UserRole::admin || caller.name == user) return absl::OkStatus();
    return lacks(caller, toString(Right::edit_user), " on user '" + user + "', which administrators have");
}

bool maySee(const Caller& caller, const Slice& slice) { return checkRight(caller, Right::use_slice, slice).ok(); }

}  // namespace homeslice::controller
