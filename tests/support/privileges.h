// What privileged tests need; a skip is loud, and a failure where tests must run.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace homeslice::testing_support {

inline bool testsMustRun() {
    const char* value = std::getenv("HOMESLICE_TESTS_MUST_RUN");
    return value != nullptr && std::string(value) == "1";
}

}  // namespace homeslice::testing_support

// First line of a test (or SetUp) that needs root: skips with the reason, or fails under HOMESLICE_TESTS_MUST_RUN=1.
#define HS_REQUIRE_ROOT()                                                                                      \
    do {                                                                                                       \
        if (::geteuid() != 0) {                                                                                \
            if (::homeslice::testing_support::testsMustRun()) FAIL() << "needs root, and tests must run here"; \
            GTEST_SKIP() << "needs root: run tests/run as root";                                               \
        }                                                                                                      \
    } while (false)
