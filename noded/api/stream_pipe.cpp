#include "noded/api/stream_pipe.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/status.h"

namespace homeslice::api {

absl::StatusOr<StreamPipe> makeStreamPipe(LoopEnd loop_end) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return errnoStatus(errno, "pipe2");
    StreamPipe made{.read_end = UniqueFd(ends[0]), .write_end = UniqueFd(ends[1])};
    const UniqueFd& ours = loop_end == LoopEnd::read ? made.read_end : made.write_end;
    if (fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) return errnoStatus(errno, "fcntl(O_NONBLOCK)");
    // Commands open /dev/stdout anew, under ids that are not the pipe's owner. Who cannot see the descriptor in /proc
    // cannot use the mode either.
    constexpr mode_t kEveryone = 0666;
    if (fchmod(made.read_end.get(), kEveryone) != 0) return errnoStatus(errno, "fchmod(pipe)");
    return made;
}

}  // namespace homeslice::api
