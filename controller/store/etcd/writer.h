// Transactions that only the present leader can make. Internal to the etcd store.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <vector>

#include "controller/store/etcd/client.h"
#include "controller/store/etcd/keys.h"
#include "controller/store/etcd/meta.h"
#include "controller/store/etcd/rows.h"
#include "controller/store/etcd/store.h"

namespace homeslice::controller::etcd {

class FencedWriter {
public:
    FencedWriter(Client& client, Keys keys, Lead lead)
        : client_(client), keys_(std::move(keys)), lead_(std::move(lead)) {}

    // What the store is known to be; the next commit() goes on from there.
    void setMeta(const Meta& meta, int64_t changed_at) {
        meta_ = meta;
        meta_changed_at_ = changed_at;
    }
    const Meta& meta() const { return meta_; }

    // Acts that are harmless when done twice. leadLost() when another one leads.
    absl::Status write(const etcdserverpb::TxnRequest& acts);
    // Many, of different keys, side by side, as long as no other commit() follows: late ones must not undo it.
    absl::Status writeAll(std::vector<etcdserverpb::TxnRequest> parts);
    // Acts and the next meta, once: fails as well when meta is not what it is known to be. After leadLost() it
    // may be that nobody knows whether it happened; the next load() tells.
    absl::Status commit(etcdserverpb::TxnRequest acts, Meta next);
    // The same as an intent of `notes` (inNotes(), one at least), with `last` in the deciding transaction. Once that is
    // made the batch counts; carryOut() or completeIntent() must follow before the next.
    absl::Status commitInNotes(std::vector<etcdserverpb::TxnRequest> notes, etcdserverpb::TxnRequest last,
                               const Meta& next);
    // What commitInNotes() has decided, in parts (inParts()).
    absl::Status carryOut(std::vector<etcdserverpb::TxnRequest> parts);
    // Carries an intent out by its notes, if there is one, and removes what an undecided one left.
    absl::Status completeIntent();
    bool intentIsOpen() const { return intent_is_open_; }
    bool mayWrite() const { return lead_.created != 0; }

private:
    absl::Status checkLed() const;
    etcdserverpb::TxnRequest fenced(etcdserverpb::TxnRequest request) const;
    etcdserverpb::TxnRequest ofThisBatch(etcdserverpb::TxnRequest request) const;
    absl::Status send(const etcdserverpb::TxnRequest& request);
    absl::Status sendAll(const std::vector<etcdserverpb::TxnRequest>& requests);
    absl::Status carryOutNote(uint64_t number);
    absl::Status closeIntent();
    absl::Status lost(const std::string& why);
    absl::Status judgeRefusal(const etcdserverpb::TxnResponse& response, const Meta& next);

    Client& client_;
    const Keys keys_;
    const Lead lead_;
    Meta meta_;
    int64_t meta_changed_at_ = 0;
    bool intent_is_open_ = false;
};

// As few transactions as etcd's limits allow: by default 128 acts and 1.5 MiB each.
std::vector<etcdserverpb::TxnRequest> inParts(const Acts& acts);
// As few values as etcd's limit allows: they are only kept there.
std::vector<etcdserverpb::TxnRequest> inNotes(const Acts& acts);

}  // namespace homeslice::controller::etcd
