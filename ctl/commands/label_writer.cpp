#include "ctl/commands/label_writer.h"

namespace homeslice::ctl {
namespace {

constexpr size_t kLongestLine = 64 << 10;

}  // namespace

LabelWriter::LabelWriter(std::ostream& out, std::mutex& mutex, const std::string& label)
    : out_(out), mutex_(mutex), prefix_(label.empty() ? "" : label + " | ") {}

LabelWriter::~LabelWriter() {
    if (!pending_.empty()) writeLines(pending_ + '\n');
}

void LabelWriter::write(const std::string& data) {
    pending_ += data;
    const size_t last = pending_.rfind('\n');
    if (last != std::string::npos) {
        writeLines(pending_.substr(0, last + 1));
        pending_.erase(0, last + 1);
    }
    while (pending_.size() >= kLongestLine) {
        writeLines(pending_.substr(0, kLongestLine) + '\n');
        pending_.erase(0, kLongestLine);
    }
}

void LabelWriter::writeLines(const std::string& lines) {
    std::string labelled;
    for (size_t start = 0; start < lines.size();) {
        const size_t next = lines.find('\n', start) + 1;
        labelled += prefix_;
        labelled.append(lines, start, next - start);
        start = next;
    }
    const std::lock_guard lock(mutex_);
    out_ << labelled << std::flush;
}

}  // namespace homeslice::ctl
