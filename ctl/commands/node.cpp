#include <memory>
#include <nlohmann/json.hpp>

#include "base/names.h"
#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/node_rebalance.h"
#include "ctl/commands/operation.h"
#include "ctl/commands/token.h"
#include "ctl/commands/views.h"
#include "ctl/commands/watch.h"

namespace homeslice::ctl {
namespace {

absl::StatusOr<int> list(Context& context) {
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::ListNodesResponse response, client->listNodes());
    printList(context.io(), context.format(), nodeColumns(), listOf(response.nodes(), nodeValue));
    return 0;
}

absl::StatusOr<int> show(Context& context, const std::string& name) {
    HS_RETURN_IF_ERROR(checkName("node name", name));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::Node node, client->getNode(name));
    printObject(context.io(), context.format(), nodeColumns(), nodeValue(node));
    return 0;
}

absl::StatusOr<int> inspect(Context& context, const std::string& name) {
    HS_RETURN_IF_ERROR(checkName("node name", name));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const std::string text, client->inspectNode(name));
    const Value tree = Value::parse(text, nullptr, false);
    if (tree.is_discarded()) return dataLoss("node " + name + " answered with something that is not JSON");
    printTree(context.io(), context.format(), tree);
    return 0;
}

// "rack=r1" sets a label, "rack-" removes it.
absl::Status addLabel(const std::string& text, v1::SetNodeRequest& request) {
    const size_t equals = text.find('=');
    if (equals != std::string::npos) {
        (*request.mutable_labels())[text.substr(0, equals)] = text.substr(equals + 1);
        return absl::OkStatus();
    }
    if (text.size() < 2 || text.back() != '-') {
        return invalidArgument("'" + text + "' is neither KEY=VALUE, which sets a label, nor KEY-, which removes one");
    }
    request.add_remove_labels(text.substr(0, text.size() - 1));
    return absl::OkStatus();
}

absl::StatusOr<int> change(Context& context, const v1::SetNodeRequest& request) {
    HS_RETURN_IF_ERROR(checkName("node name", request.name()));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::Node node, client->setNode(request));
    printObject(context.io(), context.format(), nodeColumns(), nodeValue(node));
    return 0;
}

absl::StatusOr<int> label(Context& context, const std::string& name, const std::vector<std::string>& labels) {
    v1::SetNodeRequest request;
    request.set_name(name);
    for (const std::string& text : labels) HS_RETURN_IF_ERROR(addLabel(text, request));
    return change(context, request);
}

absl::StatusOr<int> cordon(Context& context, const std::string& name, bool cordoned) {
    v1::SetNodeRequest request;
    request.set_name(name);
    request.set_cordoned(cordoned);
    return change(context, request);
}

absl::StatusOr<int> drain(Context& context, const std::string& name, const WaitOptions& wait) {
    HS_RETURN_IF_ERROR(checkName("node name", name));
    const OperationStory story{
        .label = "node " + name,
        .look = "slicectl node show " + name,
        .start = [&](Client& client) { return client.drainNode(name); },
        .outcome = [](const v1::Operation& ended) { return "has no sliver left, after " + elapsedText(ended); },
        .print = [&](Client&, const v1::Operation& ended) { return printEnded(context, ended); }};
    return runOperation(context, wait, story);
}

void declareChanges(CLI::App& node, Context& context) {
    const auto name = std::make_shared<std::string>();
    const auto labels = std::make_shared<std::vector<std::string>>();
    CLI::App* const set_labels =
        node.add_subcommand("label", "Say of a node what placement may ask for: rack, site, ssd");
    set_labels->add_option("NODE", *name, "Name of the node")->required();
    set_labels->add_option("LABEL", *labels, "KEY=VALUE sets a label, KEY- removes it")->required();
    set_labels->footer("Example: slicectl node label node1 rack=r1 site=basel");
    context.setAction(*set_labels, CommandTail::none,
                      [&context, name, labels] { return label(context, *name, *labels); });

    CLI::App* const close = node.add_subcommand("cordon", "Place no more slivers on a node; those there stay");
    close->add_option("NODE", *name, "Name of the node")->required();
    close->footer("Example: slicectl node cordon node1");
    context.setAction(*close, CommandTail::none, [&context, name] { return cordon(context, *name, true); });

    CLI::App* const open = node.add_subcommand("uncordon", "Place slivers on a node again; ends a drain");
    open->add_option("NODE", *name, "Name of the node")->required();
    open->footer("Example: slicectl node uncordon node1");
    context.setAction(*open, CommandTail::none, [&context, name] { return cordon(context, *name, false); });

    CLI::App* const empty = node.add_subcommand("drain", "Cordon a node and move its slivers to others");
    const auto wait = std::make_shared<WaitOptions>();
    empty->add_option("NODE", *name, "Name of the node")->required();
    addWaitOptions(*empty, *wait);
    empty->footer(
        "Slivers go where their slice's rules of placement allow. Exit status 2: some could not leave.\n\n"
        "Example: slicectl node drain node1");
    context.setAction(*empty, CommandTail::none, [&context, name, wait] { return drain(context, *name, *wait); });
}

