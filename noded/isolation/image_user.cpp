#include "noded/isolation/image_user.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <optional>
#include <sstream>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "noded/isolation/id_pool.h"

namespace homeslice::isolation {
namespace {

constexpr off_t kMaxFile = 1 << 20;

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
    return parts;
}

std::optional<uint32_t> parseNumber(const std::string& text) {
    uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

absl::StatusOr<uint32_t> checkedId(uint32_t id) {
    if (id < kIdRangeSize) return id;
    return invalidArgument("the image's user has id " + std::to_string(id) + ", a sliver has ids up to 65535");
}

// The image is foreign: its /etc/passwd may be a link that points out of it.
absl::StatusOr<std::string> readInside(const std::string& rootfs, const std::string& path) {
    HS_ASSIGN_OR_RETURN(const UniqueFd root, openFile(rootfs, O_PATH | O_DIRECTORY));
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)));
    if (!fd.valid()) return errnoStatus(errno, "open " + path + " of the image");
    struct stat about {};
    if (::fstat(fd.get(), &about) != 0) return errnoStatus(errno, "fstat " + path + " of the image");
    if (S_ISREG(about.st_mode) && about.st_size <= kMaxFile) return readAll(fd.get());
    return invalidArgument(path + " of the image is no file of at most " + std::to_string(kMaxFile) + " bytes");
}

// The entry of `name` in a file of colon-separated lines, with at least `columns` columns.
absl::StatusOr<std::vector<std::string>> entryOf(const std::string& rootfs, const std::string& path,
                                                 const std::string& name, size_t columns) {
    HS_ASSIGN_OR_RETURN(const std::string text, readInside(rootfs, path));
    for (const std::string& line : split(text, '\n')) {
        std::vector<std::string> fields = split(line, ':');
        if (fields.size() >= columns && fields[0] == name) return fields;
    }
    return notFound("the image's " + path + " has no '" + name + "'");
}

absl::StatusOr<uint32_t> numberIn(const std::vector<std::string>& entry, size_t column) {
    const auto number = parseNumber(entry[column]);
    if (!number) return invalidArgument("the image has no id but '" + entry[column] + "' for '" + entry[0] + "'");
    return checkedId(*number);
}

absl::StatusOr<uint32_t> groupId(const std::string& rootfs, const std::string& group) {
    if (const auto number = parseNumber(group)) return checkedId(*number);
    HS_ASSIGN_OR_RETURN(const auto entry, entryOf(rootfs, "etc/group", group, 3));
    return numberIn(entry, 2);
}

}  // namespace

absl::StatusOr<ImageUser> resolveImageUser(const std::string& rootfs, const std::string& user) {
    const size_t colon = user.find(':');
    const std::string name = user.substr(0, colon);
    ImageUser found;
    if (const auto number = parseNumber(name)) {
        HS_ASSIGN_OR_RETURN(found.uid, checkedId(*number));
    } else if (!name.empty()) {
        HS_ASSIGN_OR_RETURN(const auto entry, entryOf(rootfs, "etc/passwd", name, 4));
        HS_ASSIGN_OR_RETURN(found.uid, numberIn(entry, 2));
        HS_ASSIGN_OR_RETURN(found.gid, numberIn(entry, 3));
    }
    if (colon != std::string::npos) {
        HS_ASSIGN_OR_RETURN(found.gid, groupId(rootfs, user.substr(colon + 1)));
    }
    return found;
}

}  // namespace homeslice::isolation
