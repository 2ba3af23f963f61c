#include "ctl/commands/recipe.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/defer.h"
#include "base/file.h"
#include "base/status.h"
#include "ctl/commands/child.h"
#include "oci/archive.h"
#include "oci/sha256.h"

namespace homeslice::ctl {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kInstalledRecipes = "/usr/share/homeslice/images";

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

bool isRecipe(const std::string& folder) { return ::access((folder + "/build").c_str(), X_OK) == 0; }

// A build folder holds a link to them beside bin/ (see CMakeLists.txt), wherever it is.
std::string sourceTreeRecipes() {
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    return error ? "" : (program.parent_path().parent_path() / "images").string();
}

absl::StatusOr<std::vector<std::string>> filesOf(const std::string& folder) {
    std::vector<std::string> files;
    std::error_code error;
    for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
        if (at->is_regular_file(error)) files.push_back(fs::relative(at->path(), folder, error).string());
    }
    if (error) return errnoStatus(error.value(), "recipe " + folder);
    std::sort(files.begin(), files.end());
    return files;
}

absl::StatusOr<oci::ImageConfig> configOf(const std::string& recipe) {
    const std::string path = recipe + "/config.json";
    oci::ImageConfig config;
    if (::access(path.c_str(), F_OK) != 0) return config;
    HS_ASSIGN_OR_RETURN(const std::string text, readFile(path));
    try {
        const json object = json::parse(text);
        config.argv = object.value("argv", config.argv);
        config.env = object.value("env", config.env);
        config.working_directory = object.value("working_directory", config.working_directory);
        config.user = object.value("user", config.user);
    } catch (const json::exception& error) {
        return invalidArgument(path + ": " + error.what());
    }
    return config;
}

}  // namespace

std::vector<std::string> recipeFolders(const std::string& option) {
    if (!option.empty()) return {option};
    std::vector<std::string> folders{environment("HOMESLICE_IMAGES"), sourceTreeRecipes(), kInstalledRecipes};
    std::erase(folders, "");
    return folders;
}

absl::StatusOr<std::string> findRecipe(const std::string& name, const std::vector<std::string>& folders) {
    std::string looked;
    for (const std::string& folder : folders) {
        if (isRecipe(folder + "/" + name)) return folder + "/" + name;
        if (isRecipe(folder)) return folder;
        looked += (looked.empty() ? "" : ", ") + folder;
    }
    return notFound("no recipe for image '" + name + "': no executable " + name + "/build in " + looked);
}

std::string cacheFolder() {
    const std::string xdg = environment("XDG_CACHE_HOME");
    if (xdg.starts_with('/')) return xdg + "/homeslice";
    const std::string home = environment("HOME");
    return ::geteuid() == 0 || home.empty() ? "/var/cache/homeslice" : home + "/.cache/homeslice";
}

absl::StatusOr<std::string> recipeDigest(const std::string& recipe) {
    HS_ASSIGN_OR_RETURN(const std::vector<std::string> files, filesOf(recipe));
    std::string manifest;
    for (const std::string& file : files) {
        const std::string path = recipe + "/" + file;
        HS_ASSIGN_OR_RETURN(const std::string digest, oci::digestOf(path));
        manifest += digest + (::access(path.c_str(), X_OK) == 0 ? " x " : " - ") + file + "\n";
    }
    oci::Sha256 hash;
    hash.update(manifest);
    return hash.finish().substr(std::string("sha256:").size());
}

absl::Status buildRecipe(const std::string& recipe, const std::string& archive, Cancellation& cancellation,
                         const std::function<void(const std::string&)>& line) {
    HS_ASSIGN_OR_RETURN(const oci::ImageConfig config, configOf(recipe));
    std::string scratch = archive + ".XXXXXX";
    if (::mkdtemp(scratch.data()) == nullptr) return errnoStatus(errno, "mkdtemp(" + scratch + ")");
    const Defer clean([&] { static_cast<void>(removeTree(scratch)); });

    const std::string rootfs = scratch + "/rootfs.tar";
    const std::string image = scratch + "/image.tar";
    HS_RETURN_IF_ERROR(runChild({recipe + "/build", rootfs}, cancellation, line));
    HS_RETURN_IF_ERROR_CTX(oci::writeOciArchive(rootfs, config, image), "recipe " + recipe);
    if (::rename(image.c_str(), archive.c_str()) != 0) return errnoStatus(errno, "rename(" + archive + ")");
    return absl::OkStatus();
}

}  // namespace homeslice::ctl
