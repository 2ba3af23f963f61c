#include "noded/names/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "noded/names/test_table.h"

namespace homeslice::names {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kReverseZone = "0.0.0.0.e.c.1.0.1.5.d.f.ip6.arpa.";

const Records& records() {
    static const Records kRecords(exampleTable(), addressOf("fd00::a0a0"));
    return kRecords;
}

Reply ask(const std::string& query, Audience audience = Audience::outsiders) {
    return answer(records(), query, audience, Transport::udp);
}

// What came of a question.
struct Outcome {
    Message message{nullptr, ldns_pkt_free};
    int code() const { return ldns_pkt_get_rcode(message.get()); }
    bool isAuthoritative() const { return ldns_pkt_aa(message.get()); }
    std::string answer() const { return firstOf(ldns_pkt_answer(message.get())); }
    std::string authority() const { return firstOf(ldns_pkt_authority(message.get())); }
};

Outcome ask(const std::string& name, ldns_rr_type type, Audience audience = Audience::outsiders) {
    const Reply reply = ask(wireOf(makeQuery(name, type).get()), audience);
    EXPECT_EQ(reply.verdict, Verdict::answer) << name;
    return {parsed(reply.message)};
}

std::string reverse(const std::string& address) {
    std::string name;
    const std::string digits = digitsOf(addressOf(address));
    for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) name += std::string(1, *digit) + ".";
    return name + "ip6.arpa.";
}

TEST(Answer, SlicesAndSliversHaveAddresses) {
    EXPECT_EQ(ask("web.slivers.internal.", LDNS_RR_TYPE_AAAA).answer(), "IN AAAA fd51:1ce:0:1::1");
    EXPECT_EQ(ask("2.web.slivers.internal.", LDNS_RR_TYPE_AAAA).answer(), "IN AAAA fd51:1ce:0:1::1:2");
    EXPECT_EQ(ask("2.WEB.Slivers.INTERNAL.", LDNS_RR_TYPE_AAAA).answer(), "IN AAAA fd51:1ce:0:1::1:2");
    EXPECT_EQ(ask("web.slivers.internal.", LDNS_RR_TYPE_ANY).answer(), "IN AAAA fd51:1ce:0:1::1");
    EXPECT_TRUE(ask("web.slivers.internal.", LDNS_RR_TYPE_AAAA).isAuthoritative());
}

TEST(Answer, AnswersCarryTheQuestionAsItWasWritten) {
    const std::string query = wireOf(makeQuery("2.wEb.slivers.internal.", LDNS_RR_TYPE_AAAA).get());
    const std::string reply = ask(query).message;
    EXPECT_EQ(reply.substr(0, 2), query.substr(0, 2));
    EXPECT_THAT(reply, HasSubstr("wEb"));
}

TEST(Answer, AddressesHaveNames) {
    EXPECT_EQ(ask(reverse("fd51:1ce:0:1::1:2"), LDNS_RR_TYPE_PTR).answer(), "IN PTR 2.web.slivers.internal.");
    EXPECT_EQ(ask(reverse("fd51:1ce:0:2::1"), LDNS_RR_TYPE_PTR).answer(), "IN PTR db.slivers.internal.");
    const Outcome unknown = ask(reverse("fd51:1ce:0:1::1:3"), LDNS_RR_TYPE_PTR);
    EXPECT_EQ(unknown.code(), LDNS_RCODE_NXDOMAIN);
    EXPECT_THAT(unknown.authority(), StartsWith("IN SOA"));
    EXPECT_EQ(ask(reverse("2001:db8::1"), LDNS_RR_TYPE_PTR).code(), LDNS_RCODE_REFUSED);
}

// RFC 8020: a name above others is there, though it has no records.
TEST(Answer, NamesAboveAddressesExist) {
    const std::string whole = reverse("fd51:1ce:0:1::1:2");
    EXPECT_EQ(ask(whole.substr(8), LDNS_RR_TYPE_PTR).code(), LDNS_RCODE_NOERROR);
    EXPECT_EQ(ask(kReverseZone, LDNS_RR_TYPE_SOA).code(), LDNS_RCODE_NOERROR);
    EXPECT_THAT(ask(kReverseZone, LDNS_RR_TYPE_SOA).answer(), StartsWith("IN SOA dns.ns.slivers.internal."));
    EXPECT_EQ(ask("f." + std::string(kReverseZone), LDNS_RR_TYPE_PTR).code(), LDNS_RCODE_NXDOMAIN);
    EXPECT_EQ(ask("1.5.d.f.ip6.arpa.", LDNS_RR_TYPE_PTR).code(), LDNS_RCODE_REFUSED);
}

