// A streaming call that is over before it began.
#pragma once

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include "controller/api/convert.h"

namespace homeslice::controller {

// `Reactor` is one of gRPC's server reactors for streams. Deletes itself.
template <typename Reactor>
class Refused : public Reactor {
public:
    explicit Refused(const absl::Status& why) { this->Finish(toGrpc(why)); }
    void OnDone() override { delete this; }
};

// The same with gRPC's own status.
template <typename Reactor>
class RefusedAs : public Reactor {
public:
    explicit RefusedAs(const grpc::Status& why) { this->Finish(why); }
    void OnDone() override { delete this; }
};

}  // namespace homeslice::controller
