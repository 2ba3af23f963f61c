#include <memory>

#include "base/names.h"
#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/slice_parts.h"
#include "ctl/commands/views.h"

namespace homeslice::ctl {
namespace {

absl::StatusOr<int> share(Context& context, const std::string& name, const std::string& user, bool end) {
    HS_RETURN_IF_ERROR(checkName("slice name", name));
    HS_RETURN_IF_ERROR(checkName("user name", user));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::Slice slice, client->shareSlice(name, user, end));
    printObject(context.io(), context.format(), sliceColumns(), sliceValue(slice));
    return 0;
}

}  // namespace

void declareSliceShare(CLI::App& slice, Context& context) {
    CLI::App* const app = slice.add_subcommand("share", "Let another user use a slice");
    const auto name = std::make_shared<std::string>();
    const auto user = std::make_shared<std::string>();
    const auto end = std::make_shared<bool>(false);
    app->add_option("NAME", *name, "Name of the slice")->required();
    app->add_option("USER", *user, "Name of the user")->required();
    app->add_flag("--end", *end, "The user may not use it any more");
    app->footer("Example: slicectl slice share web bob");
    context.setAction(*app, CommandTail::none,
                      [&context, name, user, end] { return share(context, *name, *user, *end); });
}

}  // namespace homeslice::ctl
