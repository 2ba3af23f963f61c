#include "noded/names/answer.h"

#include <ldns/ldns.h>

#include <algorithm>
#include <array>
#include <memory>

namespace homeslice::names {
namespace {

constexpr size_t kHeaderBytes = 12;
constexpr size_t kPlainUdpBytes = 512;
constexpr uint8_t kQuerysResponseBit = 0x80;  // of the third octet
constexpr uint8_t kOpcodeAndRecursionBits = 0x79;
constexpr uint8_t kEdnsBadVersion = 16;  // 12 bits, of which EDNS carries the upper 8
// Seconds that others may keep an answer.
const std::string kTimeToLive = "5";

struct FreePacket {
    void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
using Packet = std::unique_ptr<ldns_pkt, FreePacket>;

Packet parse(const std::string& message) {
    ldns_pkt* packet = nullptr;
    const auto* const bytes = reinterpret_cast<const uint8_t*>(message.data());
    if (ldns_wire2pkt(&packet, bytes, message.size()) != LDNS_STATUS_OK) return nullptr;
    return Packet(packet);
}

bool isResponse(const std::string& message) {
    return message.size() < kHeaderBytes || (static_cast<uint8_t>(message[2]) & kQuerysResponseBit) != 0;
}

// For what cannot be read beyond its header.
std::string formatError(const std::string& query) {
    std::string reply = query.substr(0, 4);
    reply[2] = static_cast<char>((static_cast<uint8_t>(query[2]) & kOpcodeAndRecursionBits) | kQuerysResponseBit);
    reply[3] = LDNS_RCODE_FORMERR;
    return reply + std::string(kHeaderBytes - reply.size(), '\0');
}

const ldns_rr* questionOf(const ldns_pkt* query) {
    const ldns_rr_list* const questions = ldns_pkt_question(query);
    return ldns_rr_list_rr_count(questions) == 1 ? ldns_rr_list_rr(questions, 0) : nullptr;
}

Labels labelsOf(const ldns_rdf* name) {
    Labels labels;
    const uint8_t* const bytes = ldns_rdf_data(name);
    for (size_t at = 0; at < ldns_rdf_size(name) && bytes[at] != 0; at += bytes[at] + 1U) {
        std::string& label = labels.emplace_back(reinterpret_cast<const char*>(bytes + at + 1), bytes[at]);
        for (char& c : label)
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return labels;
}

size_t limitOf(const ldns_pkt* query, Transport transport) {
    if (transport == Transport::tcp) return SIZE_MAX;
    return std::clamp<size_t>(ldns_pkt_edns_udp_size(query), kPlainUdpBytes, kUdpBytes);
}

// A response under construction, with the question and the EDNS of its query.
class Response {
public:
    explicit Response(const ldns_pkt* query) : query_(query) { begin(); }

    void authoritative() { ldns_pkt_set_aa(packet_.get(), true); }
    void setCode(uint8_t code) { ldns_pkt_set_rcode(packet_.get(), code); }
    void recursionAvailable() { ldns_pkt_set_ra(packet_.get(), true); }
    void refuseEdnsVersion() { ldns_pkt_set_edns_extended_rcode(packet_.get(), kEdnsBadVersion >> 4); }
    void truncate() {
        begin();
        ldns_pkt_set_tc(packet_.get(), true);
    }
    // `record` without its owner, which is the question's: "AAAA fd51:1ce::1".
    void addAnswer(const std::string& record) {
        ldns_rr* const rr = make(". " + kTimeToLive + " IN " + record);
        if (rr == nullptr) return;
        ldns_rdf_deep_free(ldns_rr_owner(rr));
        ldns_rr_set_owner(rr, ldns_rdf_clone(ldns_rr_owner(questionOf(query_))));
        ldns_pkt_push_rr(packet_.get(), LDNS_SECTION_ANSWER, rr);
    }
    void addAuthority(const std::string& record) {
        if (ldns_rr* const rr = make(record)) ldns_pkt_push_rr(packet_.get(), LDNS_SECTION_AUTHORITY, rr);
    }

    std::string toWire(size_t limit) {
        std::string message = toWire();
        if (message.size() <= limit) return message;
        truncate();
        return toWire();
    }

private:
    void begin() {
        packet_.reset(ldns_pkt_new());
        ldns_pkt_set_id(packet_.get(), ldns_pkt_id(query_));
        ldns_pkt_set_qr(packet_.get(), true);
        ldns_pkt_set_opcode(packet_.get(), ldns_pkt_get_opcode(query_));
        ldns_pkt_set_rd(packet_.get(), ldns_pkt_rd(query_));
        ldns_pkt_set_cd(packet_.get(), ldns_pkt_cd(query_));
        if (const ldns_rr* const question = questionOf(query_)) {
            ldns_pkt_push_rr(packet_.get(), LDNS_SECTION_QUESTION, ldns_rr_clone(question));
        }
        if (!ldns_pkt_edns(query_)) return;
        ldns_pkt_set_edns_udp_size(packet_.get(), kUdpBytes);
        ldns_pkt_set_edns_do(packet_.get(), ldns_pkt_edns_do(query_));
    }
    static ldns_rr* make(const std::string& text) {
        ldns_rr* rr = nullptr;
        return ldns_rr_new_frm_str(&rr, text.c_str(), 0, nullptr, nullptr) == LDNS_STATUS_OK ? rr : nullptr;
    }
    std::string toWire() {
        uint8_t* bytes = nullptr;
        size_t size = 0;
        if (ldns_pkt2wire(&bytes, packet_.get(), &size) != LDNS_STATUS_OK) return "";
        std::string message(reinterpret_cast<const char*>(bytes), size);
        LDNS_FREE(bytes);
        return message;
    }

    const ldns_pkt* query_;
    Packet packet_;
};

// A zone of ours, absolute, and what we know of the name in question.
struct ZoneName {
    std::string zone;
    bool apex = false;
    Found found;
};

bool endsWith(const Labels& labels, const Labels& end) {
    return labels.size() >= end.size() && std::equal(end.rbegin(), end.rend(), labels.rbegin());
}

// The digits that ip6.arpa's labels stand for, most significant first; nothing for other names.
std::optional<std::string> reverseDigits(const Labels& labels) {
    static const Labels kSuffix{"ip6", "arpa"};
    if (!endsWith(labels, kSuffix) || labels.size() > kSuffix.size() + 32) return std::nullopt;
    std::string digits;
    for (size_t i = labels.size() - kSuffix.size(); i > 0; --i) {
        const std::string& label = labels[i - 1];
        if (label.size() != 1 || std::string("0123456789abcdef").find(label[0]) == std::string::npos)
            return std::nullopt;
        digits += label;
    }
    return digits;
}

std::string reverseName(const std::string& digits) {
    std::string name;
    for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) name += std::string(1, *digit) + ".";
    return name + "ip6.arpa.";
}

std::optional<ZoneName> locateReverse(const Records& records, const Labels& labels) {
    const size_t zone_digits = records.reverseZoneDigits();
    const auto digits = reverseDigits(labels);
    if (!digits || digits->size() < zone_digits) return std::nullopt;
    // A prefix that ends within a digit has several zones.
    const std::string padded = (*digits + std::string(32, '0')).substr(0, 32);
    std::array<uint8_t, 16> bytes{};
    for (size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<uint8_t>(std::stoi(padded.substr(2 * i, 2), nullptr, 16));
    if (!records.homePrefix().contains(Ipv6Address(bytes))) return std::nullopt;
    return ZoneName{.zone = reverseName(digits->substr(0, zone_digits)),
                    .apex = digits->size() == zone_digits,
                    .found = records.findAddress(*digits)};
}

std::optional<ZoneName> locate(const Records& records, const Labels& labels) {
    if (!endsWith(labels, records.domain())) return locateReverse(records, labels);
    const Labels before(labels.begin(), labels.end() - static_cast<long>(records.domain().size()));
    return ZoneName{.zone = records.domainText(), .apex = before.empty(), .found = records.findName(before)};
}

// Without the domain a name belongs to the whole world: only what is there, or has a slice's form, is ours.
std::optional<ZoneName> locateBare(const Records& records, const Labels& labels) {
    if (labels.empty() || labels.size() > 2) return std::nullopt;
    const Found found = records.findName(labels);
    if (!found.address) return std::nullopt;
    return ZoneName{.zone = records.domainText(), .apex = false, .found = found};
}

std::string serverOf(const Records& records) {
    return serverLabels()[0] + "." + serverLabels()[1] + "." + records.domainText();
}

std::string soaOf(const Records& records, const std::string& zone) {
    const std::string& domain = records.domainText();
    const auto serial = static_cast<uint32_t>(records.serial());
    return zone + " 1 IN SOA " + serverOf(records) + " hostmaster.ns." + domain + " " + std::to_string(serial) +
           " 60 10 600 1";
}

void answerFrom(const Records& records, const ZoneName& name, ldns_rr_type type, Response& response) {
    response.authoritative();
    const bool any = type == LDNS_RR_TYPE_ANY;  // RFC 8482: something of what there is
    if (name.found.address && (any || type == LDNS_RR_TYPE_AAAA)) {
        return response.addAnswer("AAAA " + name.found.address->toString());
    }
    if (!name.found.name.empty() && (any || type == LDNS_RR_TYPE_PTR)) {
        return response.addAnswer("PTR " + name.found.name);
    }
    const std::string soa = soaOf(records, name.zone);
    if (name.apex && (any || type == LDNS_RR_TYPE_SOA)) return response.addAnswer(soa.substr(soa.find("SOA")));
    if (name.apex && type == LDNS_RR_TYPE_NS) return response.addAnswer("NS " + serverOf(records));
    if (!name.found.exists) response.setCode(LDNS_RCODE_NXDOMAIN);
    response.addAuthority(soa);
}

bool isTransfer(ldns_rr_type type) { return type == LDNS_RR_TYPE_AXFR || type == LDNS_RR_TYPE_IXFR; }

// A name of one label is of no use to anybody out there.
bool isLocalOnly(const Labels& labels, ldns_rr_type type) {
    return labels.size() == 1 && (type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_AAAA);
}

Verdict answerQuestion(const Records& records, const ldns_rr* question, Audience audience, Response& response) {
    const ldns_rr_type type = ldns_rr_get_type(question);
    const Labels labels = labelsOf(ldns_rr_owner(question));
    const bool internet = ldns_rr_get_class(question) == LDNS_RR_CLASS_IN;
    auto ours = locate(records, labels);
    if (!ours && audience == Audience::slivers) ours = locateBare(records, labels);
    if (internet && !isTransfer(type) && ours) {
        answerFrom(records, *ours, type, response);
        return Verdict::answer;
    }
    if (audience == Audience::outsiders || !internet || isTransfer(type)) {
        response.setCode(LDNS_RCODE_REFUSED);
        return Verdict::answer;
    }
    if (!isLocalOnly(labels, type)) return Verdict::forward;
    response.setCode(LDNS_RCODE_NXDOMAIN);
    return Verdict::answer;
}

// Nothing but the question and a code.
std::string withCode(const std::string& query, uint8_t code) {
    const Packet packet = isResponse(query) ? nullptr : parse(query);
    if (!packet) return "";
    Response response(packet.get());
    response.setCode(code);
    return response.toWire(SIZE_MAX);
}

}  // namespace

Reply answer(const Records& records, const std::string& query, Audience audience, Transport transport) {
    if (isResponse(query)) return {};
    const Packet packet = parse(query);
    if (!packet) return {.verdict = Verdict::answer, .message = formatError(query)};
    Response response(packet.get());
    if (audience == Audience::slivers) response.recursionAvailable();
    const size_t limit = limitOf(packet.get(), transport);
    if (ldns_pkt_get_opcode(packet.get()) != LDNS_PACKET_QUERY) {
        response.setCode(LDNS_RCODE_NOTIMPL);
    } else if (questionOf(packet.get()) == nullptr) {
        response.setCode(LDNS_RCODE_FORMERR);
    } else if (ldns_pkt_edns(packet.get()) && ldns_pkt_edns_version(packet.get()) != 0) {
        response.refuseEdnsVersion();
    } else {
        const Verdict verdict = answerQuestion(records, questionOf(packet.get()), audience, response);
        if (verdict != Verdict::answer) return {.verdict = verdict};
    }
    return {.verdict = Verdict::answer, .message = response.toWire(limit)};
}

std::string serverFailure(const std::string& query) { return withCode(query, LDNS_RCODE_SERVFAIL); }

std::string refusal(const std::string& query) { return withCode(query, LDNS_RCODE_REFUSED); }

std::string truncated(const std::string& query) {
    const Packet packet = isResponse(query) ? nullptr : parse(query);
    if (!packet) return "";
    Response response(packet.get());
    response.truncate();
    return response.toWire(SIZE_MAX);
}

std::string passOn(const std::string& response, const std::string& query, Transport transport) {
    const Packet packet = parse(query);
    if (!packet || response.size() < kHeaderBytes) return "";
    if (response.size() > limitOf(packet.get(), transport)) return truncated(query);
    return query.substr(0, 2) + response.substr(2);
}

}  // namespace homeslice::names
