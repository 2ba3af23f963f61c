#include "noded/sliver/test_node.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "noded/store/key_value_store.h"

namespace homeslice::sliver {
namespace {

namespace fs = std::filesystem;

absl::Status shell(const std::string& command) {
    const int status = ::system(command.c_str());
    return status == 0 ? absl::OkStatus() : internalError(command + " ended with " + std::to_string(status));
}

std::vector<std::string> entries(const std::string& directory) {
    std::vector<std::string> paths;
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
        paths.push_back(entry->path().string());
    }
    return paths;
}

// Command lines of the processes that call themselves `name` and are in a control group below `parent`.
std::vector<std::string> processesNamed(const std::string& name, const std::string& parent) {
    std::vector<std::string> found;
    for (const std::string& path : entries("/proc")) {
        std::string command = readFile(path + "/cmdline").value_or("");
        std::replace(command.begin(), command.end(), '\0', ' ');
        if (path != "/proc/self" && path != "/proc/thread-self" && command.starts_with(name) &&
            readFile(path + "/cgroup").value_or("").find("/" + parent + "/") != std::string::npos) {
            found.push_back("process " + command);
        }
    }
    return found;
}

}  // namespace

class TestNode::NullGateway : public mobility::AccessGateway {
public:
    void setHomeAgents(const std::vector<mobility::HomeAgentAddress>&) override {}
    void bind(const mobility::BindingKey&, const mobility::Grant&, const mobility::BindingTerms&) override {}
    void unbind(const mobility::BindingKey&) override {}
    std::vector<Registration> registrations() override { return {}; }
    std::optional<Ipv6Address> homeAgent() override { return std::nullopt; }
    Refusals refusals() override { return {}; }
    absl::Status waitRegistered(const mobility::BindingKey&, uint64_t, std::chrono::milliseconds) override {
        return absl::OkStatus();
    }
};

absl::Status TestNode::enterNetwork() {
    static const absl::Status kEntered = [] {
        if (::unshare(CLONE_NEWNET) != 0) return errnoStatus(errno, "unshare(CLONE_NEWNET)");
        ::signal(SIGPIPE, SIG_IGN);
        initLog("sliver_root_test", LogLevel::warning);
        return absl::OkStatus();
    }();
    return kEntered;
}

absl::StatusOr<std::unique_ptr<TestNode>> TestNode::create(const std::string& name, uint32_t pool,
                                                           const std::string& parent) {
    std::unique_ptr<TestNode> node(new TestNode());
    HS_RETURN_IF_ERROR(node->build(name, parent));
    node->config_.pool = pool;
    HS_RETURN_IF_ERROR(node->restart());
    return node;
}

absl::Status TestNode::build(const std::string& name, const std::string& parent) {
    std::string path = parent + "/hst-sliver-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) return errnoStatus(errno, "mkdtemp");
    directory_ = path;
    config_ = {.node_name = name,
               .state_directory = directory_ + "/state",
               .run_directory = directory_ + "/run",
               .cgroup_parent = "hst-sliver-" + std::to_string(::getpid()) + "-" + name,
               .launcher_program = HS_LAUNCHER_PROGRAM,
               .init_program = HS_INIT_PROGRAM,
               .first_id = name == "b" ? 310'000'000U : 300'000'000U,
               .id_ranges = 64,
               .volumes = {directory_ + "/volumes"}};
    HS_RETURN_IF_ERROR(makeDirectories(config_.volumes.front()));
    HS_RETURN_IF_ERROR(makeDirectories(config_.state_directory));
    HS_RETURN_IF_ERROR(makeDirectories(config_.run_directory));
    HS_RETURN_IF_ERROR(packImage());
    gateway_ = std::make_unique<NullGateway>();
    HS_ASSIGN_OR_RETURN(cgroups_, sys::Cgroups::open());
    return absl::OkStatus();
}

absl::Status TestNode::packImage() {
    const std::string rootfs = directory_ + "/rootfs";
    HS_RETURN_IF_ERROR(shell("mkdir " + rootfs + " && cd " + rootfs +
                             " && mkdir bin etc tmp proc dev sys real usr && chmod 1777 tmp && ln -s /real alias"
                             " && echo root:x:0:0::/:/bin/sh > etc/passwd && cp \"$(command -v busybox)\" bin/busybox"
                             " && ln -s ../bin usr/bin && busybox --install -s bin"));
    HS_RETURN_IF_ERROR(
        shell("tar -C " + rootfs + " --owner=0 --group=0 --numeric-owner -cf " + directory_ + "/rootfs.tar ."));
    archive_ = directory_ + "/image.tar";
    HS_RETURN_IF_ERROR(image::writeOciArchive(directory_ + "/rootfs.tar", {}, archive_));
    HS_ASSIGN_OR_RETURN(digest_, image::digestOf(archive_));
    return absl::OkStatus();
}

