#include "controller/core/known_nodes.h"

#include <utility>

namespace homeslice::controller {
namespace {

// Below so many changes it is quicker to tell them beside an old list than to make a new one.
constexpr size_t kChangesBesideWhole = 256;

}  // namespace

std::optional<KnownNode> knownNode(const Snapshot& snapshot, const std::string& name) {
    const auto enrolled = snapshot.enrolled_nodes.find(name);
    if (enrolled == snapshot.enrolled_nodes.end()) return std::nullopt;
    const auto node = snapshot.nodes.find(name);
    return KnownNode{enrolled->second, node == snapshot.nodes.end() ? Ipv6Address() : node->second.care_of_address};
}

KnownNodes::KnownNodes(const Snapshot& snapshot) : snapshot_(snapshot), changes_(snapshot.revision) {}

std::vector<std::shared_ptr<const NodeList>> KnownNodes::since(uint64_t since) {
    if (since == 0) return everything();
    if (since >= newest()) return {};
    return {changesSince(since)};
}

std::vector<std::shared_ptr<const NodeList>> KnownNodes::everything() {
    const bool usable = whole_.list != nullptr && changes_.reachesBackTo(whole_.until);
    if (!usable || changes_.since(whole_.until).size() > kChangesBesideWhole) {
        auto list = std::make_shared<NodeList>();
        for (const auto& [name, enrolled] : snapshot_.enrolled_nodes) {
            list->nodes.push_back(*knownNode(snapshot_, name));
        }
        whole_ = {0, newest(), std::move(list)};
    }
    if (whole_.until == newest()) return {whole_.list};
    return {whole_.list, changesSince(whole_.until)};
}

std::shared_ptr<const NodeList> KnownNodes::changesSince(uint64_t since) {
    if (latest_.list != nullptr && latest_.until == newest() && latest_.since == since) return latest_.list;
    auto list = std::make_shared<NodeList>();
    for (const std::string& name : changes_.since(since)) {
        if (auto known = knownNode(snapshot_, name)) {
            list->nodes.push_back(*std::move(known));
        } else {
            list->gone.push_back(name);
        }
    }
    latest_ = {since, newest(), std::move(list)};
    return latest_.list;
}

}  // namespace homeslice::controller
