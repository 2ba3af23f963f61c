#include "ctl/output/table.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <utility>

namespace homeslice::ctl {
namespace {

constexpr const char* kBold = "\033[1m";
constexpr const char* kPlain = "\033[0m";
constexpr size_t kGap = 3;

struct Range {
    char32_t first;
    char32_t last;
};

// The blocks that matter for names and reasons; terminals agree on these.
constexpr std::array<Range, 4> kZeroWidth{{{0x0300, 0x036f}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}}};
constexpr std::array<Range, 8> kDoubleWidth{{{0x1100, 0x115f},
                                             {0x2e80, 0xa4cf},
                                             {0xac00, 0xd7a3},
                                             {0xf900, 0xfaff},
                                             {0xfe30, 0xfe6f},
                                             {0xff00, 0xff60},
                                             {0x1f300, 0x1faff},
                                             {0x20000, 0x3fffd}}};

template <size_t N>
bool contains(const std::array<Range, N>& ranges, char32_t c) {
    return std::any_of(ranges.begin(), ranges.end(), [c](const Range& r) { return c >= r.first && c <= r.last; });
}

size_t sequenceLength(uint8_t lead) {
    if (lead >= 0xf0 && lead < 0xf8) return 4;
    if (lead >= 0xe0) return lead < 0xf0 ? 3 : 1;
    return lead >= 0xc0 ? 2 : 1;
}

// The character at `at`, which moves behind it. A malformed byte is taken as a character of its own.
char32_t nextCharacter(const std::string& text, size_t& at) {
    const auto lead = static_cast<uint8_t>(text[at]);
    const size_t length = sequenceLength(lead);
    char32_t c = length == 1 ? lead : lead & (0x7fU >> length);
    for (size_t i = 1; i < length; ++i) {
        const auto byte = at + i < text.size() ? static_cast<uint8_t>(text[at + i]) : uint8_t{0};
        if ((byte & 0xc0) != 0x80) {
            ++at;
            return U'\ufffd';
        }
        c = (c << 6) | (byte & 0x3fU);
    }
    at += length;
    return c;
}

std::string upperCase(std::string text) {
    for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return text;
}

}  // namespace

size_t displayWidth(const std::string& text) {
    size_t width = 0;
    for (size_t at = 0; at < text.size();) {
        const char32_t c = nextCharacter(text, at);
        if (contains(kZeroWidth, c)) continue;
        width += contains(kDoubleWidth, c) ? 2 : 1;
    }
    return width;
}

std::string printable(const std::string& text) {
    std::string result;
    for (size_t at = 0; at < text.size();) {
        const size_t start = at;
        const char32_t c = nextCharacter(text, at);
        const bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
        result += control ? "?" : text.substr(start, at - start);
    }
    return result;
}

Table::Table(std::vector<std::string> headers) : headers_(std::move(headers)), widths_(headers_.size()) {
    for (std::string& header : headers_) header = upperCase(std::move(header));
    widen(headers_);
}

void Table::addRow(std::vector<std::string> cells) {
    cells.resize(headers_.size());
    for (std::string& cell : cells) cell = printable(cell);
    widen(cells);
    rows_.push_back(std::move(cells));
}

void Table::print(std::ostream& out, bool colour) {
    out << (colour ? kBold : "") << line(headers_) << (colour ? kPlain : "") << '\n';
    for (const auto& row : rows_) out << line(row) << '\n';
    rows_.clear();
}

void Table::printNext(std::ostream& out, std::vector<std::string> cells) {
    addRow(std::move(cells));
    out << line(rows_.back()) << '\n';
    rows_.clear();
}

void Table::widen(const std::vector<std::string>& cells) {
    for (size_t i = 0; i < cells.size(); ++i) widths_[i] = std::max(widths_[i], displayWidth(cells[i]));
}

std::string Table::line(const std::vector<std::string>& cells) const {
    std::string text;
    for (size_t i = 0; i < cells.size(); ++i) {
        text += cells[i];
        text.append(widths_[i] - displayWidth(cells[i]) + kGap, ' ');
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
}

}  // namespace homeslice::ctl
