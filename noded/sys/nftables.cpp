#include "noded/sys/nftables.h"

#include <nftables/libnftables.h>

#include <memory>

#include "base/status.h"

namespace homeslice::sys {
namespace {

struct Release {
    void operator()(nft_ctx* context) const { nft_ctx_free(context); }
};

}  // namespace

absl::Status runNft(const std::string& commands) {
    const std::unique_ptr<nft_ctx, Release> context(nft_ctx_new(NFT_CTX_DEFAULT));
    if (!context) return errnoStatus(ENOMEM, "nftables");
    nft_ctx_buffer_error(context.get());  // not to stderr
    if (nft_run_cmd_from_buffer(context.get(), commands.c_str()) == 0) return absl::OkStatus();
    const std::string said = nft_ctx_get_error_buffer(context.get());
    return internalError("nftables: " + said.substr(0, said.find('\n')));
}

}  // namespace homeslice::sys
