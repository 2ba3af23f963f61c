#include "noded/init/parked.h"

#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"
#include "noded/init/assignment.h"
#include "noded/sys/packed_strings.h"
#include "noded/sys/seqpacket.h"

namespace homeslice::init {
namespace {

// Lives as long as the process, as what comes with an exec does.
char* readFile(int file, size_t size) {
    auto* data = static_cast<char*>(::malloc(size + 1));
    size_t have = 0;
    while (data != nullptr && have < size) {
        const ssize_t got = ::pread(file, data + have, size - have, static_cast<off_t>(have));
        if (got <= 0) return nullptr;
        have += static_cast<size_t>(got);
    }
    return data;
}

// `count` strings and a nullptr.
char** takeList(sys::PackedStrings& strings, uint32_t count) {
    auto** list = static_cast<char**>(::calloc(size_t{count} + 1, sizeof(char*)));
    for (uint32_t i = 0; list != nullptr && i < count; ++i) {
        list[i] = strings.next();
        if (list[i] == nullptr) return nullptr;
    }
    return list;
}

}  // namespace

const char* awaitAssignment(int socket, size_t& count, char**& words) {
    Assignment assignment;
    UniqueFd file;
    size_t fd_count = 0;
    const ssize_t got = sys::receiveParts(socket, &assignment, sizeof(assignment), &file, 1, fd_count);
    errno = got < 0 && got != -ECONNRESET ? static_cast<int>(-got) : 0;
    if (got <= 0) return "await assignment";
    errno = EINVAL;
    if (got != sizeof(assignment) || fd_count != 1 || assignment.size > kMaxAssignmentSize ||
        assignment.argument_count > kMaxAssignedStrings || assignment.environment_count > kMaxAssignedStrings) {
        return "assignment";
    }
    char* data = readFile(file.get(), assignment.size);
    if (data == nullptr) return "read assignment";
    sys::PackedStrings strings(data, assignment.size);
    words = takeList(strings, assignment.argument_count);
    char** environment = takeList(strings, assignment.environment_count);
    errno = EINVAL;
    if (words == nullptr || environment == nullptr || !strings.atEnd()) return "strings of the assignment";
    count = assignment.argument_count;
    environ = environment;
    return nullptr;
}

}  // namespace homeslice::init