void TestNode::stop() {
    manager_.reset();
    images_.reset();
    store_.reset();
}

absl::Status TestNode::killDuring(const std::vector<SliverSpec>& slivers, std::chrono::milliseconds delay) {
    stop();
    const pid_t noded = ::fork();
    if (noded < 0) return errnoStatus(errno, "fork");
    if (noded == 0) {
        if (!restart().ok()) ::_exit(1);
        desire(slivers);
        for (;;) ::pause();
    }
    std::this_thread::sleep_for(delay);  // the moment is what is tried, not waited for
    ::kill(noded, SIGKILL);
    int status = 0;
    if (::waitpid(noded, &status, 0) != noded) return errnoStatus(errno, "waitpid");
    return WIFSIGNALED(status) ? absl::OkStatus() : internalError("noded did not start");
}

// `work` in a noded of its own, which is to come to a step that kills it.
absl::Status TestNode::killItself(const std::function<bool()>& work) {
    stop();
    const pid_t noded = ::fork();
    if (noded < 0) return errnoStatus(errno, "fork");
    if (noded == 0) {
        if (!work()) ::_exit(1);
        constexpr unsigned kLongest = 20;  // seconds
        ::sleep(kLongest);
        ::_exit(0);
    }
    int status = 0;
    if (::waitpid(noded, &status, 0) != noded) return errnoStatus(errno, "waitpid");
    if (WIFSIGNALED(status)) return absl::OkStatus();
    return WEXITSTATUS(status) == 0 ? notFound("it never came to that step") : internalError("noded did not start");
}

absl::Status TestNode::killAt(const std::vector<SliverSpec>& slivers, const std::string& step, int nth) {
    return killItself([&] {
        dieAt(step, nth);
        if (!restart().ok()) return false;
        desire(slivers);
        return true;
    });
}

