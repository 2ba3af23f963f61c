// Images that somebody brings: archives of layouts, layers, configurations. A byte says which.
#include <sys/mman.h>
#include <unistd.h>

#include "base/status.h"
#include "base/unique_fd.h"
#include "oci/archive.h"
#include "oci/layer.h"
#include "oci/layout.h"
#include "oci/tar_reader.h"
#include "target.h"

namespace {

using namespace homeslice;

constexpr oci::Limits kSmall{.members = 1000, .bytes = 1 << 20};

void image(const std::string& bytes) {
    const UniqueFd file(::memfd_create("image", MFD_CLOEXEC));
    fuzz::require(file && ::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
                  "there is memory for a file");
    const std::string path = "/proc/self/fd/" + std::to_string(file.get());
    const auto kind = oci::detectArchive(path);
    const auto config = oci::checkOciArchive(path);
    fuzz::require(!config.ok() || (kind.ok() && *kind == oci::ArchiveKind::oci_layout),
                  "a sound image is known as one");
}

void layer(const std::string& bytes) {
    bool given = false;
    auto tar = oci::TarReader::openSource(
        [&]() -> absl::StatusOr<std::string_view> { return std::exchange(given, true) ? "" : std::string_view(bytes); },
        kSmall);
    if (tar.ok()) (void)oci::checkLayer(*tar);
}

void configuration(const std::string& bytes) {
    const auto config = oci::parseConfig(bytes);
    if (!config.ok()) return;
    const auto again = oci::parseConfig(oci::formatConfig(*config, "sha256:" + std::string(64, '0')));
    fuzz::require(again.ok() && *again == *config, "a configuration is the same when written and read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    constexpr void (*kKinds[])(const std::string&) = {image, layer, configuration};
    fuzz::Input input(data, size);
    if (const auto kind = input.byte()) kKinds[*kind % std::size(kKinds)](input.rest());
    return 0;
}