TEST(Answer, WhatIsNotThereIsDeniedWithTheZonesSoa) {
    for (const char* name :
         {"mail.slivers.internal.", "3.web.slivers.internal.", "02.web.slivers.internal.", "0.web.slivers.internal.",
          "x.2.web.slivers.internal.", "-1.web.slivers.internal.", "99999999999.web.slivers.internal."}) {
        const Outcome outcome = ask(name, LDNS_RR_TYPE_AAAA);
        EXPECT_EQ(outcome.code(), LDNS_RCODE_NXDOMAIN) << name;
        EXPECT_EQ(outcome.answer(), "") << name;
        EXPECT_THAT(outcome.authority(), HasSubstr(" 42 ")) << name;
    }
    const Outcome no_ipv4 = ask("web.slivers.internal.", LDNS_RR_TYPE_A);
    EXPECT_EQ(no_ipv4.code(), LDNS_RCODE_NOERROR);
    EXPECT_EQ(no_ipv4.answer(), "");
    EXPECT_THAT(no_ipv4.authority(), StartsWith("IN SOA"));
}

TEST(Answer, TheZoneHasAServerThatIsThere) {
    EXPECT_EQ(ask("slivers.internal.", LDNS_RR_TYPE_NS).answer(), "IN NS dns.ns.slivers.internal.");
    EXPECT_EQ(ask("dns.ns.slivers.internal.", LDNS_RR_TYPE_AAAA).answer(), "IN AAAA fd00::a0a0");
    EXPECT_EQ(ask("ns.slivers.internal.", LDNS_RR_TYPE_AAAA).code(), LDNS_RCODE_NOERROR);
    EXPECT_THAT(ask("slivers.internal.", LDNS_RR_TYPE_SOA).answer(), HasSubstr(" 42 "));
}

TEST(Answer, SliversMayLeaveTheDomainOut) {
    EXPECT_EQ(ask("2.web.", LDNS_RR_TYPE_AAAA, Audience::slivers).answer(), "IN AAAA fd51:1ce:0:1::1:2");
    EXPECT_EQ(ask("web.", LDNS_RR_TYPE_AAAA, Audience::slivers).answer(), "IN AAAA fd51:1ce:0:1::1");
    EXPECT_EQ(ask("2.web.", LDNS_RR_TYPE_AAAA).code(), LDNS_RCODE_REFUSED);
    EXPECT_EQ(ask("mail.", LDNS_RR_TYPE_AAAA, Audience::slivers).code(), LDNS_RCODE_NXDOMAIN);
}

TEST(Answer, TheRestOfTheWorldIsForwardedForSliversAndRefusedToOutsiders) {
    for (const char* name : {"example.com.", "www.web.", "9.dev.", "internal.", "."}) {
        const std::string query = wireOf(makeQuery(name, LDNS_RR_TYPE_NS).get());
        EXPECT_EQ(ask(query, Audience::slivers).verdict, Verdict::forward) << name;
        EXPECT_EQ(ask(name, LDNS_RR_TYPE_NS).code(), LDNS_RCODE_REFUSED) << name;
    }
    EXPECT_EQ(ask("slivers.internal.", LDNS_RR_TYPE_AXFR, Audience::slivers).code(), LDNS_RCODE_REFUSED);
    const auto chaos = makeQuery("version.bind.", LDNS_RR_TYPE_TXT, LDNS_RR_CLASS_CH);
    EXPECT_EQ(ldns_pkt_get_rcode(parsed(ask(wireOf(chaos.get()), Audience::slivers).message).get()),
              LDNS_RCODE_REFUSED);
}

