// A row as JSON text, ["web",2,"node1"], for stores that keep keys and values.
#pragma once

#include <absl/status/statusor.h>

#include <nlohmann/json.hpp>
#include <string>

#include "controller/store/columns.h"

namespace homeslice::controller {

class JsonRowWriter : public ColumnWriter {
public:
    std::string toString() const;
    // The first `columns` of them with slashes between: "web/2".
    std::string key(int columns) const;

private:
    void put(const std::string& value) override { row_.push_back(value); }
    void put(int64_t value) override { row_.push_back(value); }

    nlohmann::json row_ = nlohmann::json::array();
};

class JsonRowReader : public ColumnReader {
public:
    // DATA_LOSS unless `text` is an array of texts and integers.
    static absl::StatusOr<JsonRowReader> parse(const std::string& text);

    std::string text() override;
    int64_t integer() override;
    // DATA_LOSS unless every column was read, and as what it is.
    absl::Status finish() const;

    // The row's columns, from the one that is to be read next.
    bool atEnd() const { return next_ == row_.size(); }
    bool nextIsText() const { return !atEnd() && row_[next_].is_string(); }

private:
    explicit JsonRowReader(nlohmann::json row) : row_(std::move(row)) {}

    nlohmann::json row_;
    size_t next_ = 0;
    bool good_ = true;
};

}  // namespace homeslice::controller
