// What the controller is told: by nodes about themselves, by users about slices and nodes. A byte says which.
#include "controller/api/convert.h"
#include "homeslice/v1/controller.pb.h"
#include "messages.h"
#include "target.h"

namespace {

using namespace homeslice;

template <typename Message, auto Convert>
void convert(const std::string& bytes) {
    if (const auto message = fuzz::parsed<Message>(bytes)) (void)Convert(*message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    constexpr void (*kKinds[])(const std::string&) = {convert<v1::NodeHello, controller::fromHello>,
                                                      convert<v1::NodeStatus, controller::fromNodeStatus>,
                                                      convert<v1::SetNodeRequest, controller::fromSetNode>,
                                                      convert<v1::CreateSliceRequest, controller::fromCreateSlice>,
                                                      convert<v1::SetSliceRequest, controller::fromSetSlice>};
    fuzz::Input input(data, size);
    if (const auto kind = input.byte()) kKinds[*kind % std::size(kKinds)](input.rest());
    return 0;
}
