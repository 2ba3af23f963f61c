#include "noded/mobility/binding_error_message.h"

#include <gtest/gtest.h>

namespace homeslice::mobility {
namespace {

const Ipv6Address kHome = Ipv6Address::parse("fd51:1ce:0:1::1:2").value();

TEST(BindingErrorMessage, IsAsTheRfcDrawsIt) {
    const std::string message = encodeBindingError(kHome);
    const std::string expected("\x3b\x02\x07\x00\x00\x00\x01\x00", 8);
    EXPECT_EQ(message, expected + kHome.toBytes());
    EXPECT_EQ(decodeBindingError(message), kHome);
}

TEST(BindingErrorMessage, OthersAreNone) {
    const std::string message = encodeBindingError(kHome);
    EXPECT_FALSE(decodeBindingError(""));
    for (size_t size = 0; size < message.size(); ++size) EXPECT_FALSE(decodeBindingError(message.substr(0, size)));
    EXPECT_FALSE(decodeBindingError(message + std::string(8, '\0')));
    for (const size_t at : {0U, 1U, 2U, 6U}) {
        std::string other = message;
        other[at] = static_cast<char>(other[at] + 1);
        EXPECT_FALSE(decodeBindingError(other)) << at;
    }
}

}  // namespace
}  // namespace homeslice::mobility
