#include <memory>

#include "base/clock.h"
#include "base/names.h"
#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/parse_time.h"
#include "ctl/commands/views.h"

namespace homeslice::ctl {
namespace {

constexpr uint32_t kMostNodes = 65535;

// As typed; empty means not given.
struct CreateOptions {
    std::string name;
    std::string from;
    std::string duration;
    std::string cpus;
    std::string nodes;
    std::string on;
    std::vector<std::string> where;
    std::string owner;
};

absl::StatusOr<v1::CreateReservationRequest> requestOf(const CreateOptions& options) {
    HS_RETURN_IF_ERROR(checkName("reservation name", options.name));
    v1::CreateReservationRequest request;
    request.set_name(options.name);
    HS_ASSIGN_OR_RETURN(const std::chrono::seconds duration, parseDuration("--for", options.duration));
    request.set_duration_s(static_cast<uint32_t>(duration.count()));
    HS_ASSIGN_OR_RETURN(const uint32_t cpu_millis, parseCpus("--cpus", options.cpus));
    request.set_cpu_millis(cpu_millis);
    if (!options.from.empty()) {
        HS_ASSIGN_OR_RETURN(const Utc::time_point start, parseFuture("--from", options.from, Utc::now()));
        request.set_start_us(toUnixMicros(start));
    }
    if (options.nodes.empty() == options.on.empty()) {
        return invalidArgument("say where: --nodes N (any N nodes) or --on NODE,NODE (these)");
    }
    if (!options.nodes.empty()) {
        HS_ASSIGN_OR_RETURN(const uint32_t count, parseCount("--nodes", options.nodes, kMostNodes));
        request.set_node_count(count);
    } else {
        HS_ASSIGN_OR_RETURN(const std::vector<std::string> names, parseNames("--on", options.on));
        request.mutable_nodes()->Add(names.begin(), names.end());
    }
    for (const std::string& term : options.where) request.add_where(term);
    if (!options.owner.empty()) HS_RETURN_IF_ERROR(checkName("user name", options.owner));
    request.set_owner(options.owner);
    return request;
}

absl::StatusOr<int> create(Context& context, const CreateOptions& options) {
    HS_ASSIGN_OR_RETURN(const v1::CreateReservationRequest request, requestOf(options));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::Reservation reservation, client->createReservation(request));
    printObject(context.io(), context.format(), reservationColumns(), reservationValue(reservation));
    return 0;
}

absl::StatusOr<int> list(Context& context) {
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::ListReservationsResponse response, client->listReservations());
    printList(context.io(), context.format(), reservationColumns(), listOf(response.reservations(), reservationValue));
    return 0;
}

absl::StatusOr<int> remove(Context& context, const std::string& name) {
    HS_RETURN_IF_ERROR(checkName("reservation name", name));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_RETURN_IF_ERROR(client->removeReservation(name));
    context.io().err << "reservation " << name << ": removed\n" << std::flush;
    return 0;
}

void declareCreate(CLI::App& reservation, Context& context) {
    CLI::App* const app = reservation.add_subcommand("create", "Hold CPU time of nodes for slices to come");
    const auto options = std::make_shared<CreateOptions>();
    app->add_option("NAME", options->name, "Name of the reservation")->required();
    app->add_option("--for", options->duration, "How long it lasts, such as 4h or 7d")
        ->type_name("DURATION")
        ->required();
    app->add_option("--from", options->from,
                    "When it begins: a time such as 2026-01-02T03:04:05Z, or how long from "
                    "now, such as 2h; default: now")
        ->type_name("TIME");
    app->add_option("--cpus", options->cpus, "CPU time of each node, in processors, such as 1.5")
        ->type_name("C")
        ->required();
    app->add_option("--nodes", options->nodes, "Of this many nodes, the emptiest first")->type_name("N");
    app->add_option("--on", options->on, "Of exactly these nodes")->type_name("NODE,NODE");
    app->add_option("--where", options->where, "Only nodes with this label, such as rack=r1; may be repeated")
        ->type_name("LABEL[=VALUE]")
        ->allow_extra_args(false);
    app->add_option("--owner", options->owner, "User who may make slices on it; default: you")->type_name("USER");
    app->footer(
        "Its owner uses it by slice create --reservation NAME.\n\n"
        "Example: slicectl reservation create nightly --from 2h --for 4h --cpus 1.5 --nodes 3");
    context.setAction(*app, CommandTail::none, [&context, options] { return create(context, *options); });
}

}  // namespace

void registerReservation(CLI::App& app, Context& context) {
    CLI::App* const reservation = app.add_subcommand("reservation", "CPU time of nodes that is held ahead of time");
    reservation->require_subcommand(1);
    declareCreate(*reservation, context);

    CLI::App* const ls = reservation->add_subcommand("ls", "List the reservations, with the slices on them");
    ls->footer("Example: slicectl reservation ls");
    context.setAction(*ls, CommandTail::none, [&context] { return list(context); });

    const auto name = std::make_shared<std::string>();
    CLI::App* const rm = reservation->add_subcommand("rm", "Let go what a reservation holds");
    rm->add_option("NAME", *name, "Name of the reservation")->required();
    rm->footer("Example: slicectl reservation rm nightly");
    context.setAction(*rm, CommandTail::none, [&context, name] { return remove(context, *name); });
}

}  // namespace homeslice::ctl
