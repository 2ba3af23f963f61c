// Extended attributes that hold user ids: POSIX ACLs and file capabilities.
#pragma once

#include <cstdint>
#include <string>

namespace homeslice::migration {

constexpr uint32_t kIdsPerSliver = 65536;

// A sliver's id for a host's: ids outside the sliver's range are 65534 ("nobody"), as the sliver sees them.
uint32_t toSliverId(uint32_t host_id, uint32_t first_id);

// Whether an xattr belongs to a disk: user.*, overlay's marks, POSIX ACLs and capabilities.
bool isDiskXattr(const std::string& name);

// Rewrites the ids in the xattr's value between the host's and the sliver's; a value of another form stays as it is.
// idsToHost returns false when an id is not one of a sliver's.
void idsToSliver(const std::string& name, std::string& value, uint32_t first_id);
bool idsToHost(const std::string& name, std::string& value, uint32_t first_id);

}  // namespace homeslice::migration
