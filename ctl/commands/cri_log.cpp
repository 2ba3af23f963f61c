#include "ctl/commands/cri_log.h"

#include <optional>
#include <utility>

namespace homeslice::ctl {
namespace {

struct CriLine {
    std::string time;
    std::string stream;
    bool partial = false;
    std::string text;
};

std::optional<CriLine> parseLine(const std::string& line) {
    const size_t stream = line.find(' ');
    if (stream == std::string::npos) return std::nullopt;
    const size_t tag = line.find(' ', stream + 1);
    if (tag == std::string::npos || line.size() < tag + 3) return std::nullopt;
    const std::string name = line.substr(stream + 1, tag - stream - 1);
    const char kind = line[tag + 1];
    const bool fits = (name == "stdout" || name == "stderr") && (kind == 'F' || kind == 'P') && line[tag + 2] == ' ';
    if (!fits) return std::nullopt;
    return CriLine{
        .time = line.substr(0, stream), .stream = name, .partial = kind == 'P', .text = line.substr(tag + 3)};
}

}  // namespace

CriLogReader::CriLogReader(bool timestamps, Sink sink) : timestamps_(timestamps), sink_(std::move(sink)) {}

void CriLogReader::feed(const std::string& data) {
    pending_ += data;
    size_t start = 0;
    for (size_t end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n', start)) {
        takeLine(pending_.substr(start, end - start));
        start = end + 1;
    }
    pending_.erase(0, start);
}

std::optional<int64_t> CriLogReader::reconnect() {
    pending_.clear();
    position_.reconnect();
    return position_.begun() ? std::optional(position_.sinceUs()) : std::nullopt;
}

void CriLogReader::finish() {
    if (!pending_.empty()) takeLine(std::exchange(pending_, {}));
    if (continues_) sink_("\n");
}

void CriLogReader::takeLine(const std::string& line) {
    if (!position_.take(line)) return;
    const auto parsed = parseLine(line);
    if (!parsed) {
        sink_(std::exchange(continues_, false) ? "\n" + line + "\n" : line + "\n");
        return;
    }
    std::string text;
    // The other stream's line stays open; what comes of it later is a line of its own.
    if (continues_ && parsed->stream != stream_) {
        text += '\n';
        continues_ = false;
    }
    if (timestamps_ && !continues_) text += parsed->time + " ";
    text += parsed->text;
    stream_ = parsed->stream;
    continues_ = parsed->partial;
    if (!continues_) text += '\n';
    sink_(text);
}

}  // namespace homeslice::ctl
