// Where a slice's slivers are to be: the options of `slice create` and `slice plan`.
#pragma once

#include <absl/status/statusor.h>
#include <homeslice/v1/controller.pb.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace homeslice::ctl {

// The option --on-node-loss, of `slice set` too, and what it says: "replace" or "stay".
void declareOnNodeLoss(CLI::App& app, std::string& text);
absl::StatusOr<v1::OnNodeLoss> parseOnNodeLoss(const std::string& text);

class PlacementOptions {
public:
    void declare(CLI::App& app);
    // Fills in the request; INVALID_ARGUMENT on what cannot be read.
    absl::Status apply(v1::CreateSliceRequest& request) const;

private:
    absl::Status applyNodes(v1::CreateSliceRequest& request) const;
    bool given(const std::string& option) const { return app_->count(option) > 0; }

    // As typed. Given or not is CLI11's to say: a given empty value looks the same as an absent one.
    CLI::App* app_ = nullptr;
    std::string nodes_;
    std::string on_;
    bool all_nodes_ = false;
    std::string slivers_;
    std::vector<std::string> where_;
    std::string spread_over_;
    bool pack_ = false;
    std::vector<std::string> apart_from_;
    std::string on_node_loss_;
    std::string reservation_;
};

}  // namespace homeslice::ctl
