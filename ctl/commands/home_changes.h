// What happens to bindings, for `home watch`.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ctl/output/io.h"
#include "ctl/output/printer.h"
#include "ctl/output/value.h"

namespace homeslice::ctl {

// Each change is a binding with a field `change` more: "bound", "moved" (other care-of address), "changed" (other
// terms, generation or role of its home agent) or "gone" (the last that was known). A refresh is none. Bindings are as
// bindingValue() makes them.
class HomeChanges {
public:
    // A whole picture begins: what it does not name is gone when it ends.
    void begin() { named_.clear(); }
    // Nothing for a refresh.
    std::optional<Value> bound(const Value& binding);
    // Nothing for one that was not known.
    std::optional<Value> unbound(const Value& binding);
    std::vector<Value> roleChanged(const std::string& home_agent, bool in_charge);
    std::vector<Value> end();

private:
    std::map<std::string, Value> known_;
    std::set<std::string> named_;  // since the picture began
};

// A line of text, or of JSON; a YAML document.
void printChange(const Io& io, OutputFormat format, const Value& change);

}  // namespace homeslice::ctl
