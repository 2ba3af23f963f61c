// The API's messages <-> the core's values, slivers and commands. Whatever comes in is checked in full: what a
// function returns can be used without another look. INVALID_ARGUMENT names the field and what is wrong with it.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "homeslice/v1/node.pb.h"
#include "noded/api/network_picture.h"
#include "noded/init/client.h"
#include "noded/sliver/manager.h"
#include "noded/spec/sliver_spec.h"

namespace homeslice::api {

absl::StatusOr<SliverId> sliverIdOf(const v1::SliverId& message);
v1::SliverId toMessage(const SliverId& id);

// An address that packets can be sent to: 16 bytes, neither unspecified nor multicast. `what` names it in errors.
absl::StatusOr<Ipv6Address> unicastOf(const std::string& what, const std::string& raw);
// 1 to 65535.
absl::StatusOr<uint16_t> portOf(const std::string& what, uint32_t port);

struct DesiredPicture {
    sliver::Desired desired;
    NetworkPicture network;
};
// All or nothing: a picture with one malformed sliver is refused whole, for leaving that sliver out would remove it.
absl::StatusOr<DesiredPicture> desiredPictureOf(const v1::DesiredState& message);
absl::StatusOr<NetworkPicture> networkPictureOf(const v1::DesiredState& message);

v1::SliverStatus toMessage(const sliver::SliverReport& report);

struct ExecStart {
    SliverId sliver;
    init::ExecRequest request;  // without descriptors
};
absl::StatusOr<ExecStart> execStartOf(const v1::ExecStart& message);
// 0 columns or rows: the usual 80 and 24.
absl::StatusOr<init::TerminalSize> terminalSizeOf(const v1::TerminalSize& message);

}  // namespace homeslice::api
