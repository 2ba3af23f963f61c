#include "controller/core/loans.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/status.h"
#include "controller/core/requests.h"
#include "controller/core/views.h"

namespace homeslice::controller {
namespace {

const Slice* findSlice(const Snapshot& snapshot, const std::string& name) {
    const auto found = snapshot.slices.find(name);
    return found == snapshot.slices.end() ? nullptr : &found->second;
}

uint64_t lentBy(const Snapshot& snapshot, const std::string& lender, const std::string& except) {
    uint64_t millis = 0;
    for (const auto& [key, loan] : snapshot.loans) {
        if (loan.lender == lender && key != except) millis += loan.cpu_millis;
    }
    return millis;
}

uint64_t borrowedBy(const Snapshot& snapshot, const std::string& borrower, const std::string& except) {
    uint64_t millis = 0;
    for (const auto& [key, loan] : snapshot.loans) {
        if (loan.borrower == borrower && key != except) millis += loan.cpu_millis;
    }
    return millis;
}

std::vector<const Sliver*> sliversOn(const Snapshot& snapshot, const std::string& slice, const std::string& node) {
    std::vector<const Sliver*> slivers = sliversOf(snapshot, slice);
    std::erase_if(slivers, [&node](const Sliver* sliver) { return sliver->node != node; });
    return slivers;
}

std::map<std::string, size_t> sliversByNode(const Snapshot& snapshot, const std::string& slice) {
    std::map<std::string, size_t> counts;
    for (const Sliver* sliver : sliversOf(snapshot, slice)) counts[sliver->node] += 1;
    return counts;
}

absl::Status checkGuarantee(const std::string& lender, const Resources& resources, uint64_t lent, uint64_t more) {
    if (lent + more <= resources.cpu_reservation_millis) return absl::OkStatus();
    const uint64_t left = resources.cpu_reservation_millis - std::min<uint64_t>(lent, resources.cpu_reservation_millis);
    return failedPrecondition(
        fmt::format("slice '{}' is guaranteed {}m CPU a sliver and lends {}m of it: it has {}m left, not {}m", lender,
                    resources.cpu_reservation_millis, lent, left, more));
}

absl::Status checkCap(const std::string& borrower, const Resources& resources, uint64_t borrowed) {
    const uint64_t guarantee = resources.cpu_reservation_millis + borrowed;
    if (resources.cpu_millis == 0 || guarantee <= resources.cpu_millis) return absl::OkStatus();
    return failedPrecondition(
        fmt::format("slice '{}' may use {}m CPU a sliver: a guarantee of {}m, {}m of it borrowed, is above that",
                    borrower, resources.cpu_millis, guarantee, borrowed));
}

}  // namespace

absl::Status checkLoan(const Snapshot& snapshot, const Loan& loan) {
    const Slice* lender = findSlice(snapshot, loan.lender);
    const Slice* borrower = findSlice(snapshot, loan.borrower);
    if (lender == nullptr) return notFound("no slice '" + loan.lender + "'");
    if (borrower == nullptr) return notFound("no slice '" + loan.borrower + "'");
    if (lender == borrower) return invalidArgument("a slice cannot lend to itself");
    for (const Slice* slice : {lender, borrower}) {
        if (slice->deleting) return beingDeleted(slice->name);
        if (slice->suspended) return failedPrecondition("the lease of slice '" + slice->name + "' has ended");
    }
    if (snapshot.loans.contains(loan.key())) {
        return alreadyExists("slice '" + loan.lender + "' lends to '" + loan.borrower +
                             "' already: end that loan first");
    }
    if (lender->lease_end_us < loan.end_us) {
        return failedPrecondition("the lease of slice '" + loan.lender + "' ends at " +
                                  formatUtc(fromUnixMicros(lender->lease_end_us)) +
                                  ", before the loan would: renew it first");
    }
    HS_RETURN_IF_ERROR(
        checkGuarantee(loan.lender, lender->base.resources, lentBy(snapshot, loan.lender, ""), loan.cpu_millis));
    HS_RETURN_IF_ERROR(
        checkCap(loan.borrower, borrower->base.resources, borrowedBy(snapshot, loan.borrower, "") + loan.cpu_millis));
    const auto lenders = sliversByNode(snapshot, loan.lender);
    const auto borrowers = sliversByNode(snapshot, loan.borrower);
    const bool together = std::any_of(borrowers.begin(), borrowers.end(),
                                      [&lenders](const auto& entry) { return lenders.contains(entry.first); });
    if (together) return absl::OkStatus();
    return failedPrecondition("slice '" + loan.borrower + "' has no sliver on a node of slice '" + loan.lender +
                              "': guarantees cannot be carried from node to node");
}

absl::Status checkLoansOf(const Snapshot& snapshot, const std::string& slice, const Resources& next) {
    HS_RETURN_IF_ERROR(checkGuarantee(slice, next, lentBy(snapshot, slice, ""), 0));
    return checkCap(slice, next, borrowedBy(snapshot, slice, ""));
}

std::map<SliverId, uint32_t> guaranteesWithLoans(const Snapshot& snapshot, const std::string& node) {
    std::map<SliverId, int64_t> changes;
    for (const auto& [key, loan] : snapshot.loans) {
        const std::vector<const Sliver*> lenders = sliversOn(snapshot, loan.lender, node);
        const std::vector<const Sliver*> borrowers = sliversOn(snapshot, loan.borrower, node);
        for (size_t pair = 0; pair < std::min(lenders.size(), borrowers.size()); ++pair) {
            changes[lenders[pair]->id] -= loan.cpu_millis;
            changes[borrowers[pair]->id] += loan.cpu_millis;
        }
    }
    std::map<SliverId, uint32_t> guarantees;
    for (const auto& [id, change] : changes) {
        const Slice* slice = findSlice(snapshot, id.slice);
        const int64_t own = slice == nullptr ? 0 : slice->base.resources.cpu_reservation_millis;
        guarantees[id] = static_cast<uint32_t>(std::max<int64_t>(own + change, 0));
    }
    return guarantees;
}

std::vector<std::string> uncoveredNodes(const Snapshot& snapshot, const Loan& loan) {
    const auto lenders = sliversByNode(snapshot, loan.lender);
    std::vector<std::string> nodes;
    for (const auto& [node, count] : sliversByNode(snapshot, loan.borrower)) {
        const auto given = lenders.find(node);
        if (given == lenders.end() || given->second < count) nodes.push_back(node);
    }
    return nodes;
}

}  // namespace homeslice::controller
