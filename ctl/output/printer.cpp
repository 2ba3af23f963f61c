#include "ctl/output/printer.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/clock.h"
#include "ctl/output/table.h"
#include "ctl/output/units.h"

namespace homeslice::ctl {
namespace {

constexpr const char* kNothing = "-";

const Value& fieldOf(const Value& row, const std::string& field) {
    static const Value kNull;
    if (!row.is_object()) return kNull;
    if (field.empty()) return row;
    if (field.starts_with('/')) {
        const Value::json_pointer pointer(field);
        return row.contains(pointer) ? row.at(pointer) : kNull;
    }
    const auto found = row.find(field);
    return found == row.end() ? kNull : *found;
}

std::vector<Column> shownOf(const std::vector<Column>& columns, OutputFormat format) {
    std::vector<Column> shown;
    std::copy_if(columns.begin(), columns.end(), std::back_inserter(shown),
                 [&](const Column& column) { return !column.wide_only || format == OutputFormat::wide; });
    return shown;
}

std::vector<std::string> headersOf(const std::vector<Column>& columns) {
    std::vector<std::string> headers;
    for (const Column& column : columns) headers.push_back(column.header);
    return headers;
}

std::string cellOf(const Column& column, const Value& row) {
    return (column.show == nullptr ? showPlain : column.show)(fieldOf(row, column.field));
}

void emit(YAML::Emitter& yaml, const Value& value) {
    switch (value.type()) {
        case Value::value_t::object:
            yaml << YAML::BeginMap;
            for (const auto& [key, member] : value.items()) {
                yaml << YAML::Key << key << YAML::Value;
                emit(yaml, member);
            }
            yaml << YAML::EndMap;
            return;
        case Value::value_t::array:
            if (value.empty()) yaml << YAML::Flow;
            yaml << YAML::BeginSeq;
            for (const Value& member : value) emit(yaml, member);
            yaml << YAML::EndSeq;
            return;
        // Quoted always: yaml-cpp would write the text "yes" or "12" as it is, and readers would take another type.
        case Value::value_t::string:
            yaml << YAML::DoubleQuoted << value.get<std::string>();
            return;
        case Value::value_t::null:
            yaml << YAML::Null;
            return;
        default:
            yaml << value.dump();
    }
}

// Replaces what is not UTF-8 instead of throwing: names come from elsewhere.
std::string jsonText(const Value& tree) { return tree.dump(2, ' ', false, Value::error_handler_t::replace); }

bool isTree(OutputFormat format) { return format == OutputFormat::json || format == OutputFormat::yaml; }

template <typename Show>
std::string numberOrNothing(const Value& cell, Show show) {
    return cell.is_number() ? show(cell) : kNothing;
}

}  // namespace

std::string showPlain(const Value& cell) {
    if (cell.is_null()) return kNothing;
    if (cell.is_boolean()) return cell.get<bool>() ? "yes" : "no";
    if (cell.is_string()) return cell.get<std::string>().empty() ? kNothing : cell.get<std::string>();
    if (!cell.is_array()) return cell.dump(-1, ' ', false, Value::error_handler_t::replace);
    std::string joined;
    for (const Value& member : cell) joined += (joined.empty() ? "" : ",") + showPlain(member);
    return joined.empty() ? kNothing : joined;
}

std::string showBytes(const Value& cell) {
    return numberOrNothing(cell, [](const Value& v) { return humanBytes(v.get<uint64_t>()); });
}

std::string showLimitBytes(const Value& cell) { return cell == Value(0) ? kNothing : showBytes(cell); }

std::string showLimit(const Value& cell) { return cell == Value(0) ? kNothing : showPlain(cell); }

std::string showLimitBitRate(const Value& cell) {
    if (cell == Value(0)) return kNothing;
    return numberOrNothing(cell, [](const Value& v) { return humanBitRate(v.get<uint64_t>()); });
}

std::string showCpuMillis(const Value& cell) {
    if (cell == Value(0)) return kNothing;
    return numberOrNothing(cell, [](const Value& v) { return fmt::format("{:g}", v.get<double>() / 1000); });
}

std::string showAge(const Value& cell) {
    if (!cell.is_string()) return kNothing;
    const auto time = parseUtc(cell.get<std::string>());
    return time ? humanAge(*time, Utc::now()) : kNothing;
}

std::string showSeconds(const Value& cell) {
    return numberOrNothing(cell, [](const Value& v) { return humanDuration(std::chrono::seconds(v.get<int64_t>())); });
}

void printTree(const Io& io, OutputFormat format, const Value& tree) {
    if (format != OutputFormat::yaml) {
        io.out << jsonText(tree) << '\n' << std::flush;
        return;
    }
    YAML::Emitter yaml;
    yaml.SetNullFormat(YAML::LowerNull);
    // A round trip makes every string valid UTF-8, which the emitter insists on.
    emit(yaml, Value::parse(jsonText(tree)));
    io.out << yaml.c_str() << '\n' << std::flush;
}

LiveList::LiveList(const Io& io, OutputFormat format, const std::vector<Column>& columns)
    : io_(io), columns_(shownOf(columns, format)), table_(headersOf(columns_)) {}

void LiveList::begin(const Value& rows) {
    for (const Value& row : rows) table_.addRow(cellsOf(row));
    table_.print(io_.out, io_.colour);
    io_.out << std::flush;
}

void LiveList::add(const Value& row) {
    table_.printNext(io_.out, cellsOf(row));
    io_.out << std::flush;
}

void LiveList::addGone(const std::string& name) {
    table_.printNext(io_.out, {name, "(gone)"});
    io_.out << std::flush;
}

std::vector<std::string> LiveList::cellsOf(const Value& row) const {
    std::vector<std::string> cells;
    for (const Column& column : columns_) cells.push_back(cellOf(column, row));
    return cells;
}

void printList(const Io& io, OutputFormat format, const std::vector<Column>& columns, const Value& rows) {
    if (isTree(format)) return printTree(io, format, rows);
    LiveList(io, format, columns).begin(rows);
}

void printObject(const Io& io, OutputFormat format, const std::vector<Column>& columns, const Value& object) {
    if (isTree(format)) return printTree(io, format, object);
    std::vector<std::pair<std::string, std::string>> lines;
    size_t width = 0;
    for (const Column& column : columns) {
        const std::string cell = cellOf(column, object);
        if (column.only_if_any && cell == kNothing) continue;
        lines.emplace_back(column.header, cell);
        width = std::max(width, displayWidth(column.header));
    }
    for (const auto& [header, cell] : lines) {
        const std::string padding(width - displayWidth(header) + 2, ' ');
        io.out << header << ':' << padding << printable(cell) << '\n';
    }
    io.out << std::flush;
}

}  // namespace homeslice::ctl
