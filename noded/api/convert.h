// The API's messages <-> the core's values, slivers and commands; what the controller speaks too is in spec/wire.
// Whatever comes in is checked in full: what a function returns can be used without another look. INVALID_ARGUMENT
// names the field and what is wrong with it.
#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <vector>

#include "homeslice/v1/node.pb.h"
#include "noded/api/network_picture.h"
#include "noded/init/client.h"
#include "noded/sliver/manager.h"
#include "spec/wire/convert.h"

namespace homeslice::api {

using wire::portOf;
using wire::sliverIdOf;
using wire::toMessage;
using wire::unicastOf;

struct DesiredPicture {
    sliver::Desired desired;
    NetworkPicture network;
    std::map<SliverId, std::string> disk_readers;  // the node that may take a stopped sliver's disk
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
