// What a controller answers while another one leads: who that is (leader/controllers.h).
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "controller/auth/issuer.h"
#include "controller/images/image_files.h"

namespace homeslice::controller {

class FollowerServer {
public:
    struct Parts {
        std::function<std::string()> leader;  // its address; empty: nobody leads as far as is known
        const ImageFiles& images;             // that other controllers may fetch
        const Issuer& issuer;
    };
    // Listens where a Server would. What `parts` refers to outlives it.
    static absl::StatusOr<std::unique_ptr<FollowerServer>> start(const std::vector<std::string>& addresses,
                                                                 const Parts& parts);
    // Ends every call at once.
    virtual ~FollowerServer() = default;
};

}  // namespace homeslice::controller