absl::Status TestNode::killAtAdoption(const SliverSpec& spec, const std::string& step) {
    return killItself([&] {
        config_.pool = 1;
        const SliverSpec first = sliver(100);  // the pool learns the image from it
        if (!restart().ok()) return false;
        desire({first});
        if (!reaches(first.id, State::running)) return false;
        while (manager_->poolLevel().second == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        dieAt(step, 1);
        desire({first, spec});
        return true;
    });
}

void TestNode::dieAt(const std::string& step, int nth) {
    const std::lock_guard lock(mutex_);
    fatal_step_ = step;
    steps_left_ = nth;
}

void TestNode::atStep(const std::string& step) {
    const std::lock_guard lock(mutex_);
    if (steps_) steps_->push_back(step);
    ++changes_;
    changed_.notify_all();
    if (step == fatal_step_ && --steps_left_ == 0) ::kill(::getpid(), SIGKILL);
}

std::vector<std::string> TestNode::steps() const {
    const std::lock_guard lock(mutex_);
    return steps_.value_or(std::vector<std::string>{});
}

void TestNode::recordSteps() {
    const std::lock_guard lock(mutex_);
    steps_.emplace();
}

absl::Status TestNode::breakRecord(const SliverId& id) {
    manager_.reset();  // which may be about to write it
    HS_RETURN_IF_ERROR(store_->put("slivers", id.toString(), "rubbish"));
    return restart();
}

absl::Status TestNode::restartWithoutRecords() {
    stop();
    for (const char* suffix : {"", "-wal", "-shm"}) {
        HS_RETURN_IF_ERROR(removeTree(config_.state_directory + "/noded.db" + suffix));
    }
    return restart();
}

absl::Status TestNode::restart() {
    stop();
    {
        const std::lock_guard lock(mutex_);
        if (steps_) steps_->clear();
    }
    HS_ASSIGN_OR_RETURN(store_, store::openSqliteStore(config_.state_directory + "/noded.db"));
    HS_ASSIGN_OR_RETURN(images_, image::Store::open(config_.state_directory + "/images"));
    HS_ASSIGN_OR_RETURN(manager_,
                        Manager::create(config_, {.store = *store_,
                                                  .images = *images_,
                                                  .forwarder = forwarder_,
                                                  .gateway = *gateway_,
                                                  .fetch_image = [this](const std::string&, int fd) -> absl::Status {
                                                      HS_ASSIGN_OR_RETURN(const std::string data, readFile(archive_));
                                                      return writeAll(fd, data);
                                                  },
                                                  .fetch_disk = [this](const SliverId& id, const DiskSource& source,
                                                                       int fd) { return fetch_disk(id, source, fd); },
                                                  .changed =
                                                      [this] {
                                                          const std::lock_guard lock(mutex_);
                                                          ++changes_;
                                                          changed_.notify_all();
                                                      },
                                                  .at_step = [this](const std::string& step) { atStep(step); }}));
    return absl::OkStatus();
}

TestNode::~TestNode() {
    if (manager_ != nullptr) {
        if (!removesAll()) logError("slivers of a test are left: {}", manager_->inspect());
        manager_.reset();
    }
    if (cgroups_ != nullptr) {
        if (const absl::Status deleted = cgroups_->deleteGroup(config_.cgroup_parent); !deleted.ok()) {
            logError("{}", messageOf(deleted));
        }
    }
    if (const absl::Status removed = removeTree(directory_); !removed.ok()) logError("{}", messageOf(removed));
}

SliverSpec TestNode::sliver(uint32_t index, std::vector<std::string> argv) const {
    SliverSpec spec;
    spec.id = {.slice = "web", .index = index};
    spec.generation = 1;
    spec.base.image = "busybox";
    spec.base.image_digest = digest_;
    spec.base.argv = std::move(argv);
    spec.base.resources = {.cpu_millis = 500, .memory_bytes = 48 << 20, .pids = 32};
    spec.slice_address = Ipv6Address::parse("fd51:1ce:0:1::1").value();
    spec.home_address = spec.slice_address.withInterfaceId(0x10000 + index);
    return spec;
}

void TestNode::desire(std::vector<SliverSpec> slivers) {
    manager_->setDesired({.revision = ++revision_, .slivers = std::move(slivers)});
}

SliverReport TestNode::report(const SliverId& id) const {
    for (const SliverReport& report : manager_->reports()) {
        if (report.id == id) return report;
    }
    return {};
}

bool TestNode::waitForChange(uint64_t seen, Monotonic::time_point deadline) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, deadline, [&] { return changes_ != seen; });
}

bool TestNode::reaches(const SliverId& id, State state) {
    return eventually([&] { return report(id).state == state; });
}

bool TestNode::removesAll() {
    desire({});
    return eventually([&] { return manager_->reports().empty(); });
}

CommandResult TestNode::run(const SliverId& id, const std::string& command) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return {};
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    init::ExecRequest request;
    request.argv = {"sh", "-c", command};
    request.stdout_fd = UniqueFd(::fcntl(writer.get(), F_DUPFD_CLOEXEC, 0));
    request.stderr_fd = std::move(writer);
    auto running = manager_->exec(id, std::move(request));
    if (!running.ok()) return {.status = -1, .output = messageOf(running.status())};
    CommandResult result;
    result.output = readAll(reader.get()).value_or("");
    result.status = (*running)->wait().value_or(-1);
    return result;
}

pid_t TestNode::firstProcess(const SliverId& id) const {
    for (const auto& each : nlohmann::json::parse(manager_->inspect())) {
        if (each["sliver"] == id.toString()) return each["record"]["process"]["pid"];
    }
    return 0;
}

std::vector<std::string> TestNode::footprint() const {
    std::vector<std::string> all = processesNamed("sliver-init", config_.cgroup_parent);
    for (const std::string& group : cgroups_->children(config_.cgroup_parent)) all.push_back("group " + group);
    for (const std::string& path : entries(config_.state_directory + "/slivers")) all.push_back(path);
    for (const std::string& path : entries(config_.run_directory + "/slivers")) all.push_back(path);
    struct if_nameindex* links = ::if_nameindex();
    for (const struct if_nameindex* link = links; link->if_index != 0; ++link) all.emplace_back(link->if_name);
    ::if_freenameindex(links);
    std::istringstream mounts(readFile("/proc/self/mountinfo").value_or(""));
    for (std::string line; std::getline(mounts, line);) {
        if (line.find(directory_) != std::string::npos) all.push_back("mount " + line);
    }
    std::sort(all.begin(), all.end());
    return all;
}

}  // namespace homeslice::sliver
