#include "ctl/commands/user_quota.h"

#include <memory>

#include "base/names.h"
#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/views.h"

namespace homeslice::ctl {
namespace {

constexpr uint32_t kMostSlivers = 1'000'000'000;

// As typed; empty means not given, "none" that there is to be no limit.
struct QuotaOptions {
    std::string name;
    std::string slivers;
    std::string cpus;
    std::string memory;
    std::string disk;
};

absl::StatusOr<uint32_t> parseSlivers(const std::string& option, const std::string& text) {
    if (text == "0") return 0U;
    return parseCount(option, text, kMostSlivers);
}

// Puts one limit into the request, by `set` or among those without.
template <typename Parse, typename Set>
absl::Status apply(const std::string& name, const std::string& text, Parse parse, Set set,
                   v1::SetUserQuotaRequest& request) {
    if (text.empty()) return absl::OkStatus();
    if (text == "none") {
        request.add_unlimited(name);
        return absl::OkStatus();
    }
    HS_ASSIGN_OR_RETURN(const auto value, parse("--" + name, text));
    set(*request.mutable_quota(), value);
    return absl::OkStatus();
}

absl::StatusOr<v1::SetUserQuotaRequest> requestOf(const QuotaOptions& options) {
    HS_RETURN_IF_ERROR(checkName("user name", options.name));
    v1::SetUserQuotaRequest request;
    request.set_name(options.name);
    HS_RETURN_IF_ERROR(apply(
        "slivers", options.slivers, parseSlivers, [](v1::Quota& quota, uint32_t n) { quota.set_slivers(n); }, request));
    HS_RETURN_IF_ERROR(apply(
        "cpus", options.cpus, parseCpus, [](v1::Quota& quota, uint32_t n) { quota.set_cpu_millis(n); }, request));
    HS_RETURN_IF_ERROR(apply(
        "memory", options.memory, parseSize, [](v1::Quota& quota, uint64_t n) { quota.set_memory_bytes(n); }, request));
    HS_RETURN_IF_ERROR(apply(
        "disk", options.disk, parseSize, [](v1::Quota& quota, uint64_t n) { quota.set_disk_bytes(n); }, request));
    if (request.has_quota() || request.unlimited_size() > 0) return request;
    return invalidArgument("say what to limit, such as --slivers 20 or --memory 8G");
}

absl::StatusOr<int> set(Context& context, const QuotaOptions& options) {
    HS_ASSIGN_OR_RETURN(const v1::SetUserQuotaRequest request, requestOf(options));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::User user, client->setUserQuota(request));
    printObject(context.io(), context.format(), quotaColumns(), userValue(user));
    return 0;
}

absl::StatusOr<int> show(Context& context, const std::string& name, const std::vector<Column>& columns) {
    if (!name.empty()) HS_RETURN_IF_ERROR(checkName("user name", name));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::User user, client->getUser(name));
    printObject(context.io(), context.format(), columns, userValue(user));
    return 0;
}

}  // namespace

void declareUserQuota(CLI::App& user, Context& context) {
    const auto name = std::make_shared<std::string>();
    CLI::App* const show_user = user.add_subcommand("show", "Show a user");
    show_user->add_option("NAME", *name, "Name of the user; default: you");
    show_user->footer("Example: slicectl user show alice");
    context.setAction(*show_user, CommandTail::none, [&context, name] { return show(context, *name, userColumns()); });

    CLI::App* const quota = user.add_subcommand("quota", "What a user's slices may use together");
    quota->require_subcommand(1);
    CLI::App* const show_quota = quota->add_subcommand("show", "Show what is used, and of how much");
    show_quota->add_option("NAME", *name, "Name of the user; default: you");
    show_quota->footer("Example: slicectl user quota show");
    context.setAction(*show_quota, CommandTail::none,
                      [&context, name] { return show(context, *name, quotaColumns()); });

    const auto options = std::make_shared<QuotaOptions>();
    CLI::App* const set_quota = quota->add_subcommand("set", "Limit what a user's slices may use together");
    set_quota->add_option("NAME", options->name, "Name of the user")->required();
    set_quota->add_option("--slivers", options->slivers, "Most slivers")->type_name("N");
    set_quota->add_option("--cpus", options->cpus, "Sum of their --cpus")->type_name("C");
    set_quota->add_option("--memory", options->memory, "Sum of their --memory")->type_name("SIZE");
    set_quota->add_option("--disk", options->disk, "Sum of their --disk")->type_name("SIZE");
    set_quota->footer(
        "none takes a limit away; what is not given stays. What is in use already is not touched.\n\n"
        "Example: slicectl user quota set alice --slivers 20 --cpus 8 --memory 16G --disk none");
    context.setAction(*set_quota, CommandTail::none, [&context, options] { return set(context, *options); });
}

}  // namespace homeslice::ctl
