#include "noded/api/renewal.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "noded/api/retry.h"
#include "pki/enrol/enrol.h"

namespace homeslice::api {
namespace {

// Cheap: it is a look at a file.
std::chrono::milliseconds lookEvery(std::chrono::seconds lifetime) {
    constexpr std::chrono::seconds kLongest{5};
    return std::min<std::chrono::milliseconds>(kLongest, std::chrono::milliseconds(lifetime) / 24);
}

class RenewalThread final : public Renewal {
public:
    RenewalThread(std::shared_ptr<leader::Controllers> controllers, std::shared_ptr<const tls::Credentials> credentials)
        : credentials_(std::move(credentials)), controllers_(std::move(controllers)), thread_([this] { keep(); }) {}
    ~RenewalThread() override {
        stop_.set();
        thread_.join();
    }

private:
    void keep() {
        do {
            const absl::Status status = renewIfDue();
            if (!status.ok()) logWarning("the certificate is not renewed, trying again: {}", messageOf(status));
        } while (!stop_.waitFor(lookEvery(credentials_->lifetime())));
    }

    absl::Status renewIfDue() {
        HS_ASSIGN_OR_RETURN(const bool due, enrol::isRenewalDue(credentials_->directory()));
        if (!due) return absl::OkStatus();
        HS_RETURN_IF_ERROR(enrol::renew(controllers_->current().channel, credentials_->directory()));
        logInfo("the certificate is renewed");
        return absl::OkStatus();
    }

    const std::shared_ptr<const tls::Credentials> credentials_;
    const std::shared_ptr<leader::Controllers> controllers_;
    StopFlag stop_;
    std::thread thread_;
};

}  // namespace

std::unique_ptr<Renewal> Renewal::start(std::shared_ptr<leader::Controllers> controllers,
                                        std::shared_ptr<const tls::Credentials> credentials) {
    return std::make_unique<RenewalThread>(std::move(controllers), std::move(credentials));
}

}  // namespace homeslice::api
