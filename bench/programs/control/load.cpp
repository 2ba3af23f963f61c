#include "load.h"

#include <fmt/format.h>

#include <mutex>
#include <thread>
#include <vector>

#include "base/status.h"

namespace homeslice::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kUsers = 4;
constexpr std::chrono::seconds kHearWithin{30};

double secondsSince(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

absl::Status fromGrpc(const grpc::Status& status) {
    return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
}

}  // namespace

std::string Load::nextName() { return fmt::format("s{:06}", ++slices_); }

absl::StatusOr<v1::Operation> Load::createSlice(const std::string& name, uint32_t slivers) {
    v1::CreateSliceRequest request;
    request.set_name(name);
    request.set_sliver_count(slivers);
    v1::SliverTemplate& base = *request.mutable_base();
    base.set_image(kImage);
    for (const char* word : {"sleep", "1000000"}) base.add_argv(word);
    base.mutable_resources()->set_cpu_reservation_millis(10);
    base.mutable_resources()->set_memory_bytes(64 << 20);
    grpc::ClientContext context;
    v1::Operation operation;
    const grpc::Status status = client_.CreateSlice(&context, request, &operation);
    if (!status.ok()) return withContext(fromGrpc(status), "slice " + name);
    slivers_ += slivers;
    return operation;
}

absl::StatusOr<Load::Rates> Load::create(uint64_t count, uint32_t size, std::chrono::seconds patience) {
    const uint64_t slices = (count + size - 1) / size;
    const uint64_t before = slivers_;
    std::atomic<uint64_t> begun = 0;
    std::mutex mutex;
    absl::Status failed;
    const auto begin = Clock::now();
    std::vector<std::thread> users;
    for (int user = 0; user < kUsers; ++user) {
        users.emplace_back([&] {
            while (begun++ < slices) {
                const auto created = createSlice(nextName(), size);
                if (created.ok()) continue;
                const std::lock_guard lock(mutex);
                failed = created.status();
                return;
            }
        });
    }
    for (std::thread& user : users) user.join();
    HS_RETURN_IF_ERROR(failed);
    Rates rates;
    const auto placed = static_cast<double>(slivers_ - before);
    rates.placements_per_s = placed / secondsSince(begin);
    HS_RETURN_IF_ERROR(fleet_.awaitRunning(slivers_, patience));
    rates.running_per_s = placed / secondsSince(begin);
    return rates;
}

absl::StatusOr<double> Load::watchOne() {
    const std::string name = nextName();
    fleet_.holdBack(name);
    HS_ASSIGN_OR_RETURN(const v1::Operation operation, createSlice(name, 1));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kHearWithin);
    v1::WatchOperationRequest request;
    request.set_id(operation.id());
    const auto stream = client_.WatchOperation(&context, request);
    v1::Operation heard;
    if (!stream->Read(&heard)) return withContext(fromGrpc(stream->Finish()), "watch");
    HS_ASSIGN_OR_RETURN(const Clock::time_point said, fleet_.letGo(kHearWithin));
    while (heard.state() == v1::OPERATION_STATE_RUNNING) {
        if (!stream->Read(&heard)) return withContext(fromGrpc(stream->Finish()), "watch");
    }
    const double milliseconds = 1000 * secondsSince(said);
    static_cast<void>(stream->Finish());
    return milliseconds;
}

// As the controller knows it.
absl::StatusOr<uint64_t> Load::countRunning() {
    uint64_t running = 0;
    v1::ListSlicesRequest request;
    do {
        grpc::ClientContext context;
        v1::ListSlicesResponse response;
        HS_RETURN_IF_ERROR(fromGrpc(client_.ListSlices(&context, request, &response)));
        for (const v1::Slice& slice : response.slices()) running += slice.slivers_running();
        request.set_page_token(response.next_page_token());
    } while (!request.page_token().empty());
    return running;
}

absl::Status Load::awaitConverged(std::chrono::seconds patience) {
    const auto begin = Clock::now();
    for (;;) {
        HS_ASSIGN_OR_RETURN(const uint64_t running, countRunning());
        if (running == slivers_) return absl::OkStatus();
        if (Clock::now() - begin > patience) {
            return deadlineExceeded(fmt::format("{} of {} slivers are known to run", running, slivers_));
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
}

}  // namespace homeslice::bench
