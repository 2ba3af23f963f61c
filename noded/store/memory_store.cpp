#include <mutex>

#include "noded/store/key_value_store.h"

namespace homeslice::store {
namespace {

class MemoryStore : public KeyValueStore {
public:
    absl::Status put(const std::string& table, const std::string& key, const std::string& value) override {
        const std::lock_guard lock(mutex_);
        tables_[table][key] = value;
        return absl::OkStatus();
    }

    absl::Status erase(const std::string& table, const std::string& key) override {
        const std::lock_guard lock(mutex_);
        tables_[table].erase(key);
        return absl::OkStatus();
    }

    absl::StatusOr<std::map<std::string, std::string>> list(const std::string& table) override {
        const std::lock_guard lock(mutex_);
        return tables_[table];
    }

    absl::Status sync() override { return absl::OkStatus(); }

private:
    std::mutex mutex_;
    std::map<std::string, std::map<std::string, std::string>> tables_;
};

}  // namespace

std::unique_ptr<KeyValueStore> makeMemoryStore() { return std::make_unique<MemoryStore>(); }

}  // namespace homeslice::store
