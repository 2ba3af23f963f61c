#include "base/status.h"
#include "noded/store/key_value_store.h"

namespace homeslice::store {
namespace {

class FailingStore : public KeyValueStore {
public:
    absl::Status put(const std::string&, const std::string&, const std::string&) override { return failure(); }
    absl::Status erase(const std::string&, const std::string&) override { return failure(); }
    absl::StatusOr<std::map<std::string, std::string>> list(const std::string&) override { return failure(); }
    absl::Status sync() override { return failure(); }

private:
    static absl::Status failure() { return unavailable("the store fails, as it was made to"); }
};

}  // namespace

std::unique_ptr<KeyValueStore> makeFailingStore() { return std::make_unique<FailingStore>(); }

}  // namespace homeslice::store
