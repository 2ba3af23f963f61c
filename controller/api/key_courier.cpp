#include "controller/api/key_courier.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "controller/api/convert.h"
#include "homeslice/v1/node.grpc.pb.h"

namespace homeslice::controller {
namespace {

constexpr size_t kAtOnce = 16;
constexpr std::chrono::seconds kPatience{20};
constexpr std::chrono::seconds kFirstPause{1};
constexpr std::chrono::seconds kLongestPause{60};

// Replaces the file whole, so that no sshd reads half of it.
constexpr const char* kScript =
    "umask 077 && mkdir -p /root/.ssh && cat > /root/.ssh/.homeslice-keys && "
    "mv -f /root/.ssh/.homeslice-keys /root/.ssh/authorized_keys";

v1::ExecRequest startOf(const SliverId& id) {
    v1::ExecRequest request;
    v1::ExecStart& start = *request.mutable_start();
    start.mutable_sliver()->set_slice(id.slice);
    start.mutable_sliver()->set_index(id.index);
    for (const char* word : {"/bin/sh", "-c", kScript}) start.add_argv(word);
    start.set_user("0");
    return request;
}

v1::ExecRequest inputOf(const std::vector<std::string>& keys) {
    v1::ExecRequest request;
    std::string text = "# Homeslice writes this file: slicectl user key\n";
    for (const std::string& key : keys) text += key + "\n";
    request.set_stdin_data(text);
    return request;
}

}  // namespace

// One command in one sliver: start, input, end of input, exit status. Deletes itself.
class KeyCourier::Delivery : public grpc::ClientBidiReactor<v1::ExecRequest, v1::ExecResponse> {
public:
    Delivery(KeyCourier& courier, KeyDelivery delivery) : courier_(courier), delivery_(std::move(delivery)) {
        v1::ExecRequest end;
        end.set_stdin_closed(true);
        requests_ = {startOf(delivery_.id), inputOf(delivery_.keys), end};
    }

    void begin(NodeClients& clients) {
        context_.set_deadline(std::chrono::system_clock::now() + kPatience);
        stub_ = v1::NodeService::NewStub(clients.channel(delivery_.node));
        stub_->async()->Exec(&context_, this);
        StartWrite(&requests_[written_]);
        StartRead(&response_);
        StartCall();
    }
    void cancel() { context_.TryCancel(); }

    void OnWriteDone(bool ok) override {
        if (!ok) return;
        if (++written_ < requests_.size()) {
            StartWrite(&requests_[written_]);
        } else {
            StartWritesDone();
        }
    }
    void OnReadDone(bool ok) override {
        if (!ok) return;
        if (response_.has_exit_status()) exit_status_ = response_.exit_status();
        errors_ += response_.stderr_data().substr(0, kMaxErrors);
        StartRead(&response_);
    }
    void OnDone(const grpc::Status& status) override {
        courier_.ended(delivery_, outcome(status));
        delete this;
    }

private:
    static constexpr size_t kMaxErrors = 200;

    absl::Status outcome(const grpc::Status& status) const {
        if (!status.ok()) return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
        if (exit_status_ == 0) return absl::OkStatus();
        std::string errors = errors_.substr(0, kMaxErrors);
        std::replace(errors.begin(), errors.end(), '\n', ' ');
        return failedPrecondition("/bin/sh ended with " + std::to_string(exit_status_) + ": " + errors);
    }

    KeyCourier& courier_;
    const KeyDelivery delivery_;
    std::vector<v1::ExecRequest> requests_;
    size_t written_ = 0;
    v1::ExecResponse response_;
    uint32_t exit_status_ = 255;
    std::string errors_;
    grpc::ClientContext context_;
    std::unique_ptr<v1::NodeService::Stub> stub_;
};

KeyCourier::~KeyCourier() {
    std::unique_lock lock(mutex_);
    for (const auto& [id, delivery] : under_way_) delivery->cancel();
    changed_.wait(lock, [this] { return under_way_.empty(); });
}

void KeyCourier::tick() {
    for (KeyDelivery& delivery : controller_.keyDeliveries()) {
        const std::lock_guard lock(mutex_);
        if (under_way_.size() >= kAtOnce) return;
        if (!mayBegin(delivery)) continue;
        const SliverId id = delivery.id;
        auto* begun = new Delivery(*this, std::move(delivery));
        under_way_[id] = begun;
        begun->begin(clients_);
    }
}

// With the lock held.
bool KeyCourier::mayBegin(const KeyDelivery& delivery) {
    if (under_way_.contains(delivery.id)) return false;
    const auto trouble = troubles_.find(delivery.id);
    return trouble == troubles_.end() || trouble->second.mark != delivery.mark ||
           trouble->second.again <= Monotonic::now();
}

void KeyCourier::ended(const KeyDelivery& delivery, const absl::Status& status) {
    if (status.ok()) controller_.keysDelivered(delivery.id, delivery.mark);
    const std::lock_guard lock(mutex_);
    under_way_.erase(delivery.id);
    changed_.notify_all();
    if (status.ok()) {
        troubles_.erase(delivery.id);
        return;
    }
    Trouble& trouble = troubles_[delivery.id];
    if (trouble.mark != delivery.mark) {
        trouble = {delivery.mark, {}, {}};
        logWarning("sliver {}: its ssh keys cannot be written, trying again: {}", delivery.id.toString(),
                   messageOf(status));
    }
    trouble.pause = std::clamp(trouble.pause * 2, kFirstPause, kLongestPause);
    trouble.again = Monotonic::now() + trouble.pause;
}

}  // namespace homeslice::controller
