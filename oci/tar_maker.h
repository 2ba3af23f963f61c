// Makes tar archives, good and hostile ones, for tests.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <utility>

namespace homeslice::testing_support {

class TarMaker {
public:
    explicit TarMaker(const std::string& path, int filter = ARCHIVE_FILTER_NONE) {
        archive_write_set_format_pax(writer_);
        archive_write_add_filter(writer_, filter);
        archive_write_open_filename(writer_, path.c_str());
    }
    ~TarMaker() { archive_write_free(writer_); }
    TarMaker(const TarMaker&) = delete;
    TarMaker& operator=(const TarMaker&) = delete;

    struct Member {
        std::string path;
        mode_t type = AE_IFREG;
        std::string content = {};  // a file's content, or the target of a symbolic link
        mode_t mode = 0644;
        int64_t uid = 0;
        int64_t gid = 0;
        int64_t mtime = 1'000'000'000;
        std::string hard_link = {};
        std::pair<std::string, std::string> xattr = {};
        dev_t device = 0;
    };

    TarMaker& add(const Member& member) {
        archive_entry* entry = archive_entry_new();
        archive_entry_set_pathname(entry, member.path.c_str());
        archive_entry_set_filetype(entry, member.type);
        archive_entry_set_perm(entry, member.mode);
        archive_entry_set_uid(entry, member.uid);
        archive_entry_set_gid(entry, member.gid);
        archive_entry_set_mtime(entry, member.mtime, 0);
        archive_entry_set_rdev(entry, member.device);
        const bool has_content = member.type == AE_IFREG && member.hard_link.empty();
        archive_entry_set_size(entry, has_content ? static_cast<int64_t>(member.content.size()) : 0);
        if (member.type == AE_IFLNK) archive_entry_set_symlink(entry, member.content.c_str());
        if (!member.hard_link.empty()) archive_entry_set_hardlink(entry, member.hard_link.c_str());
        if (const auto& [name, value] = member.xattr; !name.empty()) {
            archive_entry_xattr_add_entry(entry, name.c_str(), value.data(), value.size());
        }
        archive_write_header(writer_, entry);
        if (has_content) archive_write_data(writer_, member.content.data(), member.content.size());
        archive_entry_free(entry);
        return *this;
    }
    TarMaker& file(const std::string& path, const std::string& content) {
        return add({.path = path, .content = content});
    }
    TarMaker& directory(const std::string& path) { return add({.path = path, .type = AE_IFDIR, .mode = 0755}); }
    TarMaker& symlink(const std::string& path, const std::string& target) {
        return add({.path = path, .type = AE_IFLNK, .content = target});
    }
    TarMaker& hardLink(const std::string& path, const std::string& target) {
        return add({.path = path, .hard_link = target});
    }

private:
    archive* writer_ = archive_write_new();
};

}  // namespace homeslice::testing_support
