#include "noded/audit/flow_recorder.h"

#include <algorithm>

#include "base/log.h"
#include "base/status.h"

namespace homeslice::audit {
namespace {

constexpr std::chrono::seconds kIdle{15};          // a flow without packets for so long has ended
constexpr std::chrono::seconds kTrimInterval{60};  // less if nothing is kept for so long

}  // namespace

absl::StatusOr<std::unique_ptr<FlowRecorder>> FlowRecorder::start(const Config& config,
                                                                  mobility::Forwarder& forwarder) {
    HS_ASSIGN_OR_RETURN(FlowLog log, FlowLog::open(config.path));
    std::unique_ptr<FlowRecorder> recorder(new FlowRecorder(config, std::move(log), forwarder));
    recorder->thread_ = std::thread([raw = recorder.get()] { raw->run(); });
    return recorder;
}

FlowRecorder::FlowRecorder(const Config& config, FlowLog log, mobility::Forwarder& forwarder)
    : config_(config),
      forwarder_(forwarder),
      since_epoch_(Utc::now().time_since_epoch() -
                   std::chrono::duration_cast<Utc::duration>(Monotonic::now().time_since_epoch())),
      log_(std::move(log)) {}

FlowRecorder::~FlowRecorder() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void FlowRecorder::setNames(const NameTable& table) {
    const std::lock_guard lock(mutex_);
    owners_.set(table, Monotonic::now());
    knows_names_ = true;
}

absl::StatusOr<FoundFlows> FlowRecorder::find(FlowQuestion question) {
    if (question.address == config_.care_of_address) question.address.reset();
    const std::lock_guard lock(mutex_);
    HS_RETURN_IF_ERROR(collect());
    return log_.find(question);
}

void FlowRecorder::run() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, config_.interval, [this] { return stopping_; })) {
        // What stays in the maps comes with the next attempt.
        if (const absl::Status status = collect(); !status.ok()) logWarning("{}", messageOf(status));
    }
}

absl::Status FlowRecorder::collect() {
    if (!knows_names_) return absl::OkStatus();  // the data plane keeps what it has
    const auto now = Monotonic::now();
    const auto ended_before = std::min(now - kIdle, collected_);
    HS_ASSIGN_OR_RETURN(const auto records, forwarder_.takeFlows(collected_, ended_before, kLongestFlow));
    std::vector<Flow> flows;
    for (const mobility::FlowRecord& record : records) flows.push_back(flowOf(record));
    HS_RETURN_IF_ERROR(log_.put(flows));
    collected_ = now;
    if (now - trimmed_ < std::min(kTrimInterval, config_.keep)) return absl::OkStatus();
    trimmed_ = now;
    return log_.trim(toUnixMicros(Utc::now() - config_.keep));
}

Flow FlowRecorder::flowOf(const mobility::FlowRecord& record) const {
    const auto micros_of = [this](Monotonic::time_point time) {
        const auto since_boot = std::chrono::duration_cast<Utc::duration>(time.time_since_epoch());
        return toUnixMicros(Utc::time_point(since_epoch_ + since_boot));
    };
    return {.owner = owners_.find(record.home_address).value_or(Owner{}),
            .home_address = record.home_address,
            .protocol = record.protocol,
            .source = record.source,
            .source_port = record.source_port,
            .destination = record.destination,
            .destination_port = record.destination_port,
            .first_us = micros_of(record.first),
            .last_us = micros_of(record.last),
            .packets = record.packets,
            .bytes = record.bytes};
}

}  // namespace homeslice::audit