absl::StatusOr<int> makeToken(Context& context, const std::string& name, const TokenOptions& options, bool home_agent) {
    HS_RETURN_IF_ERROR(checkName("node name", name));
    HS_ASSIGN_OR_RETURN(const uint32_t lifetime_s, tokenLifetime(options));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::JoinToken token, client->makeNodeToken(name, lifetime_s, home_agent));
    printToken(context, token, "noded join --config /etc/homeslice/noded.conf --token");
    return 0;
}

absl::StatusOr<int> setHomeAgentRole(Context& context, const std::string& name, bool allowed) {
    HS_RETURN_IF_ERROR(checkName("node name", name));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_RETURN_IF_ERROR(client->setHomeAgentRole(name, allowed));
    context.io().err << "node " << name
                     << (allowed ? " may be a home agent: noded --home-agent\n" : " may be no home agent\n");
    return 0;
}

absl::StatusOr<int> revoke(Context& context, const std::string& name) {
    HS_RETURN_IF_ERROR(checkName("node name", name));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_RETURN_IF_ERROR(client->revokeNode(name));
    context.io().err << "the certificates of node " << name << " are revoked\n";
    return 0;
}

void declareCertificates(CLI::App& node, Context& context) {
    const auto name = std::make_shared<std::string>();
    const auto options = std::make_shared<TokenOptions>();
    CLI::App* const token = node.add_subcommand("token", "Print a one-time token with which a machine joins");
    token->add_option("NODE", *name, "Name of the node, new or known")->required();
    addTokenOptions(*token, *options);
    const auto home_agent = std::make_shared<bool>(false);
    token->add_flag("--home-agent", *home_agent, "It may be a home agent (noded --home-agent)");
    token->footer("Example: slicectl node token node4\n         slicectl node token ha --home-agent");
    context.setAction(*token, CommandTail::none, [&context, name, options, home_agent] {
        return makeToken(context, *name, *options, *home_agent);
    });

    CLI::App* const role = node.add_subcommand("home-agent", "Allow a node that has joined to be a home agent");
    const auto withdraw = std::make_shared<bool>(false);
    role->add_option("NODE", *name, "Name of the node")->required();
    role->add_flag("--withdraw", *withdraw, "Allow it no more");
    role->footer(
        "A home agent has all packets for home addresses in its hands, and the key that bindings are checked with;\n"
        "when the role is withdrawn it keeps that key, but its own bindings are checked with another.\n\n"
        "Example: slicectl node home-agent ha2");
    context.setAction(*role, CommandTail::none,
                      [&context, name, withdraw] { return setHomeAgentRole(context, *name, !*withdraw); });

    CLI::App* const revoke_node = node.add_subcommand("revoke", "Trust a node no more: its certificates end at once");
    revoke_node->add_option("NODE", *name, "Name of the node")->required();
    revoke_node->footer("Example: slicectl node revoke node4");
    context.setAction(*revoke_node, CommandTail::none, [&context, name] { return revoke(context, *name); });
}

}  // namespace

void registerNode(CLI::App& app, Context& context) {
    CLI::App* const node = app.add_subcommand("node", "Machines that hold slivers");
    node->require_subcommand(1);
    const auto name = std::make_shared<std::string>();

    CLI::App* const ls = node->add_subcommand("ls", "List the nodes");
    const auto follow = std::make_shared<bool>(false);
    ls->add_flag("-w,--watch", *follow, kWatchHelp);
    ls->footer("Example: slicectl node ls -o wide\n         slicectl node ls --watch");
    context.setAction(*ls, CommandTail::none, [&context, follow] {
        return *follow ? watchList(context, v1::WATCH_KIND_NODE, "") : list(context);
    });

    CLI::App* const show_node = node->add_subcommand("show", "Show one node");
    show_node->add_option("NODE", *name, "Name of the node")->required();
    show_node->footer("Example: slicectl node show node1");
    context.setAction(*show_node, CommandTail::none, [&context, name] { return show(context, *name); });

    CLI::App* const inspect_node =
        node->add_subcommand("inspect", "Dump what a node believes and what its kernel says, for bug reports");
    inspect_node->add_option("NODE", *name, "Name of the node")->required();
    inspect_node->footer("Example: slicectl node inspect node1 > node1.json");
    context.setAction(*inspect_node, CommandTail::none, [&context, name] { return inspect(context, *name); });

    declareChanges(*node, context);
    declareRebalance(*node, context);
    declareCertificates(*node, context);
}

}  // namespace homeslice::ctl
