// Logs, as a node sends them in pieces of any size. How they are cut makes no difference to what is shown.
#include "ctl/commands/cri_log.h"
#include "target.h"

namespace {

std::string shown(const std::string& log, size_t step, bool timestamps) {
    std::string result;
    homeslice::ctl::CriLogReader reader(timestamps, [&](const std::string& text) { result += text; });
    for (size_t at = 0; at < log.size(); at += step) reader.feed(log.substr(at, step));
    reader.finish();
    return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace homeslice;
    fuzz::Input input(data, size);
    const auto options = input.byte();
    if (!options) return 0;
    const bool timestamps = (*options & 1) != 0;
    const std::string log = input.rest();
    fuzz::require(shown(log, 1 + *options / 2U, timestamps) == shown(log, log.size() + 1, timestamps),
                  "pieces show what the whole does");
    return 0;
}
