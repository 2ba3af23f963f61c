#include "ctl/commands/fake_controller.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "base/clock.h"
#include "base/file.h"
#include "base/ipv6.h"
#include "base/unique_fd.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/context.h"

namespace homeslice::ctl {
namespace {

constexpr int64_t kStartedUs = 1'767'323'045'000'000;

std::string bytesOf(const std::string& address) { return Ipv6Address::parse(address)->toBytes(); }

v1::Slice sliceNamed(const std::string& name, const v1::SliverTemplate& base) {
    v1::Slice slice;
    slice.set_name(name);
    *slice.mutable_base() = base;
    slice.set_prefix("fd51:1ce:0:7::/64");
    slice.set_address(bytesOf("fd51:1ce:0:7::1"));
    slice.set_lease_end_us(kStartedUs);
    return slice;
}

v1::Node nodeNamed(const std::string& name) {
    v1::Node node;
    node.set_name(name);
    node.set_ready(true);
    node.set_care_of_address(bytesOf("fd00:51ce::1"));
    node.set_memory_bytes(4ULL << 30);
    return node;
}

v1::HomeBinding someBinding() {
    v1::HomeBinding binding;
    binding.set_home_address(bytesOf("fd51:1ce:0:7::1:2"));
    binding.set_care_of_address(bytesOf("fd00:51ce::1"));
    binding.set_slice("web");
    binding.set_sliver_index(2);
    binding.set_draining(true);
    binding.set_priority(10);
    binding.set_registered_us(kStartedUs);
    binding.set_forwarded_packets(7);
    binding.set_forwarded_bytes(4096);
    return binding;
}

}  // namespace

FakeController::FakeController() {
    base.set_image("debian");
    base.mutable_resources()->set_memory_bytes(128 << 20);
    v1::ExposedPort* const port = base.add_exposed();
    port->set_protocol(v1::PROTOCOL_TCP);
    port->set_port(80);
    char folder[] = "/tmp/hst-ctl.XXXXXX";
    folder_ = ::mkdtemp(folder);
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address(), grpc::InsecureServerCredentials());
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
}

FakeController::~FakeController() {
    {
        const std::lock_guard lock(mutex_);
        hold_operation = false;
    }
    released_.notify_all();
    server_->Shutdown(std::chrono::system_clock::now());
    static_cast<void>(removeTree(folder_));
}

void FakeController::addSliver(const std::string& slice, uint32_t index, const std::string& node) {
    v1::Sliver sliver;
    sliver.mutable_id()->set_slice(slice);
    sliver.mutable_id()->set_index(index);
    sliver.set_node(node);
    sliver.set_state(v1::SLIVER_STATE_RUNNING);
    sliver.set_home_address(bytesOf("fd51:1ce:0:7::1:" + std::to_string(index)));
    slivers[slice].push_back(sliver);
}

