// Which right each method of ControllerService needs, and who has it. Pure.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <vector>

#include "controller/model/model.h"
#include "controller/model/people.h"

namespace homeslice::controller {

enum class Right {
    look,           // at nodes and images, and at what is one's own: every user
    create_slices,  // every user
    use_slice,      // its owner and members
    own_slice,      // its owner
    edit_user,      // the user
    manage_images,  // the rest: administrators, who also have all of the above
    manage_nodes,
    manage_users,
    read_audit,
};
const char* toString(Right right);

struct Method {
    std::string name;
    Right right = Right::look;
    bool changes = false;  // something: it is in the audit log
};
const std::vector<Method>& methods();
// Null for a method that the table does not have: nobody may call it.
const Method* findMethod(const std::string& name);

struct Caller {
    std::string name;
    UserRole role = UserRole::user;
};

// Of a right that is not about one thing.
absl::Status checkRight(const Caller& caller, Right right);
absl::Status checkRight(const Caller& caller, Right right, const Slice& slice);
// PERMISSION_DENIED names the right that is missing, and who could help.
absl::Status checkEditUser(const Caller& caller, const std::string& user);

// Whether a list shows the slice to the caller.
bool maySee(const Caller& caller, const Slice& slice);

}  // namespace homeslice::controller
