#include "ctl/commands/home_changes.h"

#include <utility>

#include "base/clock.h"
#include "ctl/output/table.h"

namespace homeslice::ctl {
namespace {

std::string keyOf(const Value& binding) {
    return binding.at("home_agent").get<std::string>() + ' ' + binding.at("home_address").get<std::string>() + ' ' +
           binding.at("binding_id").dump();
}

// Empty when `after` is but a refresh of `before`.
std::string changeBetween(const Value& before, const Value& after) {
    if (before.at("care_of_address") != after.at("care_of_address")) return "moved";
    for (const char* field : {"generation", "state", "priority", "weight", "in_charge"})
        if (before.at(field) != after.at(field)) return "changed";
    return "";
}

Value withChange(Value binding, const std::string& change) {
    binding["change"] = change;
    return binding;
}

std::string textOf(const Value& change, const char* field) { return printable(showPlain(change.at(field))); }

}  // namespace

std::vector<Value> HomeChanges::since(const Value& bindings) {
    std::vector<Value> changes;
    std::map<std::string, Value> gone = std::exchange(known_, {});
    for (const Value& binding : bindings) {
        const std::string key = keyOf(binding);
        const auto before = gone.extract(key);
        const std::string change = before.empty() ? "bound" : changeBetween(before.mapped(), binding);
        if (!change.empty()) changes.push_back(withChange(binding, change));
        known_[key] = binding;
    }
    for (auto& [key, binding] : gone) changes.push_back(withChange(std::move(binding), "gone"));
    return changes;
}

void printChange(const Io& io, OutputFormat format, const Value& change) {
    if (format == OutputFormat::json) {
        io.out << change.dump() << '\n' << std::flush;
        return;
    }
    if (format == OutputFormat::yaml) {
        io.out << "---\n";
        printTree(io, format, change);
        io.out << std::flush;
        return;
    }
    io.out << formatUtc(Utc::now()) << ' ' << textOf(change, "home_agent") << ": " << textOf(change, "change") << ' '
           << textOf(change, "home_address") << " (" << textOf(change, "sliver") << ") -> "
           << textOf(change, "care_of_address") << " (" << textOf(change, "node") << "), " << textOf(change, "state")
           << ", generation " << textOf(change, "generation") << '\n'
           << std::flush;
}

}  // namespace homeslice::ctl
