#include <memory>

#include "base/file.h"
#include "base/names.h"
#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/token.h"
#include "ctl/commands/user_quota.h"
#include "ctl/commands/views.h"

namespace homeslice::ctl {
namespace {

absl::StatusOr<int> list(Context& context) {
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::ListUsersResponse response, client->listUsers());
    printList(context.io(), context.format(), userColumns(), listOf(response.users(), userValue));
    return 0;
}

absl::StatusOr<v1::Role> parseRole(const std::string& text) {
    if (text == "user") return v1::ROLE_USER;
    if (text == "admin") return v1::ROLE_ADMIN;
    return invalidArgument("--role '" + text + "' is not valid: use user or admin");
}

absl::StatusOr<int> add(Context& context, const std::string& name, const std::string& role_name,
                        const TokenOptions& options) {
    HS_RETURN_IF_ERROR(checkName("user name", name));
    HS_ASSIGN_OR_RETURN(const v1::Role role, parseRole(role_name));
    HS_ASSIGN_OR_RETURN(const uint32_t lifetime_s, tokenLifetime(options));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::JoinToken token, client->addUser(name, role, lifetime_s));
    printToken(context, token, "slicectl context add NAME --controller ADDRESS:PORT --token");
    return 0;
}

absl::StatusOr<int> makeToken(Context& context, const std::string& name, const TokenOptions& options) {
    HS_RETURN_IF_ERROR(checkName("user name", name));
    HS_ASSIGN_OR_RETURN(const uint32_t lifetime_s, tokenLifetime(options));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::JoinToken token, client->makeUserToken(name, lifetime_s));
    printToken(context, token, "slicectl context add NAME --controller ADDRESS:PORT --token");
    return 0;
}

absl::StatusOr<int> remove(Context& context, const std::string& name) {
    HS_RETURN_IF_ERROR(checkName("user name", name));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_RETURN_IF_ERROR(client->removeUser(name));
    context.io().err << "user " << name << " is removed; the certificates are revoked\n";
    return 0;
}

// A key as it is, or the file that holds it.
absl::StatusOr<std::string> keyText(const std::string& given) {
    if (given.find(' ') != std::string::npos) return given;
    return readFile(given);
}

absl::StatusOr<int> addKey(Context& context, const std::string& user, const std::string& given) {
    HS_ASSIGN_OR_RETURN(const std::string key, keyText(given));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::User changed, client->addUserKey(user, key));
    printObject(context.io(), context.format(), userColumns(), userValue(changed));
    return 0;
}

absl::StatusOr<int> removeKey(Context& context, const std::string& user, const std::string& key) {
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::User changed, client->removeUserKey(user, key));
    printObject(context.io(), context.format(), userColumns(), userValue(changed));
    return 0;
}

void declareKeys(CLI::App& user, Context& context) {
    CLI::App* const key =
        user.add_subcommand("key", "Keys with which a user's ssh enters the slivers of the user's slices");
    key->require_subcommand(1);
    const auto of = std::make_shared<std::string>();
    const auto text = std::make_shared<std::string>();

    CLI::App* const add_key = key->add_subcommand("add", "Add a public key; the slivers have it within seconds");
    add_key->add_option("KEY", *text, "A file such as id_ed25519.pub, or the key itself, quoted")->required();
    add_key->add_option("--user", *of, "Whose; default: your own")->type_name("NAME");
    add_key->footer("Example: slicectl user key add ~/.ssh/id_ed25519.pub");
    context.setAction(*add_key, CommandTail::none, [&context, of, text] { return addKey(context, *of, *text); });

    CLI::App* const remove_key = key->add_subcommand("rm", "Take a public key away");
    remove_key->add_option("KEY", *text, "The key, or its comment")->required();
    remove_key->add_option("--user", *of, "Whose; default: your own")->type_name("NAME");
    remove_key->footer("Example: slicectl user key rm alice@laptop");
    context.setAction(*remove_key, CommandTail::none, [&context, of, text] { return removeKey(context, *of, *text); });
}

}  // namespace

void registerUser(CLI::App& app, Context& context) {
    CLI::App* const user = app.add_subcommand("user", "People, what they may do, and their keys");
    user->require_subcommand(1);
    const auto name = std::make_shared<std::string>();
    const auto role = std::make_shared<std::string>("user");
    const auto token = std::make_shared<TokenOptions>();

    CLI::App* const ls = user->add_subcommand("ls", "List the users");
    ls->footer("Example: slicectl user ls");
    context.setAction(*ls, CommandTail::none, [&context] { return list(context); });

    CLI::App* const add_user = user->add_subcommand("add", "Add a user, and print the one-time token for it");
    add_user->add_option("NAME", *name, "Name of the user")->required();
    add_user->add_option("--role", *role, "user or admin")->type_name("ROLE")->capture_default_str();
    addTokenOptions(*add_user, *token);
    add_user->footer("Example: slicectl user add alice");
    context.setAction(*add_user, CommandTail::none,
                      [&context, name, role, token] { return add(context, *name, *role, *token); });

    CLI::App* const token_user = user->add_subcommand("token", "Print a further one-time token, for another machine");
    token_user->add_option("NAME", *name, "Name of the user")->required();
    addTokenOptions(*token_user, *token);
    token_user->footer("Example: slicectl user token alice");
    context.setAction(*token_user, CommandTail::none,
                      [&context, name, token] { return makeToken(context, *name, *token); });

    CLI::App* const rm = user->add_subcommand("rm", "Remove a user, revoke its certificates, end what it has open");
    rm->add_option("NAME", *name, "Name of the user")->required();
    rm->footer("Example: slicectl user rm alice");
    context.setAction(*rm, CommandTail::none, [&context, name] { return remove(context, *name); });

    declareKeys(*user, context);
    declareUserQuota(*user, context);
}

}  // namespace homeslice::ctl
