#include "controller/api/encoded_lists.h"

#include <algorithm>

#include "controller/api/convert.h"

namespace homeslice::controller {
namespace {

constexpr size_t kKept = 4;  // everything, the changes since, and what others hear meanwhile

}  // namespace

std::shared_ptr<const std::string> EncodedLists::of(const std::shared_ptr<const NodeList>& list) {
    const std::lock_guard lock(mutex_);
    const auto known = std::find_if(encoded_.begin(), encoded_.end(), [&](const auto& e) { return e.first == list; });
    if (known != encoded_.end()) {
        encoded_.splice(encoded_.begin(), encoded_, known);
    } else {
        if (encoded_.size() == kKept) encoded_.pop_back();
        encoded_.emplace_front(list, std::make_shared<const std::string>(toMessage(*list).SerializeAsString()));
    }
    return encoded_.front().second;
}

}  // namespace homeslice::controller
