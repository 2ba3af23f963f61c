// What happened to the bindings between two looks at them, for `home watch`.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ctl/output/io.h"
#include "ctl/output/printer.h"
#include "ctl/output/value.h"

namespace homeslice::ctl {

class HomeChanges {
public:
    // `bindings` as bindingValue() makes them. Each change is a binding with a field `change` more: "bound", "moved"
    // (other care-of address), "changed" (other terms, generation or role of its home agent) or "gone" (the last that
    // was known). A refresh is none. At the first look all are "bound".
    std::vector<Value> since(const Value& bindings);

private:
    std::map<std::string, Value> known_;
};

// A line of text, or of JSON; a YAML document.
void printChange(const Io& io, OutputFormat format, const Value& change);

}  // namespace homeslice::ctl
