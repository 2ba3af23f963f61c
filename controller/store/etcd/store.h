// The store for the time of one lead. Internal to the etcd store.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "controller/store/etcd/client.h"
#include "controller/store/etcd/keys.h"
#include "controller/store/store.h"

namespace homeslice::controller::etcd {

struct Lead {
    int64_t created = 0;         // revision in which the leader's key was made: the fence of every write
    std::function<void()> lost;  // called when a write finds that the lead, or what it knew of the store, is gone
};

// `client` outlives it.
std::unique_ptr<DurableStore> makeStore(Client& client, const Keys& keys, Lead lead);

}  // namespace homeslice::controller::etcd
