#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>

#include "base/defer.h"
#include "base/file.h"
#include "base/names.h"
#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/recipe.h"
#include "ctl/commands/views.h"
#include "ctl/output/progress.h"
#include "ctl/output/units.h"
#include "oci/archive.h"

namespace homeslice::ctl {
namespace {

constexpr size_t kDigestDigits = 32;  // of the recipe's digest, in the cache's file names

struct BuildOptions {
    std::string name;
    std::string recipes;
    bool no_cache = false;
};

struct ImportOptions {
    std::string file;
    std::string name;
};

absl::Status upload(Context& context, Client& client, const std::string& name, const std::string& archive) {
    struct stat info {};
    if (::stat(archive.c_str(), &info) != 0) return errnoStatus(errno, archive);
    const auto size = static_cast<uint64_t>(info.st_size);
    Progress progress(context.io(), "image " + name, Progress::Unit::bytes);
    HS_ASSIGN_OR_RETURN(const v1::Image image, client.importImage(name, archive, [&](uint64_t sent) {
        progress.update(sent, size, "uploading");
    }));
    progress.finish("stored, " + humanBytes(image.size_bytes()));
    const bool tree = context.format() == OutputFormat::json || context.format() == OutputFormat::yaml;
    if (tree) printTree(context.io(), context.format(), imageValue(image));
    return absl::OkStatus();
}

// The archive of the recipe, from the cache if it has been built before.
absl::StatusOr<std::string> archiveOf(Context& context, const BuildOptions& options, const std::string& recipe) {
    const std::string folder = cacheFolder() + "/images";
    HS_ASSIGN_OR_RETURN(const std::string digest, recipeDigest(recipe));
    const std::string archive = folder + "/" + options.name + "-" + digest.substr(0, kDigestDigits) + ".tar";
    if (!options.no_cache && ::access(archive.c_str(), R_OK) == 0) return archive;
    HS_RETURN_IF_ERROR(makeDirectories(folder));
    Progress progress(context.io(), "image " + options.name);
    progress.update(0, 0, "building");
    HS_RETURN_IF_ERROR(buildRecipe(recipe, archive, context.cancellation(),
                                   [&](const std::string& line) { progress.update(0, 0, line); }));
    progress.finish("built from " + recipe);
    return archive;
}

absl::StatusOr<int> build(Context& context, const BuildOptions& options) {
    HS_RETURN_IF_ERROR(checkName("image name", options.name));
    HS_ASSIGN_OR_RETURN(const std::string recipe, findRecipe(options.name, recipeFolders(options.recipes)));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const std::string archive, archiveOf(context, options, recipe));
    HS_RETURN_IF_ERROR(upload(context, *client, options.name, archive));
    return 0;
}

// "nginx" of "/tmp/nginx.oci.tar.gz".
std::string nameFromFile(const std::string& file) {
    const std::string base = std::filesystem::path(file).filename().string();
    return base.substr(0, base.find('.'));
}

absl::Status importRootfs(Context& context, Client& client, const std::string& name, const std::string& tar) {
    std::error_code error;
    std::string scratch = std::filesystem::temp_directory_path(error) / "homeslice-import.XXXXXX";
    if (error) return errnoStatus(error.value(), "temporary directory");
    if (::mkdtemp(scratch.data()) == nullptr) return errnoStatus(errno, "mkdtemp(" + scratch + ")");
    const Defer clean([&] { static_cast<void>(removeTree(scratch)); });
    const std::string archive = scratch + "/image.tar";
    HS_RETURN_IF_ERROR(oci::writeOciArchive(tar, {}, archive));
    return upload(context, client, name, archive);
}

absl::StatusOr<int> import(Context& context, const ImportOptions& options) {
    const std::string name = options.name.empty() ? nameFromFile(options.file) : options.name;
    HS_RETURN_IF_ERROR(checkName("image name", name));
    HS_ASSIGN_OR_RETURN_CTX(const oci::ArchiveKind kind, oci::detectArchive(options.file), options.file);
    if (kind == oci::ArchiveKind::oci_layout) {
        HS_RETURN_IF_ERROR_CTX(oci::checkOciArchive(options.file).status(), options.file);
    }
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_RETURN_IF_ERROR(kind == oci::ArchiveKind::oci_layout ? upload(context, *client, name, options.file)
                                                            : importRootfs(context, *client, name, options.file));
    return 0;
}

absl::StatusOr<int> list(Context& context) {
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::ListImagesResponse response, client->listImages());
    printList(context.io(), context.format(), imageColumns(), listOf(response.images(), imageValue));
    return 0;
}

absl::StatusOr<int> remove(Context& context, const std::string& name) {
    HS_RETURN_IF_ERROR(checkName("image name", name));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_RETURN_IF_ERROR(client->removeImage(name));
    context.io().err << "image " << name << ": removed\n" << std::flush;
    return 0;
}

void declareBuild(CLI::App& image, Context& context) {
    CLI::App* const app = image.add_subcommand("build", "Build an image from its recipe and store it");
    const auto options = std::make_shared<BuildOptions>();
    app->add_option("NAME", options->name, "Name of the recipe and of the image: busybox, debian, ...")->required();
    app->add_option("--recipe,--recipes", options->recipes,
                    "Folder of the recipe, or a folder of recipes; default: $HOMESLICE_IMAGES, the source tree, "
                    "/usr/share/homeslice/images")
        ->type_name("DIR");
    app->add_flag("--no-cache", options->no_cache, "Build anew even if the recipe has not changed");
    app->footer("Example: slicectl image build debian");
    context.setAction(*app, CommandTail::none, [&context, options] { return build(context, *options); });
}

void declareImport(CLI::App& image, Context& context) {
    CLI::App* const app =
        image.add_subcommand("import", "Store an OCI archive, or a tar of a root file system, as an image");
    const auto options = std::make_shared<ImportOptions>();
    app->add_option("FILE", options->file, "The archive, as skopeo copy ... oci-archive:FILE writes it")->required();
    app->add_option("--name", options->name, "Name of the image; default: the file's name up to its first dot")
        ->type_name("NAME");
    app->footer("Example: slicectl image import nginx.tar --name web");
    context.setAction(*app, CommandTail::none, [&context, options] { return import(context, *options); });
}

}  // namespace

void registerImage(CLI::App& app, Context& context) {
    CLI::App* const image = app.add_subcommand("image", "Root file systems that slivers start from");
    image->require_subcommand(1);
    declareBuild(*image, context);
    declareImport(*image, context);

    CLI::App* const ls = image->add_subcommand("ls", "List the stored images");
    ls->footer("Example: slicectl image ls -o wide");
    context.setAction(*ls, CommandTail::none, [&context] { return list(context); });

    CLI::App* const rm = image->add_subcommand("rm", "Remove an image that no slice uses");
    const auto name = std::make_shared<std::string>();
    rm->add_option("NAME", *name, "Name of the image")->required();
    rm->footer("Example: slicectl image rm busybox");
    context.setAction(*rm, CommandTail::none, [&context, name] { return remove(context, *name); });
}

}  // namespace homeslice::ctl
