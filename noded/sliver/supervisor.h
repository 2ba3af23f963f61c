// Tells when a sliver's first process ends: one thread that waits on all their pidfds or lifelines.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "base/unique_fd.h"
#include "spec/sliver_spec.h"

namespace homeslice::sliver {

class Supervisor {
public:
    // Called from the supervisor's thread, once for each watch().
    using OnEnd = std::function<void(const SliverId&)>;
    static absl::StatusOr<std::unique_ptr<Supervisor>> create(OnEnd on_end);
    ~Supervisor();

    // `fd` becomes readable at the end; it is duplicated. Any thread.
    absl::Status watch(const SliverId& id, int fd);

private:
    Supervisor(OnEnd on_end, UniqueFd epoll, UniqueFd wake);
    void run();
    void ended(uint64_t token);

    struct Watched {
        SliverId id;
        UniqueFd pidfd;
    };
    const OnEnd on_end_;
    const UniqueFd epoll_;
    const UniqueFd wake_;
    std::mutex mutex_;
    std::map<uint64_t, Watched> watched_;
    uint64_t next_token_ = 1;  // 0 is wake_
    std::jthread thread_;
};

}  // namespace homeslice::sliver
