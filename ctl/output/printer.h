// Prints a value tree in the format that the user asked for.
#pragma once

#include <string>
#include <vector>

#include "ctl/output/io.h"
#include "ctl/output/table.h"
#include "ctl/output/value.h"

namespace homeslice::ctl {

enum class OutputFormat { table, wide, json, yaml };

// One column of a list, or one line of a single object.
struct Column {
    std::string header;
    std::string field;  // of the row; a JSON pointer when it starts with '/'; empty: the row
    std::string (*show)(const Value& cell) = nullptr;  // default: showPlain
    bool wide_only = false;                            // shown by -o wide (and always for a single object)
    bool only_if_any = false;                          // of a single object: no line for nothing
};

// Text as it is, numbers in decimal, true and false as "yes" and "no", null and "" as "-", arrays joined by ",".
std::string showPlain(const Value& cell);
// Bytes as "128M".
std::string showBytes(const Value& cell);
// A limit in bytes: as showBytes, 0 as "-" (none).
std::string showLimitBytes(const Value& cell);
// A limit that counts: 0 as "-" (none).
std::string showLimit(const Value& cell);
// A limit in bits a second as "100M"; 0 as "-" (none).
std::string showLimitBitRate(const Value& cell);
// Thousandths of a CPU as "1.5"; 0 as "-" (no limit).
std::string showCpuMillis(const Value& cell);
// An RFC 3339 time as the time since then, "5m"; or until then, "in 6d".
std::string showAge(const Value& cell);
// Seconds as "5m".
std::string showSeconds(const Value& cell);

// A list that goes on after it was printed. For the table formats.
class LiveList {
public:
    LiveList(const Io& io, OutputFormat format, const std::vector<Column>& columns);
    // The header, and what is there to begin with.
    void begin(const Value& rows);
    void add(const Value& row);
    // A row of which nothing is left but its name.
    void addGone(const std::string& name);

private:
    std::vector<std::string> cellsOf(const Value& row) const;

    const Io& io_;
    std::vector<Column> columns_;
    Table table_;
};

// `rows` is an array of objects.
void printList(const Io& io, OutputFormat format, const std::vector<Column>& columns, const Value& rows);
// One object: a line per column in the table formats, the whole tree otherwise.
void printObject(const Io& io, OutputFormat format, const std::vector<Column>& columns, const Value& object);
// The tree as it is, JSON unless the format is YAML; ends with a newline.
void printTree(const Io& io, OutputFormat format, const Value& tree);

}  // namespace homeslice::ctl
