// What is on a sliver's disk before its first start: its names, its resolver, the files of its template.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <vector>

#include "noded/isolation/isolator.h"

namespace homeslice::isolation {

std::string hostnameOf(const SliverSpec& spec);

// /etc/hostname, /etc/hosts and /etc/resolv.conf.
std::vector<File> nameFiles(const SliverSpec& spec);

// Makes the upper and work directories of a mounted disk. What is put into a new upper directory stands where the
// image's own links lead: a file for /bin goes to /usr/bin where the image has it so. A disk that has an upper
// directory is the sliver's, and left alone. The directory appears complete or not at all. INVALID_ARGUMENT for a file
// that the image has no place for. `ahead`: nobody's yet; nameFiles() are empty.
absl::Status makeFirstDisk(const SliverSpec& spec, const SliverRuntime& runtime, const std::string& image_rootfs,
                           bool ahead = false);

}  // namespace homeslice::isolation
