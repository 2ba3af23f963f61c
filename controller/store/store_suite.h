// What every store must do, whatever it is made of: a program instantiates StoreSuite with its kinds of stores.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "controller/store/store.h"

namespace homeslice::controller::testing_support {

// One state, opened again and again.
class StoreHome {
public:
    virtual ~StoreHome() = default;
    // As after a restart: what was opened before is not used any more.
    virtual std::unique_ptr<DurableStore> open() = 0;
};

struct StoreKind {
    std::string name;
    std::function<std::unique_ptr<StoreHome>()> make;
    bool needs_root = false;
};

class StoreSuite : public ::testing::TestWithParam<StoreKind> {
protected:
    void SetUp() override;
    // Loaded, as the core does before all else.
    std::unique_ptr<DurableStore> open() const;

private:
    std::unique_ptr<StoreHome> home_;
};

inline std::string kindName(const ::testing::TestParamInfo<StoreKind>& info) { return info.param.name; }

Slice testSlice(const std::string& name, uint32_t number);
// One of everything, every field other than its default.
Changes everything();
// A slice of `slivers`.
Changes large(uint32_t slivers);

}  // namespace homeslice::controller::testing_support
