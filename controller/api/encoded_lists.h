// What all nodes know of each other, as it goes out to them: encoded once for all that are told the same.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "controller/model/model.h"

namespace homeslice::controller {

// Threads: any.
class EncodedLists {
public:
    // A serialized v1.NodeList.
    std::shared_ptr<const std::string> of(const std::shared_ptr<const NodeList>& list);

private:
    std::mutex mutex_;
    // The ones asked for last come first. They hold their lists: a pointer stands for one only as long as that lives.
    std::list<std::pair<std::shared_ptr<const NodeList>, std::shared_ptr<const std::string>>> encoded_;
};

}  // namespace homeslice::controller
