// Rows of text with aligned columns. Widths count the columns of a terminal (UTF-8), not bytes.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace homeslice::ctl {

class Table {
public:
    // Headers are shown in upper case.
    explicit Table(std::vector<std::string> headers);

    // As many cells as headers; control characters in a cell are shown as '?'.
    void addRow(std::vector<std::string> cells);
    // Header and rows, each line without trailing blanks; `colour` makes the header bold.
    void print(std::ostream& out, bool colour);
    // A row below what was printed; columns keep their widths, or grow.
    void printNext(std::ostream& out, std::vector<std::string> cells);

private:
    void widen(const std::vector<std::string>& cells);
    std::string line(const std::vector<std::string>& cells) const;

    std::vector<std::string> headers_;
    std::vector<std::vector<std::string>> rows_;
    std::vector<size_t> widths_;
};

// The terminal columns that UTF-8 `text` takes (wcwidth(3) of a fixed, locale-free kind: wide East Asian characters and
// emoji count two, combining marks none, malformed bytes one).
size_t displayWidth(const std::string& text);
// `text` with control characters replaced by '?', so that no reason or name can move the cursor of a terminal.
std::string printable(const std::string& text);

}  // namespace homeslice::ctl
