// The API's messages as value trees, and the columns under which people see them.
#pragma once

#include <homeslice/v1/controller.pb.h>

#include <string>
#include <vector>

#include "ctl/output/printer.h"
#include "ctl/output/value.h"

namespace homeslice::ctl {

Value nodeValue(const v1::Node& node);
// "places" and "exclusions".
Value planValue(const v1::SlicePlan& plan);
Value imageValue(const v1::Image& image);
Value sliceValue(const v1::Slice& slice);
// Sums over a slice's slivers.
Value totalsValue(const v1::ListSliversResponse& slivers);
Value sliverValue(const v1::Sliver& sliver);
Value bindingValue(const v1::HomeBinding& binding);
Value operationValue(const v1::Operation& operation);
Value quotaValue(const v1::Quota& quota);
Value usageValue(const v1::Usage& usage);
Value reservationValue(const v1::Reservation& reservation);
Value loanValue(const v1::Loan& loan);
Value rebalanceStepValue(const v1::RebalancePlan::Step& step);
Value userValue(const v1::User& user);
Value auditValue(const v1::AuditEntry& entry);

const std::vector<Column>& nodeColumns();
// Of a plan's places.
const std::vector<Column>& placeColumns();
const std::vector<Column>& imageColumns();
const std::vector<Column>& sliceColumns();
// For one slice, with its totals.
const std::vector<Column>& sliceDetails();
const std::vector<Column>& sliverColumns();
const std::vector<Column>& bindingColumns();
const std::vector<Column>& operationColumns();
// Of an operation's failures.
const std::vector<Column>& failureColumns();
const std::vector<Column>& userColumns();
// Of a user: what is used, of how much.
const std::vector<Column>& quotaColumns();
const std::vector<Column>& reservationColumns();
const std::vector<Column>& loanColumns();
const std::vector<Column>& rebalanceStepColumns();
const std::vector<Column>& auditColumns();

// "web/2".
std::string nameOf(const v1::SliverId& id);

// An array of `view` of each element of a repeated field.
template <typename Repeated, typename View>
Value listOf(const Repeated& elements, View view) {
    Value list = Value::array();
    for (const auto& element : elements) list.push_back(view(element));
    return list;
}

}  // namespace homeslice::ctl
