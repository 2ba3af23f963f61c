#include <memory>

#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/audit_flow.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/views.h"

namespace homeslice::ctl {
namespace {

constexpr uint32_t kMostEntries = 100'000;  // that the controller keeps

absl::StatusOr<int> log(Context& context, const std::string& tail) {
    HS_ASSIGN_OR_RETURN(const uint32_t newest, parseCount("--tail", tail, kMostEntries));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::ListAuditResponse response, client->listAudit(newest));
    printList(context.io(), context.format(), auditColumns(), listOf(response.entries(), auditValue));
    return 0;
}

}  // namespace

void registerAudit(CLI::App& app, Context& context) {
    CLI::App* const audit = app.add_subcommand("audit", "Who changed what, and who sent what");
    audit->require_subcommand(0, 1);
    const auto tail = std::make_shared<std::string>("1000");
    CLI::App* const show = audit->add_subcommand("log", "Show who asked for which change, when, and what came of it");
    show->add_option("--tail", *tail, "So many of the newest entries")->type_name("N")->capture_default_str();
    show->footer("Example: slicectl audit log --tail 20");
    context.setAction(*show, CommandTail::none, [&context, tail] { return log(context, *tail); });
    registerAuditFlow(*audit, context);
    audit->footer("Example: slicectl audit --address fd51:1ce:0:1::1:2 --at 2026-01-02T03:04:05Z");
}

}  // namespace homeslice::ctl
