// The systems that the user works with, in the user's configuration directory ($XDG_CONFIG_HOME/homeslice, else
// ~/.config/homeslice):
//   contexts/NAME/controller   its address
//   contexts/NAME/             the user's credentials there (pki/files.h)
//   current-context            NAME
// Directories are 0700, files with keys 0600.
#pragma once

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <vector>

#include "pki/files.h"

namespace homeslice::ctl {

struct SystemContext {
    std::string name;
    std::string controller;  // HOST:PORT or [IPv6]:PORT
    std::string directory;   // of the credentials
    bool current = false;
};

class Contexts {
public:
    // FAILED_PRECONDITION when there is neither $XDG_CONFIG_HOME nor $HOME.
    static absl::StatusOr<Contexts> open();

    // By name.
    absl::StatusOr<std::vector<SystemContext>> list() const;
    absl::StatusOr<SystemContext> find(const std::string& name) const;
    absl::StatusOr<std::optional<SystemContext>> current() const;

    // ALREADY_EXISTS rather than replacing one. The first one becomes the current one.
    absl::Status add(const std::string& name, const std::string& controller, const pki::Credentials& credentials) const;
    absl::Status checkFree(const std::string& name) const;
    absl::Status use(const std::string& name) const;
    // With its key.
    absl::Status remove(const std::string& name) const;

private:
    explicit Contexts(std::string directory) : directory_(std::move(directory)) {}
    std::string directoryOf(const std::string& name) const { return directory_ + "/contexts/" + name; }
    std::string currentName() const;

    std::string directory_;
};

}  // namespace homeslice::ctl
