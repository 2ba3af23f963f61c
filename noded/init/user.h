// Who runs a command: looked up inside the sliver, in its own /etc/passwd and /etc/group.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace homeslice::init {

struct Identity {
    static constexpr size_t kMaxGroups = 64;

    uid_t uid = 0;
    gid_t gid = 0;
    gid_t groups[kMaxGroups] = {};  // supplementary ones; those beyond the bound are left out
    size_t group_count = 0;
    char home[256] = {};  // empty: not known
};

struct UserFiles {
    const char* passwd = "/etc/passwd";
    const char* group = "/etc/group";
};

// "name", "uid", each also with ":group" or ":gid". A name must be in the files; a number need not. Without a group it
// is the user's of passwd (0 for a number that is not there), with the supplementary groups of a user who has a name.
// nullptr, or what is wrong with it. The files may hold anything: they belong to the sliver. Call it in a process that
// may block or fail, never in PID 1 itself.
const char* resolveUser(const char* user, const UserFiles& files, Identity& identity);

// The home directory of `uid`; `home` is left alone when passwd has none.
void findHome(uid_t uid, const UserFiles& files, char (&home)[sizeof(Identity::home)]);

}  // namespace homeslice::init
