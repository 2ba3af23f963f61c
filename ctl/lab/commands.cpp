#include "ctl/lab/commands.h"

#include <memory>

#include "ctl/lab/actions.h"

namespace homeslice::ctl {
namespace {

void declareUp(CLI::App& lab, Context& context) {
    CLI::App* const app = lab.add_subcommand("up", "Bring up nodes, a home agent, a controller and an outside client");
    const auto wish = std::make_shared<lab::LabWish>();
    app->add_option("--nodes", wish->nodes, "How many, up to 50")->type_name("N")->capture_default_str();
    app->add_option("--home-agents", wish->home_agents, "How many, up to 4; one is in charge, the others stand by")
        ->type_name("N")
        ->capture_default_str();
    app->add_option("--correspondents", wish->correspondents,
                    "How many hosts without slivers that send straight to where slivers are, up to 9")
        ->type_name("N")
        ->capture_default_str();
    app->add_option("--home-prefix", wish->home_prefix, "Where slices get their addresses from")
        ->type_name("PREFIX")
        ->capture_default_str();
    app->add_flag("--ipv4", wish->network.ipv4, "Nodes and controller have IPv4 addresses only");
    app->add_flag("--outbound", wish->network.outbound,
                  "Nodes let slivers out under their own addresses, to IPv4 hosts too");
    app->add_option("--behind-nat", wish->behind_nat, "How many of the nodes, the last ones, a NAT hides; with --ipv4")
        ->type_name("N")
        ->capture_default_str();
    app->add_option("--certificate-lifetime", wish->times.certificate_lifetime,
                    "Of nodes' and users' certificates, which are renewed when a third is left; default: sliced's")
        ->type_name("DURATION");
    app->add_option("--grace", wish->times.grace,
                    "From the end of a lease, when slivers are frozen, to the slice's deletion; default: sliced's")
        ->type_name("DURATION");
    app->add_option("--keep-flows", wish->times.keep_flows,
                    "How long nodes keep their record of who sent what; default: noded's")
        ->type_name("DURATION");
    app->add_option("--replace-after", wish->times.replace_after,
                    "Silence after which a node's slivers are placed anew; default: sliced's")
        ->type_name("DURATION");
    app->footer("Example: slicectl lab up --nodes 3");
    context.setAction(*app, CommandTail::none, [&context, wish] { return lab::up(context, *wish); });
}

void declareRestart(CLI::App& lab, Context& context) {
    CLI::App* const app =
        lab.add_subcommand("restart", "Start programs again that have ended; slivers are not touched");
    const auto program = std::make_shared<std::string>();
    app->add_option("PROGRAM", *program, "One of lab status: ended with SIGKILL first if it lives");
    app->footer("Example: slicectl lab restart node1");
    context.setAction(*app, CommandTail::none, [&context, program] { return lab::restart(context, *program); });
}

void declareClient(CLI::App& lab, Context& context) {
    CLI::App* const app = lab.add_subcommand("client", "Run a command as the outside client");
    app->footer("Example: slicectl lab client -- ping -c 3 fd51:1ce:0:1::1:1");
    context.setAction(*app, CommandTail::required,
                      [&context] { return lab::run(context, lab::kClient, context.command()); });
}

void declareNode(CLI::App& lab, Context& context) {
    CLI::App* const app =
        lab.add_subcommand("node", "Run a command as a node, the home agent (ha) or the controller (ctl)");
    const auto name = std::make_shared<std::string>();
    app->add_option("NAME", *name, "node1, node2, ..., ha, ha2, ..., cn1, ..., ctl or nat")->required();
    app->footer("Example: slicectl lab node node1 -- ip -6 route");
    context.setAction(*app, CommandTail::required,
                      [&context, name] { return lab::run(context, *name, context.command()); });
}

}  // namespace

void registerLab(CLI::App& app, Context& context) {
    CLI::App* const lab = app.add_subcommand("lab", "A whole Homeslice on this machine, each node a network namespace");
    lab->require_subcommand(1);
    declareUp(*lab, context);

    CLI::App* const down = lab->add_subcommand("down", "Remove the lab with everything in it, also after a crash");
    down->footer("Example: slicectl lab down");
    context.setAction(*down, CommandTail::none, [&context] { return lab::down(context); });

    CLI::App* const status = lab->add_subcommand("status", "Show the lab's programs");
    status->footer("Example: slicectl lab status -o json");
    context.setAction(*status, CommandTail::none, [&context] { return lab::status(context); });

    declareRestart(*lab, context);
    declareClient(*lab, context);
    declareNode(*lab, context);
}

}  // namespace homeslice::ctl
