#include "ctl/client/contexts.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/file.h"
#include "base/names.h"
#include "base/status.h"

namespace homeslice::ctl {
namespace {

constexpr unsigned kPrivateDirectory = 0700;

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

std::string withoutNewline(std::string text) {
    text.erase(text.find_last_not_of('\n') + 1);
    return text;
}

}  // namespace

absl::StatusOr<Contexts> Contexts::open() {
    const std::string config = variable("XDG_CONFIG_HOME");
    if (!config.empty()) return Contexts(config + "/homeslice");
    const std::string home = variable("HOME");
    if (home.empty()) return failedPrecondition("contexts are kept in the home directory, and $HOME is not set");
    return Contexts(home + "/.config/homeslice");
}

std::string Contexts::currentName() const {
    const auto name = readFile(directory_ + "/current-context");
    return name.ok() ? withoutNewline(*name) : "";
}

absl::StatusOr<SystemContext> Contexts::find(const std::string& name) const {
    HS_RETURN_IF_ERROR(checkName("context name", name));
    auto controller = readFile(directoryOf(name) + "/controller");
    if (controller.status().code() == absl::StatusCode::kNotFound) {
        return notFound("no context '" + name + "'; see slicectl context ls");
    }
    HS_RETURN_IF_ERROR(controller.status());
    return SystemContext{name, withoutNewline(*std::move(controller)), directoryOf(name), name == currentName()};
}

absl::StatusOr<std::vector<SystemContext>> Contexts::list() const {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory_ + "/contexts", error)) {
        names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    std::vector<SystemContext> contexts;
    for (const std::string& name : names) {
        HS_ASSIGN_OR_RETURN(SystemContext context, find(name));
        contexts.push_back(std::move(context));
    }
    return contexts;
}

absl::StatusOr<std::optional<SystemContext>> Contexts::current() const {
    const std::string name = currentName();
    if (name.empty()) return std::nullopt;
    HS_ASSIGN_OR_RETURN(SystemContext context, find(name));
    return context;
}

absl::Status Contexts::checkFree(const std::string& name) const {
    HS_RETURN_IF_ERROR(checkName("context name", name));
    std::error_code error;
    if (!std::filesystem::exists(directoryOf(name), error)) return absl::OkStatus();
    return alreadyExists("there is a context '" + name + "' already; remove it first: slicectl context rm " + name);
}

absl::Status Contexts::add(const std::string& name, const std::string& controller,
                           const pki::Credentials& credentials) const {
    HS_RETURN_IF_ERROR(checkFree(name));
    HS_RETURN_IF_ERROR(makeDirectories(directory_ + "/contexts", kPrivateDirectory));
    HS_RETURN_IF_ERROR(pki::writeCredentials(directoryOf(name), credentials));
    HS_RETURN_IF_ERROR(replaceFile(directoryOf(name) + "/controller", controller + "\n"));
    return currentName().empty() ? use(name) : absl::OkStatus();
}

absl::Status Contexts::use(const std::string& name) const {
    HS_RETURN_IF_ERROR(find(name).status());
    return replaceFile(directory_ + "/current-context", name + "\n");
}

absl::Status Contexts::remove(const std::string& name) const {
    HS_ASSIGN_OR_RETURN(const SystemContext context, find(name));
    if (context.current && ::unlink((directory_ + "/current-context").c_str()) != 0) {
        return errnoStatus(errno, "remove " + directory_ + "/current-context");
    }
    return removeTree(context.directory);
}

}  // namespace homeslice::ctl
