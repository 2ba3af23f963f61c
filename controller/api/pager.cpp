#include "controller/api/pager.h"

#include <absl/strings/escaping.h>

#include "base/reason.h"
#include "base/status.h"

namespace homeslice::controller {

absl::Status Pager::badToken() {
    return because(invalidArgument("the page token is not one of this list: begin without one"),
                   reason::kPageTokenInvalid);
}

absl::StatusOr<Pager> Pager::open(const std::string& list, uint32_t page_size, const std::string& token) {
    Pager pager;
    pager.list_ = list;
    pager.most_ = page_size == 0 ? kUsualPage : std::min(page_size, kLargestPage);
    if (token.empty()) return pager;
    std::string text;
    const std::string prefix = list + '\0';
    if (!absl::WebSafeBase64Unescape(token, &text) || !text.starts_with(prefix)) return badToken();
    pager.first_ = false;
    pager.after_ = text.substr(prefix.size());
    return pager;
}

std::string Pager::tokenFor(const std::string& key) const { return absl::WebSafeBase64Escape(list_ + '\0' + key); }

}  // namespace homeslice::controller
