#include <memory>
#include <optional>
#include <vector>

#include "base/ipv6.h"
#include "base/status.h"
#include "ctl/client/cancellation.h"
#include "ctl/client/client.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/home_changes.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/views.h"

namespace homeslice::ctl {
namespace {

absl::StatusOr<Value> bindings(Context& context) {
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::ListBindingsResponse response, client->listBindings());
    return listOf(response.bindings(), bindingValue);
}

absl::StatusOr<int> list(Context& context) {
    HS_ASSIGN_OR_RETURN(const Value all, bindings(context));
    printList(context.io(), context.format(), bindingColumns(), all);
    return 0;
}

// What `what` names: a home address, the slivers of a slice, or one sliver.
absl::StatusOr<Value> chosen(const Value& all, const std::string& what) {
    Value result = Value::array();
    const auto address = Ipv6Address::parse(what);
    SliverRef ref;
    if (!address.ok()) {
        HS_ASSIGN_OR_RETURN_CTX(ref, parseSliverRef(what), "neither a home address nor a sliver");
    }
    for (const Value& binding : all) {
        const bool named =
            address.ok() ? binding.at("home_address") == address->toString()
                         : binding.at("slice") == ref.slice && (!ref.index || binding.at("sliver_index") == *ref.index);
        if (named) result.push_back(binding);
    }
    if (result.empty()) return notFound("no home agent has a binding of " + what);
    return result;
}

absl::StatusOr<int> show(Context& context, const std::string& what) {
    HS_ASSIGN_OR_RETURN(const Value all, bindings(context));
    HS_ASSIGN_OR_RETURN(const Value shown, chosen(all, what));
    if (context.format() == OutputFormat::json || context.format() == OutputFormat::yaml) {
        printTree(context.io(), context.format(), shown);
        return 0;
    }
    for (size_t i = 0; i < shown.size(); ++i) {
        if (i != 0) context.io().out << '\n';
        printObject(context.io(), context.format(), bindingColumns(), shown[i]);
    }
    return 0;
}

std::vector<Value> changesBy(const v1::HomeBindingEvent& event, HomeChanges& changes) {
    std::optional<Value> change;
    switch (event.message_case()) {
        case v1::HomeBindingEvent::kBound:
            change = changes.bound(bindingValue(event.bound()));
            break;
        case v1::HomeBindingEvent::kUnbound:
            change = changes.unbound(bindingValue(event.unbound()));
            break;
        case v1::HomeBindingEvent::kRole:
            return changes.roleChanged(event.role().home_agent(), event.role().in_charge());
        case v1::HomeBindingEvent::kSnapshotEnd:
            return changes.end();
        default:
            break;
    }
    return change ? std::vector<Value>{*change} : std::vector<Value>();
}

// Until interrupted. Without a controller there is nothing to watch.
absl::StatusOr<int> watch(Context& context) {
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HomeChanges changes;
    const absl::Status ended = client->watchBindings([&] { changes.begin(); },
                                                     [&](const v1::HomeBindingEvent& event) {
                                                         for (const Value& change : changesBy(event, changes))
                                                             printChange(context.io(), context.format(), change);
                                                     });
    if (context.cancellation().cancelled()) return 0;
    return ended;
}

}  // namespace

void registerHome(CLI::App& app, Context& context) {
    CLI::App* const home = app.add_subcommand("home", "Home addresses and where their packets go");
    home->require_subcommand(1);
    CLI::App* const ls = home->add_subcommand("ls", "List the bindings that the home agents hold");
    ls->footer("Example: slicectl home ls -o wide");
    context.setAction(*ls, CommandTail::none, [&context] { return list(context); });

    CLI::App* const one =
        home->add_subcommand("show", "Show all about the bindings of an address, a slice or a sliver");
    const auto what = std::make_shared<std::string>();
    one->add_option("WHAT", *what, "Home address, SLICE or SLICE/INDEX")->required();
    one->footer("Example: slicectl home show web/2");
    context.setAction(*one, CommandTail::none, [&context, what] { return show(context, *what); });

    CLI::App* const follow =
        home->add_subcommand("watch", "Print a line for each binding, then for each change as it happens");
    follow->footer("Example: slicectl home watch\n         slicectl home watch -o json | jq .change");
    context.setAction(*follow, CommandTail::none, [&context] { return watch(context); });
}

}  // namespace homeslice::ctl
