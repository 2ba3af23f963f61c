#include "noded/init/user.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"

namespace homeslice::init {
namespace {

constexpr size_t kMaxLine = 32 << 10;
constexpr size_t kMaxName = 256;
constexpr size_t kMaxFields = 7;

// A file of colon-separated lines, one at a time. Lines longer than kMaxLine are skipped.
class Entries {
public:
    // Non-blocking, so that a pipe in the file's place is only empty.
    explicit Entries(const char* path) : file_(::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}

    // The next line's fields; those that it lacks are empty. False at the end.
    bool next(char* (&fields)[kMaxFields]) {
        char* line = nextLine();
        if (line == nullptr) return false;
        for (char*& field : fields) {
            field = line;
            line += ::strcspn(line, ":");
            if (*line == ':') *line++ = '\0';
        }
        return true;
    }

private:
    char* nextLine() {
        for (bool skipping = false;;) {
            char* newline = static_cast<char*>(::memchr(buffer_ + begin_, '\n', end_ - begin_));
            if (newline != nullptr) {
                char* line = buffer_ + begin_;
                *newline = '\0';
                begin_ = static_cast<size_t>(newline - buffer_) + 1;
                if (!skipping) return line;
                skipping = false;
                continue;
            }
            if (begin_ == 0 && end_ == kMaxLine) {
                skipping = true;
                end_ = 0;
            }
            if (!fill()) return lastLine(skipping);
        }
    }

    char* lastLine(bool skipping) {
        if (skipping || begin_ == end_) return nullptr;
        buffer_[end_] = '\0';
        char* line = buffer_ + begin_;
        begin_ = end_;
        return line;
    }

    bool fill() {
        ::memmove(buffer_, buffer_ + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
        const ssize_t size = file_ ? ::read(file_.get(), buffer_ + end_, kMaxLine - end_) : -1;
        if (size <= 0) return false;
        end_ += static_cast<size_t>(size);
        return true;
    }

    UniqueFd file_;
    size_t begin_ = 0;
    size_t end_ = 0;
    char buffer_[kMaxLine + 1];
};

bool isNumber(const char* text) { return *text != '\0' && text[::strspn(text, "0123456789")] == '\0'; }

// False for what is no id; the highest number means "unchanged" to setresuid(2).
bool parseId(const char* text, unsigned& id) {
    errno = 0;
    const unsigned long value = isNumber(text) ? ::strtoul(text, nullptr, 10) : ~0UL;
    id = static_cast<unsigned>(value);
    return errno == 0 && value < ~0U;
}

bool contains(const char* members, const char* name) {
    const size_t length = ::strlen(name);
    while (*members != '\0') {
        const size_t size = ::strcspn(members, ",");
        if (size == length && ::memcmp(members, name, length) == 0) return true;
        members += size;
        if (*members == ',') ++members;
    }
    return false;
}

void copyText(char* target, size_t size, const char* text) {
    const size_t length = ::strnlen(text, size - 1);
    ::memcpy(target, text, length);
    target[length] = '\0';
}

// passwd(5): name, password, uid, gid, comment, home, shell.
struct Account {
    char name[kMaxName] = {};  // empty: there is none
    unsigned uid = 0;
    unsigned gid = 0;
    char home[sizeof(Identity::home)] = {};
};

template <typename Matches>
bool findAccount(const UserFiles& files, Account& account, Matches matches) {
    Entries entries(files.passwd);
    for (char* fields[kMaxFields]; entries.next(fields);) {
        if (!parseId(fields[2], account.uid) || !parseId(fields[3], account.gid)) continue;
        if (!matches(fields[0], account.uid)) continue;
        copyText(account.name, sizeof(account.name), fields[0]);
        copyText(account.home, sizeof(account.home), fields[5]);
        return true;
    }
    account = {};
    return false;
}

bool findAccountByName(const UserFiles& files, const char* name, Account& account) {
    return findAccount(files, account, [&](const char* other, unsigned) { return ::strcmp(name, other) == 0; });
}

bool findAccountById(const UserFiles& files, unsigned uid, Account& account) {
    return findAccount(files, account, [&](const char*, unsigned other) { return uid == other; });
}

// group(5): name, password, gid, members.
bool findGroup(const UserFiles& files, const char* name, unsigned& gid) {
    Entries entries(files.group);
    for (char* fields[kMaxFields]; entries.next(fields);) {
        if (::strcmp(fields[0], name) == 0 && parseId(fields[2], gid)) return true;
    }
    return false;
}

void collectGroups(const UserFiles& files, const char* name, Identity& identity) {
    Entries entries(files.group);
    for (char* fields[kMaxFields]; entries.next(fields) && identity.group_count < Identity::kMaxGroups;) {
        unsigned gid = 0;
        if (!contains(fields[3], name) || !parseId(fields[2], gid) || gid == identity.gid) continue;
        identity.groups[identity.group_count++] = gid;
    }
}

const char* takeAccount(const char* name, const UserFiles& files, Account& account) {
    if (!isNumber(name)) return findAccountByName(files, name, account) ? nullptr : "no such user";
    unsigned uid = 0;
    if (!parseId(name, uid)) return "not a user id";
    findAccountById(files, uid, account);
    account.uid = uid;
    return nullptr;
}

const char* takeGroup(const char* group, const UserFiles& files, Identity& identity) {
    if (isNumber(group)) return parseId(group, identity.gid) ? nullptr : "not a group id";
    return findGroup(files, group, identity.gid) ? nullptr : "no such group";
}

}  // namespace

const char* resolveUser(const char* user, const UserFiles& files, Identity& identity) {
    const size_t length = ::strcspn(user, ":");
    char name[kMaxName];
    if (length == 0 || length >= sizeof(name)) return "not a user";
    ::memcpy(name, user, length);
    name[length] = '\0';

    Account account;
    if (const char* problem = takeAccount(name, files, account); problem != nullptr) return problem;
    identity.uid = account.uid;
    identity.gid = account.gid;
    copyText(identity.home, sizeof(identity.home), account.home);
    if (user[length] == ':') return takeGroup(user + length + 1, files, identity);
    if (account.name[0] != '\0') collectGroups(files, account.name, identity);
    return nullptr;
}

void findHome(uid_t uid, const UserFiles& files, char (&home)[sizeof(Identity::home)]) {
    Account account;
    if (findAccountById(files, uid, account)) copyText(home, sizeof(home), account.home);
}

}  // namespace homeslice::init
