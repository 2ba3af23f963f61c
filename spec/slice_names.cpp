#include "spec/slice_names.h"

#include <sstream>

#include "base/names.h"
#include "base/status.h"

namespace homeslice {
namespace {

constexpr uint64_t kResolverInterfaceId = 0x53;
constexpr size_t kMaxDomainBytes = 200;

}  // namespace

Ipv6Address resolverAddress(const Ipv6Prefix& home_prefix) {
    return home_prefix.address().withInterfaceId(kResolverInterfaceId);
}

absl::Status checkNameDomain(const std::string& domain) {
    if (domain.size() > kMaxDomainBytes) return invalidArgument("domain: longer than 200 bytes");
    size_t labels = 0;
    std::istringstream parts(domain);
    for (std::string label; std::getline(parts, label, '.'); ++labels) {
        HS_RETURN_IF_ERROR(checkName("label of the domain", label));
    }
    if (labels < 2 || domain.back() == '.')
        return invalidArgument("domain: '" + domain + "' is not like slivers.internal");
    return absl::OkStatus();
}

}  // namespace homeslice
