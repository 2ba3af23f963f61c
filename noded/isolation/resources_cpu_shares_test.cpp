#include "noded/isolation/resources_cpu_shares.h"

#include <gmock/gmock.h>

#include <numeric>
#include <random>

namespace homeslice::isolation {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Change = CpuShares::Change;

// What each group gets of `capacity` when all are busy, by the weights that were told.
class Node {
public:
    explicit Node(uint32_t capacity) : capacity_(capacity), shares_(capacity) {}
    void set(const std::string& group, const CpuShare& share) {
        weights_[group] = shares_.set(group, share);
        take();
    }
    void remove(const std::string& group) {
        shares_.remove(group);
        weights_.erase(group);
        take();
    }
    double millisOf(const std::string& group) const {
        double sum = 0;
        for (const auto& [name, weight] : weights_) sum += weight;
        return capacity_ * weights_.at(group) / sum;
    }
    const std::map<std::string, uint32_t>& weights() const { return weights_; }

private:
    void take() {
        for (const Change& change : shares_.takeChanges()) weights_[change.group] = change.weight;
    }
    const double capacity_;
    CpuShares shares_;
    std::map<std::string, uint32_t> weights_;
};

TEST(CpuSharesTest, WithoutReservationsWeightsAreAsGivenAndNobodyElseChanges) {
    CpuShares shares(2000);
    EXPECT_EQ(shares.set("a", {}), 100U);
    EXPECT_EQ(shares.set("b", {.weight = 10'000}), 10'000U);
    EXPECT_EQ(shares.set("c", {.weight = 1}), 1U);
    EXPECT_EQ(shares.set("a", {.weight = 50}), 50U);
    shares.remove("b");
    EXPECT_FALSE(shares.mayHaveChanged());
    EXPECT_THAT(shares.takeChanges(), IsEmpty());
}

TEST(CpuSharesTest, AReservationComesOnTopOfTheShareOfTheRest) {
    Node node(2000);
    node.set("reserved", {.reservation_millis = 1000});
    node.set("plain", {});
    EXPECT_NEAR(node.millisOf("reserved"), 1000 + 1000.0 / 2, 1);
    node.set("heavy", {.weight = 300});
    EXPECT_NEAR(node.millisOf("reserved"), 1000 + 1000.0 / 5, 1);
    EXPECT_NEAR(node.millisOf("heavy"), 1000 * 3.0 / 5, 1);
    EXPECT_EQ(node.weights().at("plain"), 100U) << "keeps what it was given";
}

TEST(CpuSharesTest, OnlyReservedOnesChangeWhenAnotherComesOrGoes) {
    CpuShares shares(1000);
    shares.set("a", {.reservation_millis = 500});
    shares.set("b", {});
    EXPECT_TRUE(shares.mayHaveChanged());
    EXPECT_THAT(shares.takeChanges(), ElementsAre(Change{"a", 300}));
    EXPECT_FALSE(shares.mayHaveChanged());
    EXPECT_EQ(shares.set("c", {}), 100U);
    EXPECT_THAT(shares.takeChanges(), ElementsAre(Change{"a", 400}));
    shares.remove("c");
    EXPECT_THAT(shares.takeChanges(), ElementsAre(Change{"a", 300}));
}

TEST(CpuSharesTest, WeightsBeyondTheKernelsComeDownTogetherAndUpAgain) {
    Node node(2000);
    for (int i = 0; i < 999; ++i) node.set("plain" + std::to_string(i), {});
    node.set("reserved", {.reservation_millis = 1000});
    EXPECT_EQ(node.weights().at("reserved"), 10'000U);
    EXPECT_GE(node.millisOf("reserved"), 1000);
    EXPECT_LT(node.weights().at("plain7"), 100U);
    node.remove("reserved");
    EXPECT_EQ(node.weights().at("plain7"), 100U);
}

TEST(CpuSharesTest, MoreThanThereIsGoesInProportion) {
    Node node(1000);
    node.set("a", {.reservation_millis = 2000});
    node.set("b", {.reservation_millis = 1000});
    node.set("c", {});
    EXPECT_NEAR(node.millisOf("a") / node.millisOf("b"), 2, 0.05);
    EXPECT_GT(node.millisOf("c"), 0);
    EXPECT_GT(node.millisOf("a"), 600);
}

TEST(CpuSharesTest, TheOrderOfComingDoesNotMatter) {
    Node one(4000);
    one.set("a", {.reservation_millis = 700});
    one.set("b", {.weight = 20});
    one.set("c", {.reservation_millis = 1, .weight = 5000});
    Node other(4000);
    other.set("c", {});
    other.set("b", {.weight = 20});
    other.set("x", {.reservation_millis = 3000});
    other.set("a", {.reservation_millis = 700});
    other.set("c", {.reservation_millis = 1, .weight = 5000});
    other.remove("x");
    EXPECT_EQ(one.weights(), other.weights());
}

TEST(CpuSharesTest, EveryReservationIsKeptInAnySetThatFits) {
    std::mt19937 random(1);
    const auto up_to = [&](uint32_t most) { return std::uniform_int_distribution<uint32_t>(0, most)(random); };
    for (int round = 0; round < 200; ++round) {
        const uint32_t capacity = 1000 * (1 + up_to(63));
        Node node(capacity);
        std::map<std::string, CpuShare> all;
        uint32_t left = capacity * 9 / 10;
        for (uint32_t i = 0; i <= up_to(40); ++i) {
            const uint32_t reservation = up_to(2) == 0 ? up_to(left / 2) : 0;
            left -= reservation;
            const std::string name = std::to_string(i);
            all[name] = {.reservation_millis = reservation, .weight = up_to(1) == 0 ? 0 : 1 + up_to(400)};
            node.set(name, all[name]);
        }
        for (const auto& [name, share] : all)
            EXPECT_GE(node.millisOf(name), share.reservation_millis * 0.99) << "round " << round << " group " << name;
    }
}

}  // namespace
}  // namespace homeslice::isolation
