#include <memory>
#include <nlohmann/json.hpp>

#include "base/names.h"
#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/views.h"

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

}  // namespace

void registerNode(CLI::App& app, Context& context) {
    CLI::App* const node = app.add_subcommand("node", "Machines that hold slivers");
    node->require_subcommand(1);
    const auto name = std::make_shared<std::string>();

    CLI::App* const ls = node->add_subcommand("ls", "List the nodes");
    ls->footer("Example: slicectl node ls -o wide");
    context.setAction(*ls, CommandTail::none, [&context] { return list(context); });

    CLI::App* const show_node = node->add_subcommand("show", "Show one node");
    show_node->add_option("NODE", *name, "Name of the node")->required();
    show_node->footer("Example: slicectl node show node1");
    context.setAction(*show_node, CommandTail::none, [&context, name] { return show(context, *name); });

    CLI::App* const inspect_node =
        node->add_subcommand("inspect", "Dump what a node believes and what its kernel says, for bug reports");
    inspect_node->add_option("NODE", *name, "Name of the node")->required();
    inspect_node->footer("Example: slicectl node inspect node1 > node1.json");
    context.setAction(*inspect_node, CommandTail::none, [&context, name] { return inspect(context, *name); });
}

}  // namespace homeslice::ctl
