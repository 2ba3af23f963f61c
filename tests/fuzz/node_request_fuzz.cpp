// What noded is told by others: the picture of a controller, the start of a command, a terminal's size. A byte says
// which.
#include "homeslice/v1/node.pb.h"
#include "messages.h"
#include "noded/api/convert.h"
#include "target.h"

namespace {

using namespace homeslice;

void picture(const std::string& bytes) {
    const auto message = fuzz::parsed<v1::DesiredState>(bytes);
    if (!message) return;
    const auto desired = api::desiredPictureOf(*message);
    const auto network = api::networkPictureOf(*message);
    fuzz::require(!desired.ok() || network.ok(), "a sound picture has a sound network");
}

// A specification that was taken is taken again.
void specification(const std::string& bytes) {
    const auto message = fuzz::parsed<v1::DesiredSliver>(bytes);
    if (!message) return;
    const auto spec = wire::specOf(*message);
    if (!spec.ok()) return;
    const auto again = wire::specOf(wire::toMessage(*spec));
    fuzz::require(again.ok() && *again == *spec, "a specification is the same after a way over the wire");
}

void command(const std::string& bytes) {
    if (const auto message = fuzz::parsed<v1::ExecStart>(bytes)) (void)api::execStartOf(*message);
}

void terminal(const std::string& bytes) {
    if (const auto message = fuzz::parsed<v1::TerminalSize>(bytes)) (void)api::terminalSizeOf(*message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    constexpr void (*kKinds[])(const std::string&) = {picture, specification, command, terminal};
    fuzz::Input input(data, size);
    if (const auto kind = input.byte()) kKinds[*kind % std::size(kKinds)](input.rest());
    return 0;
}
