#include "noded/sys/traffic_control.h"

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <algorithm>
#include <limits>

#include "base/status.h"

namespace homeslice::sys {
namespace {

constexpr const char* kKind = "tbf";

// "1234:", of half the burst. A queue of the same handle is changed, one of another handle takes its place and drops
// what waits: a packet that waits and is larger than the new burst would never go, nor any behind it. Beyond 128 KiB,
// the double of the largest packet, that does not matter.
uint32_t handleOf(uint32_t burst_bytes) {
    constexpr uint32_t kLeast = 1;
    constexpr uint32_t kMost = 0xfff0;  // above are the kernel's own
    return std::clamp(burst_bytes / 2, kLeast, kMost) << 16;
}

struct FreeMessage {
    void operator()(nl_msg* message) const { nlmsg_free(message); }
};
using Message = std::unique_ptr<nl_msg, FreeMessage>;

Message makeMessage(int type, int flags, int index, uint32_t handle) {
    Message message(nlmsg_alloc_simple(type, flags));
    tcmsg header{};
    header.tcm_family = AF_UNSPEC;
    header.tcm_ifindex = index;
    header.tcm_parent = TC_H_ROOT;
    header.tcm_handle = handle;
    if (message && nlmsg_append(message.get(), &header, sizeof(header), NLMSG_ALIGNTO) < 0) message.reset();
    return message;
}

// libnl knows rates up to 2 GB/s and needs a rate table for each; with the link layer named the kernel needs none.
bool putBucket(nl_msg* message, const TokenBucket& bucket) {
    constexpr uint64_t kMost32 = std::numeric_limits<uint32_t>::max();
    tc_tbf_qopt parameters{};
    parameters.rate.rate = static_cast<uint32_t>(std::min(bucket.bytes_per_second, kMost32));
    parameters.rate.linklayer = TC_LINKLAYER_ETHERNET;
    parameters.limit = bucket.queue_bytes;
    if (nla_put_string(message, TCA_KIND, kKind) < 0) return false;
    nlattr* options = nla_nest_start(message, TCA_OPTIONS);
    if (options == nullptr) return false;
    if (nla_put(message, TCA_TBF_PARMS, sizeof(parameters), &parameters) < 0) return false;
    if (bucket.bytes_per_second >= kMost32 && nla_put_u64(message, TCA_TBF_RATE64, bucket.bytes_per_second) < 0)
        return false;
    if (nla_put_u32(message, TCA_TBF_BURST, bucket.burst_bytes & ~1U) < 0) return false;
    nla_nest_end(message, options);
    return true;
}

int send(Netlink& netlink, Message message) { return nl_send_sync(netlink.socket(), message.release()); }

std::string nameOf(int index) { return "link " + std::to_string(index); }

}  // namespace

absl::Status limitSending(Netlink& netlink, int index, const TokenBucket& bucket) {
    Message message = makeMessage(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, index, handleOf(bucket.burst_bytes));
    if (!message || !putBucket(message.get(), bucket)) return errnoStatus(ENOMEM, "netlink message");
    const int error = send(netlink, std::move(message));
    if (error == -NLE_OBJ_NOTFOUND)
        return failedPrecondition("the kernel of this host has no sch_tbf: it cannot limit the bandwidth of " +
                                  nameOf(index));
    if (error < 0)
        return errnoStatus(EIO, "limit what " + nameOf(index) + " sends: " + std::string(nl_geterror(error)));
    return absl::OkStatus();
}

absl::Status unlimitSending(Netlink& netlink, int index) {
    constexpr uint32_t kWhatStandsThere = 0;  // asked by handle, another queue would be an error instead of "none"
    Message message = makeMessage(RTM_DELQDISC, 0, index, kWhatStandsThere);
    if (!message) return errnoStatus(ENOMEM, "netlink message");
    const int error = send(netlink, std::move(message));
    if (error >= 0 || error == -NLE_OBJ_NOTFOUND) return absl::OkStatus();
    return errnoStatus(EIO, "remove the limit of what " + nameOf(index) + " sends: " + std::string(nl_geterror(error)));
}

}  // namespace homeslice::sys
