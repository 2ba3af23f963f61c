// Rows as keys and values. Internal to the etcd store.
#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "controller/store/json_row.h"
#include "controller/store/tables.h"

namespace homeslice::controller::etcd {

// What a batch does, one act a key: etcd takes no key twice in a transaction. No value: the key goes.
using Acts = std::map<std::string, std::optional<std::string>>;

// A sink for writeRows().
class ActCollector {
public:
    // `data`: what the keys begin with.
    explicit ActCollector(std::string data) : data_(std::move(data)) {}

    template <typename T, typename Bind>
    absl::Status put(const Table& table, const std::vector<T>& values, Bind bind) {
        for (const T& value : values) {
            JsonRowWriter row;
            bind(row, value);
            acts_[keyOf(table, row)] = row.toString();
        }
        return absl::OkStatus();
    }
    template <typename Key>
    absl::Status erase(const Table& table, const std::vector<Key>& keys) {
        for (const Key& key : keys) {
            JsonRowWriter row;
            bindKey(row, key);
            acts_[keyOf(table, row)] = std::nullopt;
        }
        return absl::OkStatus();
    }

    Acts take() { return std::move(acts_); }

private:
    std::string keyOf(const Table& table, const JsonRowWriter& row) const {
        return data_ + table.name + "/" + row.key(table.key_columns);
    }

    const std::string data_;
    Acts acts_;
};

// All rows, by table.
using RowTexts = std::map<std::string, std::vector<std::string>>;

// A source for readRows().
class RowSource {
public:
    explicit RowSource(const RowTexts& texts) : texts_(texts) {}

    template <typename Read, typename Keep>
    absl::Status each(const Table& table, Read read, Keep keep) {
        const auto rows = texts_.find(table.name);
        if (rows == texts_.end()) return absl::OkStatus();
        for (const std::string& text : rows->second) {
            HS_ASSIGN_OR_RETURN_CTX(JsonRowReader row, JsonRowReader::parse(text), table.name);
            auto value = read(row);
            HS_RETURN_IF_ERROR_CTX(value.status(), table.name);
            HS_RETURN_IF_ERROR_CTX(row.finish(), table.name);
            keep(std::move(value).value());
        }
        return absl::OkStatus();
    }

private:
    const RowTexts& texts_;
};

// The tables of rows that an earlier version (schema.h) wrote, by the same steps that a SQLite file would go through.
absl::StatusOr<Snapshot> migratedRows(const RowTexts& texts, int64_t version);

}  // namespace homeslice::controller::etcd
