#include "noded/api/renewal.h"

#include <thread>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "noded/api/channel.h"
#include "noded/api/retry.h"
#include "pki/enrol/enrol.h"

namespace homeslice::api {
namespace {

// Often enough for certificates of a minute, and cheap: it is a look at a file.
constexpr std::chrono::seconds kLookEvery{5};
constexpr std::chrono::milliseconds kFirstRetry{100};

class RenewalThread final : public Renewal {
public:
    RenewalThread(const std::string& controller, std::shared_ptr<tls::Credentials> credentials)
        : directory_(credentials->directory()),
          channel_(makeChannel(*credentials, controller, pki::kControllerName, kFirstRetry)),
          thread_([this] { keep(); }) {}
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
        HS_RETURN_IF_ERROR(enrol::renew(channel_, directory_));
        logInfo("the certificate is renewed");
        return absl::OkStatus();
    }

    const std::string directory_;
    std::shared_ptr<grpc::Channel> channel_;
    StopFlag stop_;
    std::thread thread_;
};

}  // namespace

std::unique_ptr<Renewal> Renewal::start(const std::string& controller, std::shared_ptr<tls::Credentials> credentials) {
    return std::make_unique<RenewalThread>(controller, std::move(credentials));
}

}  // namespace homeslice::api
