#include "ctl/output/progress.h"

#include <fmt/format.h>

#include <utility>

#include "ctl/output/table.h"
#include "ctl/output/units.h"

namespace homeslice::ctl {
namespace {

constexpr uint64_t kBarWidth = 24;
constexpr std::chrono::milliseconds kRedrawInterval{100};
// Back to the first column, and erase to the end of the line (ECMA-48 EL).
constexpr const char* kWipe = "\r\033[K";

std::string bar(uint64_t done, uint64_t total) {
    const auto filled = static_cast<size_t>(std::min(done, total) * kBarWidth / total);
    return "[" + std::string(filled, '#') + std::string(kBarWidth - filled, '-') + "]";
}

}  // namespace

Progress::Progress(const Io& io, std::string label, Unit unit) : io_(io), label_(std::move(label)), unit_(unit) {}

Progress::~Progress() { wipe(); }

void Progress::update(uint64_t done, uint64_t total, const std::string& step) {
    if (!io_.err_is_terminal) return;
    const auto now = std::chrono::steady_clock::now();
    if (drawn_ && step == step_ && done != total && now - last_draw_ < kRedrawInterval) return;
    draw(done, total, step);
    drawn_ = true;
    step_ = step;
    last_draw_ = now;
}

void Progress::draw(uint64_t done, uint64_t total, const std::string& step) {
    std::string text = label_;
    if (total > 0) {
        const bool bytes = unit_ == Unit::bytes;
        text += " " + bar(done, total) + " " +
                (bytes ? humanBytes(done) + "/" + humanBytes(total) : fmt::format("{}/{}", done, total));
    }
    io_.err << kWipe << printable(text + " " + step) << std::flush;
}

void Progress::finish(const std::string& outcome) {
    wipe();
    io_.err << printable(label_ + ": " + outcome) << '\n' << std::flush;
}

void Progress::wipe() {
    if (drawn_) io_.err << kWipe << std::flush;
    drawn_ = false;
}

}  // namespace homeslice::ctl
