#include "ctl/lab/certificates.h"

#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/file.h"
#include "base/status.h"
#include "ctl/lab/processes.h"
#include "pki/token.h"

namespace homeslice::ctl::lab {
namespace {

constexpr unsigned kNodeDirectoryMode = 0711;  // as noded makes it

bool exists(const std::string& path) {
    std::error_code error;
    return std::filesystem::exists(path, error);
}

// `sliced init`, in the place and with the identity of the controller.
Program initialiser(const Plan& plan) {
    Program program = plan.programs.front();
    program.argv = {program.argv.front(), "init", "--state-dir", controllerStateDirectory()};
    return program;
}

bool isHomeAgent(const Program& noded) {
    return std::find(noded.argv.begin(), noded.argv.end(), "--home-agent") != noded.argv.end();
}

absl::Status enrol(const Program& program, Client& client) {
    const std::string& node = program.name;
    const std::string state = nodeStateDirectory(node);
    if (exists(pki::identityPath(state + "/tls"))) return absl::OkStatus();
    HS_RETURN_IF_ERROR(makeDirectories(state, kNodeDirectoryMode));
    HS_ASSIGN_OR_RETURN(const v1::JoinToken token, client.makeNodeToken(node, 0, isHomeAgent(program)));
    HS_ASSIGN_OR_RETURN(const pki::Token parsed, pki::parseToken(token.token()));
    HS_ASSIGN_OR_RETURN(const pki::Credentials credentials, client.redeem(parsed));
    return pki::writeCredentials(state + "/tls", credentials);
}

}  // namespace

absl::Status makeAuthority(const Plan& plan) {
    if (exists(controllerStateDirectory() + "/pki")) return absl::OkStatus();
    const Program program = initialiser(plan);
    HS_ASSIGN_OR_RETURN(const ProcessId process, spawnProgram(program));
    int status = 0;
    while (::waitpid(process.pid, &status, 0) < 0) {
        if (errno != EINTR) return errnoStatus(errno, "wait for sliced init");
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
    return internalError("sliced init has failed; see " + program.log());
}

absl::Status enrolNodes(const Plan& plan, Client& client) {
    for (const Program& program : plan.programs) {
        if (program.host == kController) continue;
        HS_RETURN_IF_ERROR_CTX(enrol(program, client), "certificate of " + program.name);
    }
    return absl::OkStatus();
}

}  // namespace homeslice::ctl::lab
