// Guarantees ahead of time, lent ones, and quotas.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "base/log.h"
#include "base/names.h"
#include "base/status.h"
#include "controller/core/capacity.h"
#include "controller/core/controller.h"
#include "controller/core/loans.h"
#include "controller/core/own_entry.h"

namespace homeslice::controller {
namespace {

constexpr std::chrono::seconds kLongestReservation = std::chrono::hours(24 * 366);
constexpr uint32_t kMostCpuMillis = 10'000'000;

int64_t micros(std::chrono::seconds duration) { return std::chrono::microseconds(duration).count(); }

absl::Status checkDuration(uint32_t duration_s, const char* what) {
    if (duration_s == 0) return invalidArgument(std::string("say how long the ") + what + " lasts");
    if (std::chrono::seconds(duration_s) <= kLongestReservation) return absl::OkStatus();
    return invalidArgument(std::string("a ") + what + " lasts a year at most");
}

absl::Status checkCpu(uint32_t cpu_millis) {
    if (cpu_millis > 0 && cpu_millis <= kMostCpuMillis) return absl::OkStatus();
    return invalidArgument(fmt::format("{}m CPU is not valid: 1m to {}m", cpu_millis, kMostCpuMillis));
}

absl::Status checkRequest(const ReservationRequest& request) {
    HS_RETURN_IF_ERROR(checkName("reservation name", request.wanted.name));
    HS_RETURN_IF_ERROR(checkName("user name", request.wanted.owner));
    HS_RETURN_IF_ERROR(checkDuration(request.duration_s, "reservation"));
    for (const std::string& node : request.nodes) HS_RETURN_IF_ERROR(checkName("node name", node));
    return checkCpu(request.wanted.cpu_millis);
}

absl::StatusOr<std::optional<uint64_t>*> limitNamed(Quota& quota, const std::string& name) {
    if (name == "slivers") return &quota.slivers;
    if (name == "cpus") return &quota.cpu_millis;
    if (name == "memory") return &quota.memory_bytes;
    if (name == "disk") return &quota.disk_bytes;
    return invalidArgument("'" + name.substr(0, 60) + "' is no limit of a quota: slivers, cpus, memory, disk are");
}

void setIfPresent(const std::optional<uint64_t>& next, std::optional<uint64_t>& limit) {
    if (next) limit = next;
}

absl::StatusOr<Quota> changed(Quota quota, const QuotaChange& change) {
    for (const std::string& name : change.unlimited) {
        HS_ASSIGN_OR_RETURN(std::optional<uint64_t> * limit, limitNamed(quota, name));
        limit->reset();
    }
    setIfPresent(change.limits.slivers, quota.slivers);
    setIfPresent(change.limits.cpu_millis, quota.cpu_millis);
    setIfPresent(change.limits.memory_bytes, quota.memory_bytes);
    setIfPresent(change.limits.disk_bytes, quota.disk_bytes);
    return quota;
}

}  // namespace

ReservationView Controller::viewReservation(const Reservation& reservation) const {
    return {reservation, slicesOn(snapshot_, reservation.name)};
}

absl::StatusOr<ReservationView> Controller::createReservation(const ReservationRequest& request) {
    HS_RETURN_IF_ERROR(checkRequest(request));
    const std::lock_guard lock(mutex_);
    const std::string& name = request.wanted.name;
    if (snapshot_.reservations.contains(name)) return alreadyExists("reservation '" + name + "' exists already");
    for (const std::string& node : request.nodes) HS_RETURN_IF_ERROR(findNode(node).status());
    Reservation reservation = request.wanted;
    const int64_t now_us = clock_.utc_us();
    if (reservation.start_us == 0) reservation.start_us = now_us;
    reservation.end_us = reservation.start_us + micros(std::chrono::seconds(request.duration_s));
    if (reservation.start_us < now_us) return invalidArgument("the reservation would begin in the past");
    if (reservation.start_us > now_us + micros(kLongestReservation)) {
        return invalidArgument("the reservation would begin in more than a year");
    }
    PlacementRequest where{
        .node_count = request.node_count, .nodes = request.nodes, .cpu_reservation_millis = reservation.cpu_millis};
    where.rules.where = request.where;
    HS_ASSIGN_OR_RETURN(reservation, planReservation(world(), std::move(reservation), where));
    Changes changes;
    changes.put_reservations.push_back(reservation);
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    logInfo("reservation {}: {}m CPU of {} for user {}", name, reservation.cpu_millis,
            fmt::join(reservation.nodes, ", "), reservation.owner);
    return viewReservation(reservation);
}

std::vector<ReservationView> Controller::reservations() const {
    const std::lock_guard lock(mutex_);
    std::vector<ReservationView> views;
    for (const auto& [name, reservation] : snapshot_.reservations) views.push_back(viewReservation(reservation));
    return views;
}

absl::Status Controller::removeReservation(const std::string& name) {
    HS_RETURN_IF_ERROR(checkName("reservation name", name));
    const std::lock_guard lock(mutex_);
    if (!snapshot_.reservations.contains(name)) return notFound("no reservation '" + name + "'");
    if (const std::vector<std::string> slices = slicesOn(snapshot_, name); !slices.empty()) {
        return failedPrecondition(
            fmt::format("reservation '{}' is used by slice '{}': remove that first", name, fmt::join(slices, "', '")));
    }
    Changes changes;
    changes.erase_reservations.push_back(name);
    return commit(std::move(changes));
}

absl::Status Controller::checkReservationOf(const CreateSliceRequest& request) const {
    if (request.reservation.empty()) return absl::OkStatus();
    const auto found = snapshot_.reservations.find(request.reservation);
    if (found == snapshot_.reservations.end()) return notFound("no reservation '" + request.reservation + "'");
    const Reservation& reservation = found->second;
    if (reservation.owner != request.owner) {
        return permissionDenied("reservation '" + reservation.name + "' is user '" + reservation.owner + "''s, not '" +
                                request.owner + "''s");
    }
    const int64_t now_us = clock_.utc_us();
    if (reservation.start_us > now_us) {
        return failedPrecondition("reservation '" + reservation.name + "' begins at " +
                                  formatUtc(fromUnixMicros(reservation.start_us)));
    }
    if (reservation.end_us <= now_us) return failedPrecondition("reservation '" + reservation.name + "' has ended");
    return absl::OkStatus();
}

absl::StatusOr<LoanView> Controller::lend(const std::string& lender, const std::string& borrower, uint32_t cpu_millis,
                                          uint32_t duration_s) {
    HS_RETURN_IF_ERROR(checkDuration(duration_s, "loan"));
    HS_RETURN_IF_ERROR(checkCpu(cpu_millis));
    const std::lock_guard lock(mutex_);
    const Loan loan{lender, borrower, cpu_millis, clock_.utc_us() + micros(std::chrono::seconds(duration_s))};
    HS_RETURN_IF_ERROR(checkLoan(snapshot_, loan));
    Changes changes;
    changes.put_loans.push_back(loan);
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    logInfo("slice {} lends {}m CPU a sliver to slice {}", lender, cpu_millis, borrower);
    return LoanView{loan, uncoveredNodes(snapshot_, loan)};
}

std::vector<LoanView> Controller::loans() const {
    const std::lock_guard lock(mutex_);
    std::vector<LoanView> views;
    for (const auto& [key, loan] : snapshot_.loans) views.push_back({loan, uncoveredNodes(snapshot_, loan)});
    return views;
}

absl::Status Controller::endLoan(const std::string& lender, const std::string& borrower) {
    const std::lock_guard lock(mutex_);
    const std::string key = Loan{.lender = lender, .borrower = borrower}.key();
    if (!snapshot_.loans.contains(key)) {
        return notFound("slice '" + lender.substr(0, 60) + "' lends nothing to slice '" + borrower.substr(0, 60) + "'");
    }
    Changes changes;
    changes.erase_loans.push_back(key);
    return commit(std::move(changes));
}

// What was lent is given back at its time, whether the borrower can do without or not. Each end is a batch of its own,
// for each is an entry of the audit log.
void Controller::endPromises() {
    const int64_t now_us = clock_.utc_us();
    std::vector<Changes> ends;
    for (const auto& [key, loan] : snapshot_.loans) {
        if (loan.end_us > now_us) continue;
        logWarning("loan {} is over: the guarantee is the lender's again", key);
        ends.emplace_back().erase_loans = {key};
        ends.back().audit = ownEntry(now_us, "LoanOver", key, "the guarantee is the lender's again");
    }
    for (const auto& [name, reservation] : snapshot_.reservations) {
        if (reservation.end_us > now_us || !slicesOn(snapshot_, name).empty()) continue;
        ends.emplace_back().erase_reservations = {name};
        ends.back().audit = ownEntry(now_us, "ReservationOver", name, "its time has passed");
    }
    for (Changes& end : ends) {
        if (const absl::Status stored = commit(std::move(end)); !stored.ok()) {
            logError("loans and reservations that are over stay for now: {}", messageOf(stored));
            return;
        }
    }
}

UserView Controller::viewUser(const User& user) const { return {user, usageOf(snapshot_, user.name)}; }

std::vector<UserView> Controller::users() const {
    const std::lock_guard lock(mutex_);
    std::vector<UserView> users;
    for (const auto& [name, user] : snapshot_.users) users.push_back(viewUser(user));
    return users;
}

absl::StatusOr<UserView> Controller::user(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const User* user, findUser(name));
    return viewUser(*user);
}

absl::StatusOr<UserView> Controller::setQuota(const std::string& name, const QuotaChange& change) {
    HS_ASSIGN_OR_RETURN(const User user, changeUser(name, [&change](User& user) -> absl::Status {
                            HS_ASSIGN_OR_RETURN(user.quota, changed(user.quota, change));
                            return absl::OkStatus();
                        }));
    return this->user(user.name);
}

}  // namespace homeslice::controller
