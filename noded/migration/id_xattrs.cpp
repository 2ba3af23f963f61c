#include "noded/migration/id_xattrs.h"

#include <endian.h>
#include <linux/capability.h>

#include <cstddef>
#include <cstring>
#include <functional>

namespace homeslice::migration {
namespace {

constexpr uint32_t kNobody = 65534;

// The form of system.posix_acl_* (linux/posix_acl_xattr.h), little endian: a version, then entries.
constexpr size_t kAclHeader = 4;
constexpr size_t kAclEntry = 8;
constexpr size_t kAclIdOffset = 4;
constexpr uint16_t kAclUser = 0x02;
constexpr uint16_t kAclGroup = 0x08;

bool isAcl(const std::string& name) { return name == "system.posix_acl_access" || name == "system.posix_acl_default"; }

using Change = std::function<bool(uint32_t& id)>;

bool changeAt(std::string& value, size_t offset, const Change& change) {
    uint32_t raw = 0;
    std::memcpy(&raw, value.data() + offset, sizeof raw);
    uint32_t id = le32toh(raw);
    if (!change(id)) return false;
    raw = htole32(id);
    std::memcpy(value.data() + offset, &raw, sizeof raw);
    return true;
}

bool changeAcl(std::string& value, const Change& change) {
    for (size_t entry = kAclHeader; entry + kAclEntry <= value.size(); entry += kAclEntry) {
        uint16_t raw = 0;
        std::memcpy(&raw, value.data() + entry, sizeof raw);
        const uint16_t tag = le16toh(raw);
        if ((tag == kAclUser || tag == kAclGroup) && !changeAt(value, entry + kAclIdOffset, change)) return false;
    }
    return true;
}

// Only revision 3 names the user id that is root in the namespace that set it.
bool changeCapability(std::string& value, const Change& change) {
    uint32_t magic = 0;
    if (value.size() != XATTR_CAPS_SZ_3) return true;
    std::memcpy(&magic, value.data(), sizeof magic);
    if ((le32toh(magic) & VFS_CAP_REVISION_MASK) != VFS_CAP_REVISION_3) return true;
    return changeAt(value, offsetof(vfs_ns_cap_data, rootid), change);
}

bool changeIds(const std::string& name, std::string& value, const Change& change) {
    if (isAcl(name)) return changeAcl(value, change);
    if (name == "security.capability") return changeCapability(value, change);
    return true;
}

}  // namespace

uint32_t toSliverId(uint32_t host_id, uint32_t first_id) {
    const uint32_t id = host_id - first_id;  // wraps, past any range, below the first
    return id < kIdsPerSliver ? id : kNobody;
}

bool isDiskXattr(const std::string& name) {
    return name.starts_with("user.") || name.starts_with("trusted.overlay.") || name == "security.capability" ||
           isAcl(name);
}

void idsToSliver(const std::string& name, std::string& value, uint32_t first_id) {
    changeIds(name, value, [first_id](uint32_t& id) {
        id = toSliverId(id, first_id);
        return true;
    });
}

bool idsToHost(const std::string& name, std::string& value, uint32_t first_id) {
    return changeIds(name, value, [first_id](uint32_t& id) {
        if (id >= kIdsPerSliver) return false;
        id += first_id;
        return true;
    });
}

}  // namespace homeslice::migration
