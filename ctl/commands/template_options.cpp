#include "ctl/commands/template_options.h"

#include <iterator>

#include "base/status.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/parse_template.h"
#include "ctl/commands/quantity.h"

namespace homeslice::ctl {
namespace {

constexpr uint32_t kMostFailures = 1000;
constexpr uint32_t kMostLogFiles = 100;

using Text = const std::string&;

// The last word on a variable is the one that counts.
void setVariable(const std::string& variable, std::vector<std::string>& env) {
    const std::string name = variable.substr(0, variable.find('=') + 1);
    std::erase_if(env, [&](const std::string& other) { return other.starts_with(name); });
    env.push_back(variable);
}

absl::Status addEnvironmentFile(Text option, Text path, SliverTemplate& base) {
    HS_ASSIGN_OR_RETURN(const std::vector<std::string> variables, readEnvironment(option, path));
    for (const std::string& variable : variables) setVariable(variable, base.env);
    return absl::OkStatus();
}

absl::Status addVariable(Text option, Text text, SliverTemplate& base) {
    const size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) return refuse(option, text, "NAME=value, such as MODE=test");
    setVariable(text, base.env);
    return absl::OkStatus();
}

absl::Status addFile(Text option, Text text, SliverTemplate& base) {
    HS_ASSIGN_OR_RETURN(base.files.emplace_back(), readFileOption(option, text));
    return absl::OkStatus();
}

absl::Status addVolume(Text option, Text text, SliverTemplate& base) {
    HS_ASSIGN_OR_RETURN(base.volumes.emplace_back(), parseVolume(option, text));
    return absl::OkStatus();
}

absl::Status addHost(Text option, Text text, SliverTemplate& base) {
    HS_ASSIGN_OR_RETURN(base.hosts.emplace_back(), parseHost(option, text));
    return absl::OkStatus();
}

template <auto List>
absl::Status addResolver(Text option, Text text, SliverTemplate& base) {
    if (text.empty()) return invalidArgument(option + " is empty");
    (base.resolver.*List).push_back(text);
    return absl::OkStatus();
}

template <auto Parse, auto Part, auto Field>
absl::Status set(Text option, Text text, SliverTemplate& base) {
    HS_ASSIGN_OR_RETURN((base.*Part).*Field, Parse(option, text));
    return absl::OkStatus();
}

template <auto Field>
absl::Status setText(Text option, Text text, SliverTemplate& base) {
    if (text.empty()) return invalidArgument(option + " is empty");
    base.*Field = text;
    return absl::OkStatus();
}

absl::Status setHealthCommand(Text option, Text text, SliverTemplate& base) {
    if (text.empty()) return invalidArgument(option + " is empty");
    base.health.argv = {"sh", "-c", text};
    return absl::OkStatus();
}

absl::Status setRestart(Text option, Text text, SliverTemplate& base) {
    HS_ASSIGN_OR_RETURN(base.restart, parseRestart(option, text));
    return absl::OkStatus();
}

template <uint32_t Most>
absl::StatusOr<uint32_t> countUpTo(Text option, Text text) {
    return parseCount(option, text, Most);
}

absl::Status setBalance(Text option, Text text, SliverTemplate& base) {
    HS_ASSIGN_OR_RETURN(base.balance, parseBalanceOption(option, text));
    return absl::OkStatus();
}

struct Flag {
    const char* name;
    const char* type;
    const char* help;
    absl::Status (*apply)(Text option, Text text, SliverTemplate& base);
};

using T = SliverTemplate;

// In the order in which they count.
constexpr Flag kRepeated[] = {
    {"--env-file", "FILE", "NAME=value lines for its environment; may be repeated", addEnvironmentFile},
    {"--env", "NAME=VALUE", "Variable of its environment; may be repeated", addVariable},
    {"--file", "LOCAL:PATH[:MODE]", "Local file to be put at PATH in it; may be repeated", addFile},
    {"--volume", "SRC:DST[:ro]", "Directory of the node, as far as the node allows it; may be repeated", addVolume},
    {"--host", "NAME=ADDR", "Line of its hosts file; may be repeated", addHost},
    {"--dns", "ADDR", "Name server that it asks; may be repeated", addResolver<&Resolver::servers>},
    {"--dns-search", "DOMAIN", "Domain in which it looks up short names; may be repeated",
     addResolver<&Resolver::search>},
};

constexpr Flag kSingles[] = {
    {"--user", "USER[:GROUP]", "Names or numbers, looked up inside; default: the image's", setText<&T::user>},
    {"--workdir", "PATH", "Where its command starts; default: the image's", setText<&T::working_directory>},
    {"--hostname", "NAME", "Default: SLICE-INDEX", setText<&T::hostname>},
    {"--disk-medium", "MEDIUM", "Where its writable layer is: store (a disk, the default) or memory",
     set<parseDiskMedium, &T::resources, &Resources::disk_medium>},
    {"--restart", "WHEN", "When its command has ended: never (the default), on-failure or always", setRestart},
    {"--health", "CMD", "Shell command that says by its exit status whether all is well", setHealthCommand},
    {"--health-interval", "DURATION", "Between two checks; default: 1s",
     set<parseMillis, &T::health, &HealthCheck::interval>},
    {"--health-timeout", "DURATION", "For one check; default: 1s", set<parseMillis, &T::health, &HealthCheck::timeout>},
    {"--health-failures", "N", "In a row until it is unhealthy; default: 3",
     set<countUpTo<kMostFailures>, &T::health, &HealthCheck::failures>},
    {"--health-start-period", "DURATION", "In which failures do not count; default: none",
     set<parseMillis, &T::health, &HealthCheck::start_period>},
    {"--stop-signal", "SIGNAL", "That asks its command to end; default: TERM",
     set<parseSignal, &T::stop, &StopPolicy::signal>},
    {"--stop-grace", "DURATION", "From that signal to KILL; default: 10s",
     set<parseMillis, &T::stop, &StopPolicy::grace>},
    {"--balance", "HOW",
     "How the flows to the slice's address spread: hash (the default), round-robin, least-load or nearest", setBalance},
    {"--log-size", "SIZE", "At which its log goes on in a new file; default: 10M",
     set<parseSize, &T::log, &LogPolicy::max_bytes>},
    {"--log-files", "N", "Kept of its log; default: 2", set<countUpTo<kMostLogFiles>, &T::log, &LogPolicy::files>},
};

}  // namespace

