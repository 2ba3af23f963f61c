#include "controller/leader/store_location.h"

#include <algorithm>

#include "base/status.h"
#include "leader/controllers.h"

namespace homeslice::controller {
namespace {

const std::string kSqlite = "sqlite:";
const std::string kEtcd = "etcd:";

bool isEndpoint(const std::string& text) {
    const size_t colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0 || text.find('/') != std::string::npos) return false;
    const std::string port = text.substr(colon + 1);
    return !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

std::string StoreLocation::toString() const {
    if (kind == Kind::sqlite) return kSqlite + path;
    std::string list;
    for (const std::string& endpoint : endpoints) list += (list.empty() ? "" : ",") + endpoint;
    return kEtcd + list;
}

absl::StatusOr<StoreLocation> parseStoreLocation(const std::string& option, const std::string& text) {
    StoreLocation location;
    if (text.starts_with(kSqlite) && text.size() > kSqlite.size()) {
        location.path = text.substr(kSqlite.size());
        return location;
    }
    location.kind = StoreLocation::Kind::etcd;
    if (text.starts_with(kEtcd)) location.endpoints = leader::splitAddresses(text.substr(kEtcd.size()));
    const bool good =
        !location.endpoints.empty() && std::all_of(location.endpoints.begin(), location.endpoints.end(), isEndpoint);
    if (good) return location;
    return invalidArgument(option + ": '" + text + "' is no store: use sqlite:PATH or etcd:HOST:PORT[,HOST:PORT...]");
}

}  // namespace homeslice::controller
