// SHA-256 in pieces.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>
#include <string_view>

namespace homeslice::oci {

class Sha256 {
public:
    Sha256();
    void update(std::string_view data);
    // "sha256:<hex>" of all that was given; the object is used up.
    std::string finish();

private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const;
    };
    std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace homeslice::oci
