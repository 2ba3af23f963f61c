#include "ctl/lab/remove.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace homeslice::ctl::lab {
namespace {

namespace fs = std::filesystem;

TEST(RemoveLargeTreeTest, RemovesFilesFoldersAndLinksButNotWhatTheyPointTo) {
    std::string root = fs::temp_directory_path() / "hst-remove.XXXXXX";
    ASSERT_NE(::mkdtemp(root.data()), nullptr);
    const fs::path kept = root + "/kept";
    const fs::path tree = root + "/tree";
    std::ofstream(kept) << "stays";
    for (int i = 0; i < 200; ++i) {
        const fs::path folder = tree / std::to_string(i % 7) / "deep";
        fs::create_directories(folder);
        std::ofstream(folder / std::to_string(i)) << i;
    }
    fs::create_symlink(kept, tree / "to-file");
    fs::create_directory_symlink(root, tree / "to-folder");
    EXPECT_TRUE(removeLargeTree(tree.string()).ok());
    EXPECT_FALSE(fs::exists(fs::symlink_status(tree)));
    EXPECT_TRUE(fs::exists(kept));
    EXPECT_TRUE(removeLargeTree(tree.string()).ok()) << "what is gone is fine";
    fs::remove_all(root);
}

}  // namespace
}  // namespace homeslice::ctl::lab
