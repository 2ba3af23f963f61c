#include "noded/mobility/flow_news.h"

#include <bpf/libbpf.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "base/status.h"
#include "base/unique_fd.h"
#include "noded/mobility/bpf/layout.h"
#include "noded/mobility/flow_memory.h"

namespace homeslice::mobility {
namespace {

constexpr int kGatherMs = 10;

struct FreeRing {
    void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};

class RingReader final : public FlowReader {
public:
    RingReader(UniqueFd stop, const FlowNews& news) : stop_(std::move(stop)), news_(news) {}
    ~RingReader() override {
        const uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
        if (thread_.joinable()) thread_.join();
    }
    RingReader(const RingReader&) = delete;
    RingReader& operator=(const RingReader&) = delete;

    absl::Status begin(int ring) {
        ring_.reset(ring_buffer__new(ring, onFlow, this, nullptr));
        if (!ring_) return errnoStatus(errno, "ring buffer of chosen flows");
        thread_ = std::thread([this] { run(); });
        return absl::OkStatus();
    }

private:
    void run() {
        std::array<pollfd, 2> waited{{{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                                      {.fd = ring_buffer__epoll_fd(ring_.get()), .events = POLLIN, .revents = 0}}};
        for (;;) {
            ::poll(waited.data(), waited.size(), -1);
            // Until the next consume() the programs wake nobody.
            if (waited[0].revents != 0 || ::poll(waited.data(), 1, kGatherMs) > 0) return;
            ring_buffer__consume(ring_.get());
            if (!batch_.empty()) news_.tell(batch_);
            batch_.clear();
        }
    }

    static int onFlow(void* self, void* data, size_t size) {
        hs_chosen_flow chosen{};
        if (size < sizeof chosen) return 0;
        std::memcpy(&chosen, data, sizeof chosen);
        static_cast<RingReader*>(self)->batch_.push_back(fromWire(chosen.flow, chosen.id));
        return 0;
    }

    const UniqueFd stop_;
    const FlowNews& news_;
    std::vector<ChosenFlow> batch_;  // the thread's own
    std::unique_ptr<ring_buffer, FreeRing> ring_;
    std::thread thread_;
};

}  // namespace

uint64_t FlowNews::watch(Watcher watcher) {
    const std::lock_guard lock(mutex_);
    watchers_.emplace(next_id_, std::move(watcher));
    return next_id_++;
}

void FlowNews::unwatch(uint64_t id) {
    const std::lock_guard lock(mutex_);
    watchers_.erase(id);
}

void FlowNews::tell(const std::vector<ChosenFlow>& flows) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, watcher] : watchers_) watcher(flows);
}

absl::StatusOr<std::unique_ptr<FlowReader>> FlowReader::start(const Forwarder& forwarder, const FlowNews& news) {
    UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
    if (!stop) return errnoStatus(errno, "eventfd");
    auto reader = std::make_unique<RingReader>(std::move(stop), news);
    HS_RETURN_IF_ERROR(reader->begin(forwarder.chosenFlows()));
    return reader;
}

}  // namespace homeslice::mobility
