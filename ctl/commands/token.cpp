#include "ctl/commands/token.h"

#include "base/clock.h"
#include "base/status.h"
#include "ctl/commands/parse.h"

namespace homeslice::ctl {

void addTokenOptions(CLI::App& app, TokenOptions& options) {
    app.add_option("--valid", options.valid, "How long the token is good for, at most 30d")
        ->type_name("DURATION")
        ->capture_default_str();
}

absl::StatusOr<uint32_t> tokenLifetime(const TokenOptions& options) {
    HS_ASSIGN_OR_RETURN(const std::chrono::seconds lifetime, parseDuration("--valid", options.valid));
    return static_cast<uint32_t>(lifetime.count());
}

void printToken(Context& context, const v1::JoinToken& token, const std::string& command) {
    const std::string until = formatUtc(fromUnixMicros(token.expires_us()));
    if (context.format() == OutputFormat::table || context.format() == OutputFormat::wide) {
        context.io().out << token.token() << '\n' << std::flush;
        context.io().err << "good once, until " << until << ": " << command << " TOKEN\n";
        return;
    }
    printTree(context.io(), context.format(), Value{{"token", token.token()}, {"expires", until}});
}

}  // namespace homeslice::ctl