void TemplateOptions::declare(CLI::App& app) {
    const std::string group = "What each sliver is";
    repeated_.resize(std::size(kRepeated));
    for (size_t i = 0; i < std::size(kRepeated); ++i) {
        const Flag& flag = kRepeated[i];
        app.add_option(flag.name, repeated_[i], flag.help)->type_name(flag.type)->allow_extra_args(false)->group(group);
    }
    singles_.resize(std::size(kSingles));
    for (size_t i = 0; i < std::size(kSingles); ++i) {
        const Flag& flag = kSingles[i];
        single_options_.push_back(
            app.add_option(flag.name, singles_[i], flag.help)->type_name(flag.type)->group(group));
    }
}

absl::Status TemplateOptions::apply(SliverTemplate& base) const {
    for (size_t i = 0; i < repeated_.size(); ++i) {
        for (const std::string& text : repeated_[i]) {
            HS_RETURN_IF_ERROR(kRepeated[i].apply(kRepeated[i].name, text, base));
        }
    }
    for (size_t i = 0; i < singles_.size(); ++i) {
        if (single_options_[i]->count() == 0) continue;
        HS_RETURN_IF_ERROR(kSingles[i].apply(kSingles[i].name, singles_[i], base));
    }
    return absl::OkStatus();
}

}  // namespace homeslice::ctl
