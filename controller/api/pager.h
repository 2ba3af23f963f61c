// Pages of a list. A page begins behind a key, which is where the one before ended; so whatever comes or goes
// meanwhile, what is there throughout comes once. Tokens hold the key and what was asked for. Pure.
#pragma once

#include <absl/status/statusor.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>

namespace homeslice::controller {

inline constexpr uint32_t kUsualPage = 1000;
inline constexpr uint32_t kLargestPage = 10'000;
// A page ends where it has become so large: clients of gRPC take 4 MiB, unless they are told otherwise.
inline constexpr size_t kPageBytes = 2 << 20;

class Pager {
public:
    // Of a request with `page_size` and `page_token`, and what else it asks for. INVALID_ARGUMENT, PAGE_TOKEN_INVALID
    // for a token that was not given out for the same.
    template <typename Request>
    static absl::StatusOr<Pager> of(const Request& request, const std::string& filter = "") {
        return open(Request::descriptor()->name() + "/" + filter, request.page_size(), request.page_token());
    }

    bool isFirst() const { return first_; }
    // The key at the end of the page before; empty before the first.
    const std::string& after() const { return after_; }
    // How many to look for: one more than are shown tells whether there is another page.
    size_t most() const { return most_ + 1; }
    // Of a token with a key of another form.
    static absl::Status badToken();

    // Those of `views`, which are in the order of `key_of` as bytes, that come behind the page before.
    template <typename Views, typename KeyOf, typename Add, typename Response>
    void fillSorted(const Views& views, const KeyOf& key_of, const Add& add, Response& response) const {
        auto begin = views.begin();
        if (!first_) begin = std::find_if(begin, views.end(), [&](const auto& view) { return key_of(view) > after_; });
        fill(begin, views.end(), key_of, add, response);
    }
    // The range begins behind the page before. `add(view)` adds it to the response, and answers what it added.
    template <typename Iterator, typename KeyOf, typename Add, typename Response>
    void fill(Iterator begin, Iterator end, const KeyOf& key_of, const Add& add, Response& response) const {
        size_t bytes = 0;
        size_t count = 0;
        for (Iterator it = begin; it != end; ++it, ++count) {
            if (count == most_ || bytes >= kPageBytes) {
                return response.set_next_page_token(tokenFor(key_of(*std::prev(it))));
            }
            bytes += add(*it).ByteSizeLong();
        }
    }

private:
    static absl::StatusOr<Pager> open(const std::string& list, uint32_t page_size, const std::string& token);
    std::string tokenFor(const std::string& key) const;

    std::string list_;
    std::string after_;
    bool first_ = true;
    uint32_t most_ = kUsualPage;
};

}  // namespace homeslice::controller
