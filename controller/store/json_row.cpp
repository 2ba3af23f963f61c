#include "controller/store/json_row.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace homeslice::controller {
namespace {

using Json = nlohmann::json;

bool isColumn(const Json& value) { return value.is_string() || value.is_number_integer(); }

}  // namespace

// Text from nodes and users need not be UTF-8; what is not is replaced rather than refused.
std::string JsonRowWriter::toString() const { return row_.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string JsonRowWriter::key(int columns) const {
    std::string key;
    for (int i = 0; i < columns; ++i) {
        const Json& column = row_[static_cast<size_t>(i)];
        key += (i == 0 ? "" : "/") +
               (column.is_string() ? column.get<std::string>() : std::to_string(column.get<int64_t>()));
    }
    return key;
}

absl::StatusOr<JsonRowReader> JsonRowReader::parse(const std::string& text) {
    Json row = Json::parse(text, nullptr, false);
    if (row.is_array() && std::all_of(row.begin(), row.end(), isColumn)) return JsonRowReader(std::move(row));
    return dataLoss("'" + text.substr(0, 60) + "' is no row");
}

std::string JsonRowReader::text() {
    if (nextIsText()) return row_[next_++].get<std::string>();
    good_ = false;
    return "";
}

int64_t JsonRowReader::integer() {
    if (!atEnd() && !nextIsText()) return row_[next_++].get<int64_t>();
    good_ = false;
    return 0;
}

absl::Status JsonRowReader::finish() const {
    if (good_ && atEnd()) return absl::OkStatus();
    return dataLoss("a row has other columns than it should: " + row_.dump().substr(0, 60));
}

}  // namespace homeslice::controller
