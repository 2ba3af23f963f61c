// `slicectl context`: which system the other commands speak to.
#include <memory>

#include "base/names.h"
#include "base/status.h"
#include "ctl/client/address.h"
#include "ctl/client/contexts.h"
#include "ctl/commands/commands.h"
#include "pki/certificate.h"
#include "pki/enrol/enrol.h"

namespace homeslice::ctl {
namespace {

struct AddOptions {
    std::string name;
    std::string controller;
    std::string token;
    std::string credentials;
};

const std::vector<Column>& contextColumns() {
    static const std::vector<Column> kColumns{
        {.header = "context", .field = "name"},
        {.header = "current", .field = "current"},
        {.header = "controller", .field = "controller"},
        {.header = "user", .field = "user"},
        {.header = "certificate ends", .field = "certificate_end", .show = showAge}};
    return kColumns;
}

Value contextValue(const SystemContext& system) {
    Value value{{"name", system.name},
                {"current", system.current},
                {"controller", system.controller},
                {"user", nullptr},
                {"certificate_end", nullptr}};
    const auto files = pki::readCredentials(system.directory);
    const auto certificate =
        files.ok() ? pki::Certificate::parse(files->certificate_pem) : absl::StatusOr<pki::Certificate>(files.status());
    if (!certificate.ok()) return value;
    if (const auto identity = certificate->identity(); identity.ok()) value["user"] = identity->name;
    value["certificate_end"] = formatUtc(certificate->notAfter());
    return value;
}

absl::StatusOr<int> list(Context& context) {
    HS_ASSIGN_OR_RETURN(const Contexts contexts, Contexts::open());
    HS_ASSIGN_OR_RETURN(const std::vector<SystemContext> systems, contexts.list());
    Value rows = Value::array();
    for (const SystemContext& system : systems) rows.push_back(contextValue(system));
    printList(context.io(), context.format(), contextColumns(), rows);
    return 0;
}

absl::StatusOr<pki::Credentials> obtain(const AddOptions& options) {
    if (!options.credentials.empty()) return pki::readCredentials(options.credentials);
    HS_ASSIGN_OR_RETURN(const pki::Token token, pki::parseToken(options.token));
    if (token.kind != pki::Kind::user) return invalidArgument("--token: this one is for a node: see noded join --help");
    HS_ASSIGN_OR_RETURN(const std::vector<std::string> targets, grpcTargets(options.controller));
    return enrol::join(targets, token);
}

absl::StatusOr<int> add(Context& context, const AddOptions& options) {
    HS_ASSIGN_OR_RETURN(const Contexts contexts, Contexts::open());
    // Before the token is used up.
    HS_RETURN_IF_ERROR(contexts.checkFree(options.name));
    HS_RETURN_IF_ERROR(grpcTargets(options.controller).status());
    if (isSocket(options.controller)) return invalidArgument("--controller: a socket needs no context");
    if (options.token.empty() == options.credentials.empty()) {
        return invalidArgument("give either --token or --credentials");
    }
    HS_ASSIGN_OR_RETURN(const pki::Credentials credentials, obtain(options));
    HS_RETURN_IF_ERROR(contexts.add(options.name, options.controller, credentials));
    context.io().err << "context " << options.name << " is added\n";
    return 0;
}

absl::StatusOr<int> use(const std::string& name) {
    HS_ASSIGN_OR_RETURN(const Contexts contexts, Contexts::open());
    HS_RETURN_IF_ERROR(contexts.use(name));
    return 0;
}

absl::StatusOr<int> remove(const std::string& name) {
    HS_ASSIGN_OR_RETURN(const Contexts contexts, Contexts::open());
    HS_RETURN_IF_ERROR(contexts.remove(name));
    return 0;
}

void declareAdd(CLI::App& parent, Context& context) {
    CLI::App* const app = parent.add_subcommand("add", "Get a certificate for a token, and keep it as a context");
    const auto options = std::make_shared<AddOptions>();
    app->add_option("NAME", options->name, "Your name for the system")->required();
    app->add_option("--controller", options->controller, "HOST:PORT or [IPv6]:PORT, several with commas between")
        ->type_name("ADDRESS")
        ->required();
    app->add_option("--token", options->token, "From an administrator: slicectl user add");
    app->add_option("--credentials", options->credentials,
                    "In place of a token: a copy of the directory that `sliced init` made for the administrator")
        ->type_name("DIRECTORY");
    app->footer("Example: slicectl context add lab --controller [fd00:51ce::c0c0]:7400 --token TOKEN");
    context.setAction(*app, CommandTail::none, [&context, options] { return add(context, *options); });
}

}  // namespace

void registerSystemContext(CLI::App& app, Context& context) {
    CLI::App* const parent = app.add_subcommand("context", "The systems that you work with, and who you are there");
    parent->require_subcommand(1);
    const auto name = std::make_shared<std::string>();

    CLI::App* const ls = parent->add_subcommand("ls", "List the contexts");
    ls->footer("Example: slicectl context ls");
    context.setAction(*ls, CommandTail::none, [&context] { return list(context); });

    CLI::App* const use_one = parent->add_subcommand("use", "Choose the context that the other commands speak to");
    use_one->add_option("NAME", *name, "Name of the context")->required();
    use_one->footer("Example: slicectl context use lab");
    context.setAction(*use_one, CommandTail::none, [name] { return use(*name); });

    declareAdd(*parent, context);

    CLI::App* const rm = parent->add_subcommand("rm", "Forget a context, with its key");
    rm->add_option("NAME", *name, "Name of the context")->required();
    rm->footer("Example: slicectl context rm lab");
    context.setAction(*rm, CommandTail::none, [name] { return remove(*name); });
}

}  // namespace homeslice::ctl
