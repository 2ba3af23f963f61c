// Recipes of images: a folder with an executable `build`, called as `build OUT.tar` to write a root file system, and an
// optional config.json with "argv", "env", "working_directory" and "user" of the image.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <string>
#include <vector>

#include "ctl/client/cancellation.h"

namespace homeslice::ctl {

// Folders in which to look for NAME/build, in this order: `option` (--recipes; it may also be the recipe's own folder),
// $HOMESLICE_IMAGES, the source tree of this program, /usr/share/homeslice/images.
std::vector<std::string> recipeFolders(const std::string& option);

// The folder of the recipe; NOT_FOUND names where it was looked for.
absl::StatusOr<std::string> findRecipe(const std::string& name, const std::vector<std::string>& folders);

// Where built archives are kept: $XDG_CACHE_HOME/homeslice, for root /var/cache/homeslice.
std::string cacheFolder();

// Hex digest of the names, modes and contents of all files of the recipe.
absl::StatusOr<std::string> recipeDigest(const std::string& recipe);

// Runs the recipe and writes the OCI archive, atomically. `line` gets each line that the recipe prints. When the recipe
// fails, the error holds its last line. Nothing but the archive stays behind; `cancellation` ends the recipe.
absl::Status buildRecipe(const std::string& recipe, const std::string& archive, Cancellation& cancellation,
                         const std::function<void(const std::string&)>& line);

}  // namespace homeslice::ctl
