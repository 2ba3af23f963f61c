#include "base/status.h"
#include "ctl/lab/actions.h"
#include "ctl/lab/lock.h"
#include "ctl/lab/sweep.h"

namespace homeslice::ctl::lab {

absl::StatusOr<int> down(Context& context) {
    HS_RETURN_IF_ERROR(requireRoot());
    HS_ASSIGN_OR_RETURN(const UniqueFd lock, lockLab());
    HS_ASSIGN_OR_RETURN(const bool left, isAnythingLeft());
    HS_RETURN_IF_ERROR(sweep());
    context.io().err << (left ? "lab: down\n" : "lab: there was none\n") << std::flush;
    return 0;
}

}  // namespace homeslice::ctl::lab
