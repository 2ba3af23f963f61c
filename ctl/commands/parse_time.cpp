#include "ctl/commands/parse_time.h"

#include <chrono>
#include <optional>

#include "base/status.h"
#include "ctl/commands/parse.h"

namespace homeslice::ctl {
namespace {

using std::chrono::microseconds;

// Reads a text from its front on.
class Reader {
public:
    explicit Reader(const std::string& text) : text_(text) {}

    // A number of exactly `digits` digits, at most `most`.
    std::optional<int> number(size_t digits, int most) {
        int value = 0;
        for (size_t i = 0; i < digits; ++i, ++at_) {
            if (!isDigit()) return std::nullopt;
            value = value * 10 + (text_[at_] - '0');
        }
        return value <= most ? std::optional(value) : std::nullopt;
    }
    // One of these characters.
    bool skip(const std::string& accepted) {
        if (atEnd() || accepted.find(text_[at_]) == std::string::npos) return false;
        ++at_;
        return true;
    }
    // The microseconds of the decimals; further ones are dropped.
    std::optional<microseconds> decimals() {
        if (!isDigit()) return std::nullopt;
        int64_t value = 0;
        for (int64_t unit = 100'000; isDigit(); unit /= 10, ++at_) value += unit * (text_[at_] - '0');
        return microseconds(value);
    }
    bool atEnd() const { return at_ == text_.size(); }
    char last() const { return text_[at_ - 1]; }

private:
    bool isDigit() const { return !atEnd() && text_[at_] >= '0' && text_[at_] <= '9'; }

    const std::string& text_;
    size_t at_ = 0;
};

std::optional<std::chrono::sys_days> readDate(Reader& reader) {
    const auto year = reader.number(4, 9999);
    if (!year || !reader.skip("-")) return std::nullopt;
    const auto month = reader.number(2, 12);
    if (!month || !reader.skip("-")) return std::nullopt;
    const auto day = reader.number(2, 31);
    if (!day) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) return std::nullopt;
    return std::chrono::sys_days(date);
}

// "03:04:05.678"; a leap second is the next one.
std::optional<microseconds> readTimeOfDay(Reader& reader) {
    const auto hour = reader.number(2, 23);
    if (!hour || !reader.skip(":")) return std::nullopt;
    const auto minute = reader.number(2, 59);
    if (!minute || !reader.skip(":")) return std::nullopt;
    const auto second = reader.number(2, 60);
    if (!second) return std::nullopt;
    const auto decimals = reader.skip(".") ? reader.decimals() : microseconds(0);
    if (!decimals) return std::nullopt;
    return std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second) + *decimals;
}

// "Z", "+02:00".
std::optional<std::chrono::minutes> readOffset(Reader& reader) {
    if (reader.skip("Zz")) return std::chrono::minutes(0);
    if (!reader.skip("+-")) return std::nullopt;
    const int sign = reader.last() == '-' ? -1 : 1;
    const auto hours = reader.number(2, 23);
    if (!hours || !reader.skip(":")) return std::nullopt;
    const auto minutes = reader.number(2, 59);
    if (!minutes) return std::nullopt;
    return sign * (std::chrono::hours(*hours) + std::chrono::minutes(*minutes));
}

std::optional<Utc::time_point> readRfc3339(const std::string& text) {
    Reader reader(text);
    const auto date = readDate(reader);
    if (!date || !reader.skip("Tt ")) return std::nullopt;
    const auto time_of_day = readTimeOfDay(reader);
    if (!time_of_day) return std::nullopt;
    const auto offset = readOffset(reader);
    if (!offset || !reader.atEnd()) return std::nullopt;
    return *date + *time_of_day - *offset;
}

}  // namespace

absl::StatusOr<Utc::time_point> parseTime(const std::string& option, const std::string& text, Utc::time_point now) {
    if (const auto time = readRfc3339(text)) return *time;
    if (const auto before = parseDuration(option, text); before.ok()) return now - *before;
    return invalidArgument(option + " '" + text.substr(0, 60) +
                           "' is not valid: use a time such as 2026-01-02T03:04:05Z, or how long ago, such as 10m");
}

absl::StatusOr<Utc::time_point> parseFuture(const std::string& option, const std::string& text, Utc::time_point now) {
    if (const auto time = readRfc3339(text)) return *time;
    if (const auto after = parseDuration(option, text); after.ok()) return now + *after;
    return invalidArgument(option + " '" + text.substr(0, 60) +
                           "' is not valid: use a time such as 2026-01-02T03:04:05Z, or how long from now, such as 2h");
}

}  // namespace homeslice::ctl
