// Where things are in etcd:
//   PREFIX/leader             the leader's address, under its lease
//   PREFIX/members/ADDRESS    every controller that is up, under its lease
//   PREFIX/meta               schema, revision and what else is one of a kind; changes with every batch
//   PREFIX/data/TABLE/KEY     a row, as JSON
//   PREFIX/audit/NUMBER       an entry, as JSON; numbers of 20 digits, so that they sort
//   PREFIX/intent, PREFIX/pending/NUMBER   a large batch that is decided, and its parts
//   PREFIX/replacing          while all is being replaced
#pragma once

#include <etcd/rpc.pb.h>
#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace homeslice::controller::etcd {

class Keys {
public:
    explicit Keys(const std::string& prefix) : prefix_(prefix) {}

    std::string leader() const { return prefix_ + "/leader"; }
    std::string members() const { return prefix_ + "/members/"; }
    std::string meta() const { return prefix_ + "/meta"; }
    std::string data() const { return prefix_ + "/data/"; }
    std::string audits() const { return prefix_ + "/audit/"; }
    std::string audit(uint64_t number) const { return audits() + fmt::format("{:020}", number); }
    std::string intent() const { return prefix_ + "/intent"; }
    std::string allPending() const { return prefix_ + "/pending/"; }
    std::string pending(uint64_t number) const { return allPending() + fmt::format("{:020}", number); }
    std::string replacing() const { return prefix_ + "/replacing"; }

private:
    std::string prefix_;
};

// The end of the range of all keys that begin with `prefix`, which ends in a slash.
inline std::string endOf(std::string prefix) {
    ++prefix.back();
    return prefix;
}

inline etcdserverpb::RangeRequest rangeOf(const std::string& key) {
    etcdserverpb::RangeRequest request;
    request.set_key(key);
    return request;
}

inline etcdserverpb::RangeRequest rangeBelow(const std::string& prefix, int64_t limit) {
    etcdserverpb::RangeRequest request = rangeOf(prefix);
    request.set_range_end(endOf(prefix));
    request.set_limit(limit);
    return request;
}

inline etcdserverpb::RequestOp putOf(const std::string& key, const std::string& value, int64_t lease = 0) {
    etcdserverpb::RequestOp op;
    op.mutable_request_put()->set_key(key);
    op.mutable_request_put()->set_value(value);
    op.mutable_request_put()->set_lease(lease);
    return op;
}

inline etcdserverpb::RequestOp deletionOf(const std::string& key) {
    etcdserverpb::RequestOp op;
    op.mutable_request_delete_range()->set_key(key);
    return op;
}

inline etcdserverpb::RequestOp deletionBelow(const std::string& prefix) {
    etcdserverpb::RequestOp op = deletionOf(prefix);
    op.mutable_request_delete_range()->set_range_end(endOf(prefix));
    return op;
}

// `revision` 0: there is no such key.
inline etcdserverpb::Compare createdAt(const std::string& key, int64_t revision) {
    etcdserverpb::Compare compare;
    compare.set_target(etcdserverpb::Compare::CREATE);
    compare.set_key(key);
    compare.set_create_revision(revision);
    return compare;
}

inline etcdserverpb::Compare changedAt(const std::string& key, int64_t revision) {
    etcdserverpb::Compare compare;
    compare.set_target(etcdserverpb::Compare::MOD);
    compare.set_key(key);
    compare.set_mod_revision(revision);
    return compare;
}

}  // namespace homeslice::controller::etcd
