#include "spec/wire/names.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/status.h"

namespace homeslice::wire {
namespace {

Ipv6Address address(const std::string& text) { return Ipv6Address::parse(text).value(); }

NameTable example() {
    return {.serial = 7,
            .domain = "slivers.internal",
            .home_prefix = Ipv6Prefix::parse("fd51:1ce::/48").value(),
            .slices = {{.slice = "web",
                        .address = address("fd51:1ce:0:1::1"),
                        .owner = "alice",
                        .slivers = {{.index = 1, .address = address("fd51:1ce:0:1::1:1")},
                                    {.index = 3, .count = 500, .address = address("fd51:1ce:0:1::1:3")}}},
                       {.slice = "old", .address = address("fd51:1ce:0:2::1"), .owner = "", .slivers = {}}}};
}

TEST(NamesOnTheWire, ComeBackAsTheyWere) {
    const auto back = nameTableOf(toMessage(example()));
    ASSERT_TRUE(back.ok()) << messageOf(back.status());
    EXPECT_EQ(*back, example());
}

TEST(NamesOnTheWire, MalformedTablesAreRefusedWhole) {
    const std::vector<std::pair<std::string, std::function<void(v1::NameTable&)>>> changes{
        {"no domain", [](auto& table) { table.clear_domain(); }},
        {"a top level domain", [](auto& table) { table.set_domain("internal"); }},
        {"a domain with a newline", [](auto& table) { table.set_domain("a\nb.internal"); }},
        {"a domain with an empty label", [](auto& table) { table.set_domain("a..internal"); }},
        {"a domain with a dot at its end", [](auto& table) { table.set_domain("slivers.internal."); }},
        {"no prefix", [](auto& table) { table.clear_home_prefix(); }},
        {"all addresses as prefix", [](auto& table) { table.set_home_prefix("::/0"); }},
        {"a slice name that is none", [](auto& table) { table.mutable_slices(0)->set_slice("Web.x"); }},
        {"an owner that is none", [](auto& table) { table.mutable_slices(0)->set_owner("a b"); }},
        {"a short address", [](auto& table) { table.mutable_slices(0)->set_address("fd"); }},
        {"an address outside",
         [](auto& table) { table.mutable_slices(0)->set_address(address("2001:db8::1").toBytes()); }},
        {"index 0", [](auto& table) { table.mutable_slices(0)->mutable_slivers(0)->set_index(0); }},
        {"a great index", [](auto& table) { table.mutable_slices(0)->mutable_slivers(0)->set_index(65536); }},
        {"a run beyond the last index",
         [](auto& table) { table.mutable_slices(0)->mutable_slivers(1)->set_count(65534); }},
        {"a run that begins in another",
         [](auto& table) { table.mutable_slices(0)->mutable_slivers(0)->set_count(3); }},
        {"a run that leaves its /64",
         [](auto& table) {
             table.mutable_slices(0)->mutable_slivers(1)->set_address(
                 address("fd51:1ce:0:1:ffff:ffff:ffff:ff00").toBytes());
         }},
    };
    for (const auto& [what, change] : changes) {
        v1::NameTable message = toMessage(example());
        change(message);
        EXPECT_EQ(nameTableOf(message).status().code(), absl::StatusCode::kInvalidArgument) << what;
    }
}

TEST(NamesOnTheWire, TheResolverIsWhereNoSliceIs) {
    EXPECT_EQ(resolverAddress(Ipv6Prefix::parse("fd51:1ce::/48").value()).toString(), "fd51:1ce::53");
}

}  // namespace
}  // namespace homeslice::wire
