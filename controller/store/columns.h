// A row as the stores see it: texts and integers in the order of its table's columns, whatever keeps them.
#pragma once

#include <cstdint>
#include <string>

namespace homeslice::controller {

class ColumnWriter {
public:
    virtual ~ColumnWriter() = default;

    ColumnWriter& bind(const std::string& value) {
        put(value);
        return *this;
    }
    ColumnWriter& bind(int64_t value) {
        put(value);
        return *this;
    }
    ColumnWriter& bind(uint64_t value) { return bind(static_cast<int64_t>(value)); }
    ColumnWriter& bind(uint32_t value) { return bind(static_cast<int64_t>(value)); }

private:
    virtual void put(const std::string& value) = 0;
    virtual void put(int64_t value) = 0;
};

// Each call takes the next column. What is missing or of another type reads as "" or 0; whoever keeps the row knows
// whether that happened.
class ColumnReader {
public:
    virtual ~ColumnReader() = default;

    virtual std::string text() = 0;
    virtual int64_t integer() = 0;
    uint64_t unsignedInteger() { return static_cast<uint64_t>(integer()); }
    // Of the values that come from 32-bit ones.
    uint32_t small() { return static_cast<uint32_t>(integer()); }
};

}  // namespace homeslice::controller
