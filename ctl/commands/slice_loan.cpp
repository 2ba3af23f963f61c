// `slicectl slice lend`, `return` and `loans`: a guarantee that another slice has for a time.
#include <memory>

#include "base/names.h"
#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/slice_parts.h"
#include "ctl/commands/views.h"

namespace homeslice::ctl {
namespace {

struct LendOptions {
    std::string lender;
    std::string borrower;
    std::string cpus;
    std::string duration;
};

absl::StatusOr<int> lend(Context& context, const LendOptions& options) {
    HS_RETURN_IF_ERROR(checkName("slice name", options.lender));
    HS_RETURN_IF_ERROR(checkName("slice name", options.borrower));
    v1::LendGuaranteeRequest request;
    request.set_name(options.lender);
    request.set_borrower(options.borrower);
    HS_ASSIGN_OR_RETURN(const uint32_t cpu_millis, parseCpus("--cpus", options.cpus));
    request.set_cpu_millis(cpu_millis);
    HS_ASSIGN_OR_RETURN(const std::chrono::seconds duration, parseDuration("--for", options.duration));
    request.set_duration_s(static_cast<uint32_t>(duration.count()));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::Loan loan, client->lendGuarantee(request));
    printObject(context.io(), context.format(), loanColumns(), loanValue(loan));
    return 0;
}

absl::StatusOr<int> giveBack(Context& context, const std::string& borrower, const std::string& lender) {
    HS_RETURN_IF_ERROR(checkName("slice name", borrower));
    HS_RETURN_IF_ERROR(checkName("slice name", lender));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_RETURN_IF_ERROR(client->endLoan(borrower, lender));
    context.io().err << "slice " << lender << " has its guarantee back\n" << std::flush;
    return 0;
}

absl::StatusOr<int> list(Context& context) {
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::ListLoansResponse response, client->listLoans());
    printList(context.io(), context.format(), loanColumns(), listOf(response.loans(), loanValue));
    return 0;
}

}  // namespace

void declareSliceLoans(CLI::App& slice, Context& context) {
    CLI::App* const lend_app = slice.add_subcommand("lend", "Let another slice have part of a slice's guarantee");
    const auto options = std::make_shared<LendOptions>();
    lend_app->add_option("NAME", options->lender, "Name of the slice that lends")->required();
    lend_app->add_option("--to", options->borrower, "Slice that gets it")->type_name("SLICE")->required();
    lend_app->add_option("--cpus", options->cpus, "CPU time of each sliver, in processors, such as 0.5")
        ->type_name("C")
        ->required();
    lend_app->add_option("--for", options->duration, "Until it is given back, such as 2h")
        ->type_name("DURATION")
        ->required();
    lend_app->footer(
        "Counts on nodes that have slivers of both, and is given back by itself when its time is over.\n\n"
        "Example: slicectl slice lend web --to batch --cpus 0.5 --for 2h");
    context.setAction(*lend_app, CommandTail::none, [&context, options] { return lend(context, *options); });

    CLI::App* const return_app = slice.add_subcommand("return", "Give a lent guarantee back before its time");
    const auto borrower = std::make_shared<std::string>();
    const auto lender = std::make_shared<std::string>();
    return_app->add_option("NAME", *borrower, "Name of the slice that has it")->required();
    return_app->add_option("--to", *lender, "Slice that gets it back")->type_name("SLICE")->required();
    return_app->footer("Example: slicectl slice return batch --to web");
    context.setAction(*return_app, CommandTail::none,
                      [&context, borrower, lender] { return giveBack(context, *borrower, *lender); });

    CLI::App* const loans = slice.add_subcommand("loans", "List what slices lend each other");
    loans->footer("Example: slicectl slice loans");
    context.setAction(*loans, CommandTail::none, [&context] { return list(context); });
}

}  // namespace homeslice::ctl
