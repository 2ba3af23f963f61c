#include "controller/model/placement_rules.h"

#include <algorithm>
#include <cctype>

#include "base/status.h"

namespace homeslice::controller {
namespace {

constexpr size_t kMaxLength = 63;

bool isWord(const std::string& text) {
    const auto is_alphanumeric = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
    const auto may_follow = [&](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; };
    return !text.empty() && text.size() <= kMaxLength && is_alphanumeric(text[0]) &&
           std::all_of(text.begin(), text.end(), may_follow);
}

absl::Status checkWord(const char* what, const std::string& text) {
    if (isWord(text)) return absl::OkStatus();
    return invalidArgument(std::string(what) + " '" + text.substr(0, kMaxLength) +
                           "' is not valid: 1 to 63 letters, digits, '-', '_' or '.', a letter or digit first");
}

}  // namespace

bool LabelTerm::matches(const Labels& labels) const {
    const auto label = labels.find(key);
    switch (relation) {
        case Relation::present:
            return label != labels.end();
        case Relation::equal:
            return label != labels.end() && label->second == value;
        case Relation::unequal:
            return label == labels.end() || label->second != value;
    }
    return false;
}

std::string LabelTerm::toString() const {
    if (relation == Relation::present) return key;
    return key + (relation == Relation::equal ? "=" : "!=") + value;
}

absl::Status checkLabelKey(const std::string& key) { return checkWord("label", key); }

absl::Status checkLabel(const std::string& key, const std::string& value) {
    HS_RETURN_IF_ERROR(checkLabelKey(key));
    return checkWord("value of a label", value);
}

absl::StatusOr<LabelTerm> parseLabelTerm(const std::string& text) {
    LabelTerm term;
    const size_t equals = text.find('=');
    if (equals == std::string::npos) {
        term.key = text;
        HS_RETURN_IF_ERROR(checkLabelKey(term.key));
        return term;
    }
    const bool unequal = equals > 0 && text[equals - 1] == '!';
    term.relation = unequal ? LabelTerm::Relation::unequal : LabelTerm::Relation::equal;
    term.key = text.substr(0, unequal ? equals - 1 : equals);
    term.value = text.substr(equals + 1);
    HS_RETURN_IF_ERROR(checkLabel(term.key, term.value));
    return term;
}

}  // namespace homeslice::controller
