#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/status.h"
#include "ctl/commands/fake_controller.h"
#include "ctl/commands/recipe.h"
#include "oci/archive.h"

namespace homeslice::ctl {
namespace {

using ::testing::HasSubstr;

class ImageCommands : public ::testing::Test {
protected:
    ImageCommands() {
        ::setenv("XDG_CACHE_HOME", (controller_.folder() + "/cache").c_str(), 1);
        ::setenv("HOMESLICE_IMAGES", recipes_.c_str(), 1);
    }
    ~ImageCommands() override {
        ::unsetenv("XDG_CACHE_HOME");
        ::unsetenv("HOMESLICE_IMAGES");
    }

    // The recipe counts its runs in a file beside the recipes.
    void writeRecipe(const std::string& name, const std::string& script) {
        const std::string folder = recipes_ + "/" + name;
        ASSERT_TRUE(makeDirectories(folder).ok());
        ASSERT_TRUE(replaceFile(folder + "/build", "#!/bin/sh\necho run >> " + runs_ + "\n" + script, 0755).ok());
    }
    size_t runs() const {
        const auto text = readFile(runs_);
        return text.ok() ? text->size() / std::string("run\n").size() : 0;
    }
    size_t leftInCache() const {
        std::error_code error;
        const std::filesystem::directory_iterator files(controller_.folder() + "/cache/homeslice/images", error);
        return error ? 0 : static_cast<size_t>(std::distance(begin(files), end(files)));
    }
    // Whether what was uploaded is an OCI archive.
    absl::StatusOr<oci::ImageConfig> uploaded() const {
        const std::string path = controller_.folder() + "/uploaded.tar";
        HS_RETURN_IF_ERROR(replaceFile(path, controller_.imported_data));
        return oci::checkOciArchive(path);
    }

    FakeController controller_;
    const std::string recipes_ = controller_.folder() + "/recipes";
    const std::string runs_ = controller_.folder() + "/runs";
    const std::string small_ =
        "cd \"$(dirname \"$1\")\" && mkdir root && echo hello > root/file && tar cf \"$1\" -C root .\n";
};

TEST_F(ImageCommands, BuildRunsTheRecipeAndStoresTheImage) {
    writeRecipe("tiny", small_);
    ASSERT_TRUE(replaceFile(recipes_ + "/tiny/config.json", R"({"argv": ["/file"], "env": ["A=b"]})", 0644).ok());
    const Outcome outcome = slicectl(controller_, {"image", "build", "tiny"});
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_EQ(controller_.imported_name, "tiny");
    const auto config = uploaded();
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->argv, std::vector<std::string>{"/file"});
    EXPECT_EQ(config->env, std::vector<std::string>{"A=b"});
}

TEST_F(ImageCommands, SecondBuildComesFromTheCacheUnlessTheRecipeChanged) {
    writeRecipe("tiny", small_);
    EXPECT_EQ(slicectl(controller_, {"image", "build", "tiny"}).exit_status, 0);
    EXPECT_EQ(slicectl(controller_, {"image", "build", "tiny"}).exit_status, 0);
    EXPECT_EQ(runs(), 1u);
    EXPECT_EQ(slicectl(controller_, {"image", "build", "tiny", "--no-cache"}).exit_status, 0);
    EXPECT_EQ(runs(), 2u);
    ASSERT_TRUE(replaceFile(recipes_ + "/tiny/extra", "changed").ok());
    EXPECT_EQ(slicectl(controller_, {"image", "build", "tiny"}).exit_status, 0);
    EXPECT_EQ(runs(), 3u);
}

TEST_F(ImageCommands, FailedRecipeSaysWhyAndLeavesNothing) {
    writeRecipe("broken", "echo needs a thing: apt-get install thing >&2; exit 1\n");
    const Outcome outcome = slicectl(controller_, {"image", "build", "broken"});
    EXPECT_EQ(outcome.exit_status, 1);
    EXPECT_THAT(outcome.err,
                HasSubstr("broken/build failed with exit status 1: needs a thing: apt-get install thing\n"));
    EXPECT_EQ(leftInCache(), 0u);
    EXPECT_EQ(controller_.imported_name, "");
}

TEST_F(ImageCommands, RecipeThatWritesNoTarIsRefused) {
    writeRecipe("empty", "echo junk > \"$1\"\n");
    const Outcome outcome = slicectl(controller_, {"image", "build", "empty"});
    EXPECT_EQ(outcome.exit_status, 1);
    EXPECT_EQ(leftInCache(), 0u);
}

TEST_F(ImageCommands, UnknownRecipeIsThree) {
    const Outcome outcome = slicectl(controller_, {"image", "build", "nothing"});
    EXPECT_EQ(outcome.exit_status, 3);
    EXPECT_THAT(outcome.err, HasSubstr("no recipe for image 'nothing': no executable nothing/build in " + recipes_));
}

TEST_F(ImageCommands, RecipeFolderCanBeNamed) {
    writeRecipe("tiny", small_);
    ::setenv("HOMESLICE_IMAGES", "/nonexistent", 1);
    EXPECT_EQ(slicectl(controller_, {"image", "build", "other", "--recipe", recipes_ + "/tiny"}).exit_status, 0);
    EXPECT_EQ(controller_.imported_name, "other");
}

TEST_F(ImageCommands, ImportTakesArchivesAndPlainRootFileSystems) {
    writeRecipe("tiny", small_);
    ASSERT_EQ(slicectl(controller_, {"image", "build", "tiny"}).exit_status, 0);
    const std::string archive = controller_.folder() + "/saved.oci.tar";
    ASSERT_TRUE(replaceFile(archive, controller_.imported_data).ok());
    const std::string first = std::exchange(controller_.imported_data, "");
    EXPECT_EQ(slicectl(controller_, {"image", "import", archive}).exit_status, 0);
    EXPECT_EQ(controller_.imported_name, "saved");
    EXPECT_EQ(controller_.imported_data, first);

    controller_.imported_data.clear();
    ASSERT_EQ(::system(("tar cf " + controller_.folder() + "/plain.tar -C " + recipes_ + " .").c_str()), 0);
    const Outcome outcome =
        slicectl(controller_, {"image", "import", controller_.folder() + "/plain.tar", "--name", "named"});
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_EQ(controller_.imported_name, "named");
    EXPECT_TRUE(uploaded().ok());
}

TEST_F(ImageCommands, ImportRefusesWhatIsNoArchive) {
    const std::string path = controller_.folder() + "/junk.tar";
    ASSERT_TRUE(replaceFile(path, std::string(5000, 'x')).ok());
    const Outcome outcome = slicectl(controller_, {"image", "import", path});
    EXPECT_EQ(outcome.exit_status, 1);
    EXPECT_THAT(outcome.err, HasSubstr(path));
    EXPECT_EQ(controller_.imported_name, "");
}

}  // namespace
}  // namespace homeslice::ctl