TEST(Answer, EdnsIsAnsweredWithEdns) {
    const auto query = makeQuery("web.slivers.internal.", LDNS_RR_TYPE_AAAA);
    EXPECT_FALSE(ldns_pkt_edns(parsed(ask(wireOf(query.get())).message).get()));
    ldns_pkt_set_edns_udp_size(query.get(), 4096);
    ldns_pkt_set_edns_do(query.get(), true);
    const Message reply = parsed(ask(wireOf(query.get())).message);
    EXPECT_EQ(ldns_pkt_edns_udp_size(reply.get()), kUdpBytes);
    EXPECT_TRUE(ldns_pkt_edns_do(reply.get()));
    ldns_pkt_set_edns_version(query.get(), 1);
    const Message refused = parsed(ask(wireOf(query.get())).message);
    EXPECT_EQ(ldns_pkt_edns_extended_rcode(refused.get()), 1) << "BADVERS is 16: 1 in the upper eight bits";
    EXPECT_EQ(firstOf(ldns_pkt_answer(refused.get())), "");
}

TEST(Answer, WhatIsNoQuestionGetsNoAnswer) {
    EXPECT_EQ(ask("").verdict, Verdict::ignore);
    EXPECT_EQ(ask(std::string(11, '\0')).verdict, Verdict::ignore);
    const auto response = makeQuery("web.slivers.internal.", LDNS_RR_TYPE_AAAA);
    ldns_pkt_set_qr(response.get(), true);
    EXPECT_EQ(ask(wireOf(response.get())).verdict, Verdict::ignore);
    EXPECT_EQ(truncated(wireOf(response.get())), "");
    EXPECT_EQ(serverFailure("x"), "");
}

TEST(Answer, OddQuestionsAreRefusedByTheirCode) {
    const auto update = makeQuery("slivers.internal.", LDNS_RR_TYPE_SOA);
    ldns_pkt_set_opcode(update.get(), LDNS_PACKET_UPDATE);
    EXPECT_EQ(ldns_pkt_get_rcode(parsed(ask(wireOf(update.get())).message).get()), LDNS_RCODE_NOTIMPL);
    const std::string none(12, '\0');
    EXPECT_EQ(ldns_pkt_get_rcode(parsed(ask(none).message).get()), LDNS_RCODE_FORMERR);
    const std::string cut = wireOf(makeQuery("web.slivers.internal.", LDNS_RR_TYPE_AAAA).get()).substr(0, 20);
    const std::string reply = ask(cut).message;
    ASSERT_EQ(reply.size(), 12U);
    EXPECT_EQ(reply.substr(0, 2), cut.substr(0, 2));
    EXPECT_EQ(reply[3] & 15, LDNS_RCODE_FORMERR);
}

// Nothing that comes makes us send more than a question's worth, or fall.
TEST(Answer, MutilatedQuestionsDoNoHarm) {
    std::mt19937 random(20'061'121);
    const auto base = makeQuery("2.web.slivers.internal.", LDNS_RR_TYPE_AAAA);
    ldns_pkt_set_edns_udp_size(base.get(), 1232);
    const std::string good = wireOf(base.get());
    for (int round = 0; round < 50'000; ++round) {
        std::string query = good.substr(0, 1 + random() % good.size());
        for (unsigned changes = random() % 4; changes > 0; --changes) {
            query[random() % query.size()] = static_cast<char>(random());
        }
        for (const Audience audience : {Audience::slivers, Audience::outsiders}) {
            EXPECT_LE(ask(query, audience).message.size(), 512U);
        }
        EXPECT_LE(truncated(query).size(), query.size() + 512);
    }
}

TEST(Answer, ALongResponseIsTruncatedForWhoCannotTakeIt) {
    const auto query = makeQuery("example.com.", LDNS_RR_TYPE_TXT);
    const std::string plain = wireOf(query.get());
    std::string response = plain + std::string(700, 'x');
    response[0] = 'o';
    const Message cut = parsed(passOn(response, plain, Transport::udp));
    EXPECT_TRUE(ldns_pkt_tc(cut.get()));
    EXPECT_EQ(ldns_pkt_id(cut.get()), 4711);
    EXPECT_EQ(passOn(response, plain, Transport::tcp).size(), response.size());
    EXPECT_EQ(passOn(response, plain, Transport::tcp).substr(0, 2), plain.substr(0, 2));
    ldns_pkt_set_edns_udp_size(query.get(), 1232);
    EXPECT_EQ(passOn(response, wireOf(query.get()), Transport::udp).size(), response.size());
}

}  // namespace
}  // namespace homeslice::names
