#include "noded/api/renewal.h"

#include <thread>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "noded/api/retry.h"
#include "pki/enrol/enrol.h"

namespace homeslice::api {
namespace {

// Often enough for certificates of a minute, and cheap: it is a look at a file.
constexpr std::chrono::seconds kLookEvery{5};

class RenewalThread final : public Renewal {
public:
    RenewalThread(std::shared_ptr<leader::Controllers> controllers, const std::string& directory)
        : directory_(directory), controllers_(std::move(controllers)), thread_([this] { keep(); }) {}
    ~RenewalThread() override {
        stop_.set();
        thread_.join();
    }

private:
    void keep() {
        do {
            const absl::Status status = renewIfDue();
            if (!status.ok()) logWarning("the certificate is not renewed, trying again: {}", messageOf(status));
        } while (!stop_.waitFor(kLookEvery));
    }

    absl::Status renewIfDue() {
        HS_ASSIGN_OR_RETURN(const bool due, enrol::isRenewalDue(directory_));
        if (!due) return absl::OkStatus();
        HS_RETURN_IF_ERROR(enrol::renew(controllers_->current().channel, directory_));
        logInfo("the certificate is renewed");
        return absl::OkStatus();
    }

    const std::string directory_;
    const std::shared_ptr<leader::Controllers> controllers_;
    StopFlag stop_;
    std::thread thread_;
};

}  // namespace

std::unique_ptr<Renewal> Renewal::start(std::shared_ptr<leader::Controllers> controllers,
                                        const std::string& directory) {
    return std::make_unique<RenewalThread>(std::move(controllers), directory);
}

}  // namespace homeslice::api