void FakeController::addOperationState(v1::OperationState state, uint32_t done, uint32_t total) {
    v1::Operation operation;
    operation.set_id("op-1");
    operation.set_state(state);
    operation.set_done(done);
    operation.set_total(total);
    operation.set_started_us(kStartedUs);
    if (state > v1::OPERATION_STATE_RUNNING) operation.set_ended_us(kStartedUs + 412'000);
    operation_states.push_back(operation);
}

grpc::Status FakeController::ListNodes(grpc::ServerContext*, const v1::ListNodesRequest*,
                                       v1::ListNodesResponse* response) {
    *response->add_nodes() = nodeNamed("node1");
    return refusal;
}

grpc::Status FakeController::GetNode(grpc::ServerContext*, const v1::GetNodeRequest* request, v1::Node* node) {
    *node = nodeNamed(request->name());
    return refusal;
}

grpc::Status FakeController::SetNode(grpc::ServerContext*, const v1::SetNodeRequest* request, v1::Node* node) {
    node_set = *request;
    *node = nodeNamed(request->name());
    *node->mutable_labels() = request->labels();
    node->set_cordoned(request->cordoned());
    return refusal;
}

grpc::Status FakeController::DrainNode(grpc::ServerContext*, const v1::DrainNodeRequest* request,
                                       v1::Operation* operation) {
    drained = request->name();
    operation->set_id("op-1");
    return refusal;
}

grpc::Status FakeController::InspectNode(grpc::ServerContext*, const v1::GetNodeRequest*,
                                         v1::InspectResponse* response) {
    response->set_json(R"({"links": 3})");
    return refusal;
}

grpc::Status FakeController::ImportImage(grpc::ServerContext*, grpc::ServerReader<v1::ImportImageRequest>* reader,
                                         v1::Image* image) {
    v1::ImportImageRequest request;
    while (reader->Read(&request)) {
        if (request.has_header()) imported_name = request.header().name();
        imported_data += request.chunk().data();
        if (request.chunk().data().size() > 256 << 10) return {grpc::StatusCode::INVALID_ARGUMENT, "chunk too large"};
    }
    image->set_name(imported_name);
    image->set_size_bytes(imported_data.size());
    return refusal;
}

grpc::Status FakeController::ListImages(grpc::ServerContext*, const v1::ListImagesRequest*,
                                        v1::ListImagesResponse* response) {
    v1::Image* const image = response->add_images();
    image->set_name("debian");
    image->set_size_bytes(64 << 20);
    return refusal;
}

grpc::Status FakeController::RemoveImage(grpc::ServerContext*, const v1::RemoveImageRequest* request,
                                         v1::RemoveImageResponse*) {
    if (refuse_once) return *std::exchange(refuse_once, std::nullopt);
    deleted = request->name();
    return refusal;
}

grpc::Status FakeController::PlanSlice(grpc::ServerContext*, const v1::CreateSliceRequest* request,
                                       v1::SlicePlan* plan) {
    planned = *request;
    v1::SlicePlan::Place* const place = plan->add_places();
    place->set_index(1);
    place->set_node("node2");
    place->set_reason("among the emptiest");
    v1::SlicePlan::Exclusion* const exclusion = plan->add_exclusions();
    exclusion->set_reason("cordoned");
    exclusion->add_nodes("node1");
    return refusal;
}

grpc::Status FakeController::CreateSlice(grpc::ServerContext*, const v1::CreateSliceRequest* request,
                                         v1::Operation* operation) {
    created = *request;
    ++creations;
    operation->set_id("op-1");
    return refusal;
}

grpc::Status FakeController::GetSlice(grpc::ServerContext*, const v1::GetSliceRequest* request, v1::Slice* slice) {
    if (!slivers.contains(request->name())) {
        return {grpc::StatusCode::NOT_FOUND, "no slice '" + request->name() + "'"};
    }
    *slice = sliceNamed(request->name(), base);
    return refusal;
}

grpc::Status FakeController::ListSlices(grpc::ServerContext*, const v1::ListSlicesRequest*,
                                        v1::ListSlicesResponse* response) {
    for (const auto& [name, members] : slivers) *response->add_slices() = sliceNamed(name, base);
    return refusal;
}

grpc::Status FakeController::RenewSlice(grpc::ServerContext*, const v1::RenewSliceRequest* request, v1::Slice* slice) {
    renewed = *request;
    *slice = sliceNamed(request->name(), base);
    slice->set_lease_note(lease_note);
    return refusal;
}

grpc::Status FakeController::SetSlice(grpc::ServerContext*, const v1::SetSliceRequest* request,
                                      v1::Operation* operation) {
    changed = *request;
    operation->set_id("op-1");
    return refusal;
}

grpc::Status FakeController::SetFrozen(grpc::ServerContext*, const v1::SetFrozenRequest* request,
                                       v1::Operation* operation) {
    frozen = *request;
    operation->set_id("op-1");
    return refusal;
}

grpc::Status FakeController::DeleteSlice(grpc::ServerContext*, const v1::DeleteSliceRequest* request,
                                         v1::Operation* operation) {
    deleted = request->name();
    operation->set_id("op-1");
    return refusal;
}

grpc::Status FakeController::ListSlivers(grpc::ServerContext*, const v1::ListSliversRequest* request,
                                         v1::ListSliversResponse* response) {
    const auto found = slivers.find(request->slice());
    if (found != slivers.end()) response->mutable_slivers()->Add(found->second.begin(), found->second.end());
    return refusal;
}

grpc::Status FakeController::GetSliver(grpc::ServerContext*, const v1::GetSliverRequest* request, v1::Sliver* sliver) {
    for (const v1::Sliver& member : slivers[request->id().slice()]) {
        if (member.id().index() == request->id().index()) *sliver = member;
    }
    return sliver->has_id() ? refusal : grpc::Status(grpc::StatusCode::NOT_FOUND, "no such sliver");
}

grpc::Status FakeController::MoveSliver(grpc::ServerContext*, const v1::MoveSliverRequest* request,
                                        v1::Operation* operation) {
    moved = *request;
    operation->set_id("op-1");
    return refusal;
}

grpc::Status FakeController::Exec(grpc::ServerContext*, ExecStream* stream) {
    v1::ExecRequest first;
    if (!stream->Read(&first)) return {grpc::StatusCode::INVALID_ARGUMENT, "no start"};
    return exec(first.start(), *stream);
}

grpc::Status FakeController::Logs(grpc::ServerContext*, const v1::LogsRequest* request,
                                  grpc::ServerWriter<v1::Chunk>* writer) {
    LogScript script{log, refusal};
    {
        const std::lock_guard lock(mutex_);
        logs_requests.push_back(*request);
        if (logs_requests.size() <= logs.size()) script = logs[logs_requests.size() - 1];
    }
    v1::Chunk chunk;
    chunk.set_data(script.log);
    if (!script.log.empty()) writer->Write(chunk);
    return script.end;
}

grpc::Status FakeController::ListBindings(grpc::ServerContext*, const v1::ListBindingsRequest*,
                                          v1::ListBindingsResponse* response) {
    *response->add_bindings() = someBinding();
    return refusal;
}

// First by one home agent, then by another.
grpc::Status FakeController::WatchHomeBindings(grpc::ServerContext*, const v1::WatchHomeBindingsRequest*,
                                               grpc::ServerWriter<v1::HomeBindingEvent>* writer) {
    const bool first = binding_watches++ == 0;
    v1::HomeBindingEvent event;
    *event.mutable_bound() = someBinding();
    event.mutable_bound()->set_home_agent(first ? "ha" : "ha2");
    writer->Write(event);
    event.set_snapshot_end(true);
    writer->Write(event);
    if (first) return {grpc::StatusCode::ABORTED, "other home agents are ready now: watch again"};
    return {grpc::StatusCode::INTERNAL, "going down"};
}

grpc::Status FakeController::MakeNodeToken(grpc::ServerContext*, const v1::MakeNodeTokenRequest* request,
                                           v1::JoinToken* token) {
    node_token = *request;
    token->set_token("the-token");
    token->set_expires_us(kStartedUs);
    return refusal;
}

grpc::Status FakeController::RevokeNode(grpc::ServerContext*, const v1::RevokeNodeRequest* request,
                                        v1::RevokeNodeResponse*) {
    deleted = request->name();
    return refusal;
}

grpc::Status FakeController::SetHomeAgentRole(grpc::ServerContext*, const v1::SetHomeAgentRoleRequest* request,
                                              v1::SetHomeAgentRoleResponse*) {
    role = *request;
    return refusal;
}

grpc::Status FakeController::ListUsers(grpc::ServerContext*, const v1::ListUsersRequest* request,
                                       v1::ListUsersResponse* response) {
    if (!user_pages.empty()) {
        const size_t page = request->page_token().empty() ? 0 : std::stoul(request->page_token());
        for (const std::string& name : user_pages.at(page)) response->add_users()->set_name(name);
        if (page + 1 < user_pages.size()) response->set_next_page_token(std::to_string(page + 1));
        return refusal;
    }
    v1::User* const user = response->add_users();
    user->set_name("alice");
    user->set_role(v1::ROLE_ADMIN);
    user->set_created_us(kStartedUs);
    user->add_ssh_keys("ssh-ed25519 AAAA alice@example");
    return refusal;
}

grpc::Status FakeController::AddUser(grpc::ServerContext*, const v1::AddUserRequest* request, v1::JoinToken* token) {
    added_user = *request;
    token->set_token("the-token");
    token->set_expires_us(kStartedUs);
    return refusal;
}

grpc::Status FakeController::AddUserKey(grpc::ServerContext*, const v1::UserKeyRequest* request, v1::User* user) {
    key = *request;
    user->set_name("alice");
    return refusal;
}

grpc::Status FakeController::ShareSlice(grpc::ServerContext*, const v1::ShareSliceRequest* request, v1::Slice* slice) {
    shared = *request;
    *slice = sliceNamed(request->name(), base);
    slice->add_members(request->user());
    return refusal;
}

grpc::Status FakeController::FindFlows(grpc::ServerContext*, const v1::FindFlowsRequest* request,
                                       v1::FlowReport* response) {
    flows = *request;
    *response = flow_report;
    return refusal;
}

grpc::Status FakeController::ListAudit(grpc::ServerContext*, const v1::ListAuditRequest* request,
                                       v1::ListAuditResponse* response) {
    audit = *request;
    v1::AuditEntry* const entry = response->add_entries();
    entry->set_time_us(kStartedUs);
    entry->set_who("alice");
    entry->set_what("DeleteSlice");
    entry->set_subject("web");
    entry->set_outcome("ok");
    return refusal;
}

grpc::Status FakeController::ListOperations(grpc::ServerContext*, const v1::ListOperationsRequest* request,
                                            v1::ListOperationsResponse* response) {
    listed_operations = *request;
    for (const v1::Operation& state : operation_states) *response->add_operations() = state;
    return refusal;
}

grpc::Status FakeController::GetOperation(grpc::ServerContext*, const v1::GetOperationRequest* request,
                                          v1::Operation* operation) {
    if (operation_states.empty()) return {grpc::StatusCode::NOT_FOUND, "no operation '" + request->id() + "'"};
    *operation = operation_states.back();
    return refusal;
}

grpc::Status FakeController::CancelOperation(grpc::ServerContext*, const v1::CancelOperationRequest* request,
                                             v1::Operation* operation) {
    cancelled = request->id();
    operation->set_id(request->id());
    operation->set_state(v1::OPERATION_STATE_CANCELLED);
    operation->set_step("cancelled: moves under way went back");
    return refusal;
}

grpc::Status FakeController::RebalanceNodes(grpc::ServerContext*, const v1::RebalanceNodesRequest*,
                                            v1::Operation* operation) {
    ++rebalancings;
    operation->set_id("op-1");
    return refusal;
}

grpc::Status FakeController::PlanRebalance(grpc::ServerContext*, const v1::RebalanceNodesRequest*,
                                           v1::RebalancePlan* plan) {
    v1::RebalancePlan::Step* const step = plan->add_steps();
    step->mutable_sliver()->set_slice("web");
    step->mutable_sliver()->set_index(3);
    step->set_from_node("node1");
    step->set_to_node("node2");
    step->set_reason("load 75% -> 50%, 10% -> 35%");
    return refusal;
}

grpc::Status FakeController::CreateReservation(grpc::ServerContext*, const v1::CreateReservationRequest* request,
                                               v1::Reservation* reservation) {
    reserved = *request;
    reservation->set_name(request->name());
    return refusal;
}

grpc::Status FakeController::ListReservations(grpc::ServerContext*, const v1::ListReservationsRequest*,
                                              v1::ListReservationsResponse* response) {
    v1::Reservation* const reservation = response->add_reservations();
    reservation->set_name("nightly");
    reservation->set_owner("alice");
    reservation->add_nodes("node1");
    reservation->add_nodes("node2");
    reservation->set_cpu_millis(1500);
    reservation->set_start_us(kStartedUs);
    reservation->set_end_us(kStartedUs);
    return refusal;
}

grpc::Status FakeController::RemoveReservation(grpc::ServerContext*, const v1::RemoveReservationRequest* request,
                                               v1::RemoveReservationResponse*) {
    deleted = request->name();
    return refusal;
}

grpc::Status FakeController::LendGuarantee(grpc::ServerContext*, const v1::LendGuaranteeRequest* request,
                                           v1::Loan* loan) {
    lent = *request;
    loan->set_lender(request->name());
    loan->set_borrower(request->borrower());
    loan->set_cpu_millis(request->cpu_millis());
    loan->add_uncovered_nodes("node3");
    return refusal;
}

grpc::Status FakeController::ListLoans(grpc::ServerContext*, const v1::ListLoansRequest*,
                                       v1::ListLoansResponse* response) {
    response->add_loans()->set_lender("web");
    return refusal;
}

grpc::Status FakeController::EndLoan(grpc::ServerContext*, const v1::EndLoanRequest* request, v1::EndLoanResponse*) {
    returned = *request;
    return refusal;
}

grpc::Status FakeController::GetUser(grpc::ServerContext*, const v1::GetUserRequest* request, v1::User* user) {
    user->set_name(request->name().empty() ? "alice" : request->name());
    user->mutable_quota()->set_slivers(20);
    user->mutable_quota()->set_memory_bytes(8ULL << 30);
    user->mutable_usage()->set_slivers(3);
    user->mutable_usage()->set_cpu_millis(1500);
    user->mutable_usage()->set_memory_bytes(512 << 20);
    return refusal;
}

grpc::Status FakeController::SetUserQuota(grpc::ServerContext*, const v1::SetUserQuotaRequest* request,
                                          v1::User* user) {
    quota = *request;
    user->set_name(request->name());
    *user->mutable_quota() = request->quota();
    return refusal;
}

grpc::Status FakeController::Watch(grpc::ServerContext*, const v1::WatchRequest* request,
                                   grpc::ServerWriter<v1::WatchResponse>* writer) {
    watch_requests.push_back(*request);
    const size_t number = watch_requests.size() - 1;
    if (number >= watches.size()) return {grpc::StatusCode::INTERNAL, "no further watch is in the script"};
    for (const v1::WatchResponse& answer : watches[number].answers) writer->Write(answer);
    return watches[number].end;
}

grpc::Status FakeController::WatchOperation(grpc::ServerContext*, const v1::WatchOperationRequest*,
                                            grpc::ServerWriter<v1::Operation>* writer) {
    for (const v1::Operation& state : operation_states) writer->Write(state);
    std::unique_lock lock(mutex_);
    released_.wait(lock, [this] { return !hold_operation; });
    return grpc::Status::OK;
}

Outcome slicectl(const FakeController& controller, const std::vector<std::string>& arguments, int input_fd) {
    const UniqueFd no_input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    std::ostringstream out;
    std::ostringstream err;
    const Io io{.out = out,
                .err = err,
                .in_fd = input_fd < 0 ? no_input.get() : input_fd,
                .in_is_terminal = ::isatty(input_fd) == 1};
    Context context(io);
    CLI::App app("test", "slicectl");
    context.declareGlobals(app);
    registerCommands(app, context);
    std::vector<std::string> all{"--controller", controller.address()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const int exit_status = context.run(app, all);
    return {.exit_status = exit_status, .out = out.str(), .err = err.str()};
}

}  // namespace homeslice::ctl
