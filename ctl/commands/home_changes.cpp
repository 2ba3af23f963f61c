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

std::optional<Value> HomeChanges::bound(const Value& binding) {
    const std::string key = keyOf(binding);
    named_.insert(key);
    const auto [known, is_new] = known_.try_emplace(key, binding);
    const std::string change = is_new ? "bound" : changeBetween(known->second, binding);
    known->second = binding;
    if (change.empty()) return std::nullopt;
    return withChange(binding, change);
}

std::optional<Value> HomeChanges::unbound(const Value& binding) {
    const auto known = known_.extract(keyOf(binding));
    if (known.empty()) return std::nullopt;
    return withChange(known.mapped(), "gone");
}

std::vector<Value> HomeChanges::roleChanged(const std::string& home_agent, bool in_charge) {
    std::vector<Value> changes;
    for (auto& [key, binding] : known_) {
        if (binding.at("home_agent") != home_agent || binding.at("in_charge") == in_charge) continue;
        binding["in_charge"] = in_charge;
        changes.push_back(withChange(binding, "changed"));
    }
    return changes;
}

std::vector<Value> HomeChanges::end() {
    std::vector<Value> gone;
    for (auto entry = known_.begin(); entry != known_.end();) {
        if (named_.contains(entry->first)) {
            ++entry;
            continue;
        }
        gone.push_back(withChange(std::move(entry->second), "gone"));
        entry = known_.erase(entry);
    }
    return gone;
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
