#include "tests/escape/escape_fixture.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "base/file.h"
#include "base/status.h"
#include "tests/support/command.h"
#include "tests/support/privileges.h"

namespace homeslice::escape {
namespace {

std::string describe(int status) {
    if (status == 0) return "it worked";
    if (status > 133) return "signal " + std::to_string(status - 128);
    return std::strerror(status);
}

// By way of a command's standard input: there is no other way into a running sliver.
absl::Status putAttacker(sliver::TestNode& node, const SliverId& id) {
    init::ExecRequest request;
    request.argv = {"sh", "-c", std::string("cat > ") + kAttackerInside + " && chmod 755 " + kAttackerInside};
    HS_ASSIGN_OR_RETURN(request.stdin_fd, openFile(HS_ATTACKER_PROGRAM, O_RDONLY));
    HS_ASSIGN_OR_RETURN(const auto running, node.manager().exec(id, std::move(request)));
    HS_ASSIGN_OR_RETURN(const int status, running->wait());
    return status == 0 ? absl::OkStatus() : internalError("cat ended with " + std::to_string(status));
}

std::vector<std::function<void()>> cleanups;

class CleanUp : public testing::Environment {
public:
    void TearDown() override {
        for (; !cleanups.empty(); cleanups.pop_back()) cleanups.back()();
    }
};
const testing::Environment* const clean_up = testing::AddGlobalTestEnvironment(new CleanUp);

// A call, or a file, that this kernel was built without.
bool isLacking(const Outcome& tried, const Outcome& control) {
    return control.status == ENOSYS || (control.status == ENOENT && tried.status == ENOENT);
}

}  // namespace

std::unique_ptr<sliver::TestNode> EscapeTest::node_;
SliverSpec EscapeTest::attacker_;
SliverSpec EscapeTest::neighbour_;

std::ostream& operator<<(std::ostream& out, const Attempt& attempt) { return out << attempt.name; }

void EscapeTest::SetUpTestSuite() {
    if (::geteuid() != 0 || node_ != nullptr) return;
    ASSERT_EQ(sliver::TestNode::enterNetwork(), absl::OkStatus());
    auto created = sliver::TestNode::create("a");
    ASSERT_TRUE(created.ok()) << created.status();
    node_ = std::move(*created);
    atEnd([] { node_.reset(); });
    attacker_ = node_->sliver(1);
    neighbour_ = node_->sliver(2);
    node_->desire({attacker_, neighbour_});
    for (const SliverSpec& spec : {attacker_, neighbour_}) {
        ASSERT_TRUE(node_->reaches(spec.id, sliver::State::running)) << node_->manager().inspect();
        ASSERT_EQ(putAttacker(*node_, spec.id), absl::OkStatus());
    }
}

void EscapeTest::atEnd(std::function<void()> cleanup) { cleanups.push_back(std::move(cleanup)); }

void EscapeTest::SetUp() {
    HS_REQUIRE_ROOT();
    ASSERT_NE(node_, nullptr);
}

Outcome EscapeTest::run(const SliverId& id, init::ExecRequest request) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return {};
    const UniqueFd reader(ends[0]);
    request.stdout_fd = UniqueFd(ends[1]);
    request.stderr_fd = UniqueFd(::fcntl(ends[1], F_DUPFD_CLOEXEC, 0));
    auto running = node_->manager().exec(id, std::move(request));
    if (!running.ok()) return {.status = -1, .output = messageOf(running.status())};
    Outcome outcome;
    outcome.output = readAll(reader.get()).value_or("");
    outcome.status = (*running)->wait().value_or(-1);
    return outcome;
}

Outcome EscapeTest::inside(const Arguments& arguments) {
    init::ExecRequest request;
    request.argv = arguments;
    request.argv.insert(request.argv.begin(), kAttackerInside);
    return run(attacker_.id, std::move(request));
}

Outcome EscapeTest::nextDoor(const Arguments& arguments) {
    init::ExecRequest request;
    request.argv = arguments;
    request.argv.insert(request.argv.begin(), kAttackerInside);
    return run(neighbour_.id, std::move(request));
}

Outcome EscapeTest::outside(Arguments arguments) {
    arguments.insert(arguments.begin(), {"unshare", "--mount", "--propagation", "private", HS_ATTACKER_PROGRAM});
    const testing_support::CommandResult result = testing_support::runCommand(arguments);
    return {.status = result.status, .output = result.out + result.err};
}

Outcome EscapeTest::shell(const SliverId& id, const std::string& script) {
    init::ExecRequest request;
    request.argv = {"sh", "-c", script};
    return run(id, std::move(request));
}

void EscapeTest::expectRefused(const Attempt& attempt) {
    const Outcome tried = inside(attempt.arguments);
    const Arguments& arguments = attempt.control_arguments.empty() ? attempt.arguments : attempt.control_arguments;
    if (attempt.control != Attempt::Control::none) {
        const Outcome control = attempt.control == Attempt::Control::outside ? outside(arguments) : inside(arguments);
        if (isLacking(tried, control)) {
            EXPECT_NE(tried.status, 0);
            std::printf("  no control: this kernel has nothing of the kind\n");
            return;
        }
        EXPECT_EQ(describe(control.status), describe(attempt.control_status))
            << "unhindered, the attempt must work, or its refusal shows nothing: " << control.output;
    }
    EXPECT_EQ(describe(tried.status), describe(attempt.refused)) << tried.output;
}

bool EscapeTest::reviveAttacker() {
    if (node_->report(attacker_.id).state == sliver::State::running && shell("true").status == 0) return true;
    node_->desire({neighbour_});
    if (!node_->eventually([] { return node_->report(attacker_.id).id != attacker_.id; })) return false;
    node_->desire({attacker_, neighbour_});
    return node_->reaches(attacker_.id, sliver::State::running) && putAttacker(*node_, attacker_.id).ok();
}

}  // namespace homeslice::escape
