#include "noded/launcher/client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "base/status.h"
#include "noded/launcher/connection.h"
#include "noded/launcher/protocol.h"
#include "noded/sys/packed_strings.h"
#include "noded/sys/unix_socket.h"

namespace homeslice::launcher {
namespace {

constexpr std::chrono::seconds kCloneTimeout(30);
constexpr std::chrono::milliseconds kLauncherEndTimeout(100);
constexpr std::chrono::milliseconds kForever(-1);

template <typename Message>
std::string asBytes(const Message& message) {
    return {reinterpret_cast<const char*>(&message), sizeof(message)};
}

template <typename Message>
bool readAs(const std::string& data, Message& message) {
    if (data.size() != sizeof(message)) return false;
    std::memcpy(&message, data.data(), sizeof(message));
    return true;
}

absl::StatusOr<std::string> packClone(const CloneRequest& request) {
    if (request.ids.count == 0) return invalidArgument("no ids");
    if (request.cgroup_v1_directories.size() > kMaxV1Directories) return invalidArgument("too many cgroup directories");
    CloneMessage message;
    message.first_id = request.ids.first;
    message.id_count = request.ids.count;
    message.v1_directory_count = static_cast<uint32_t>(request.cgroup_v1_directories.size());
    std::string data = asBytes(message);
    std::vector<std::string> directories = {request.cgroup_v2_directory};
    directories.insert(directories.end(), request.cgroup_v1_directories.begin(), request.cgroup_v1_directories.end());
    for (const std::string& directory : directories) {
        if (!sys::isPackable(directory)) return invalidArgument("NUL in a cgroup directory");
        sys::packString(data, directory);
    }
    if (data.size() > kMaxCloneMessage) return invalidArgument("names of cgroup directories are too long");
    return data;
}

absl::StatusOr<Child> unpackChild(sys::Message message, const std::string& boot_id) {
    ClonedMessage cloned;
    if (!readAs(message.data, cloned)) return internalError("the launcher sent a malformed reply");
    cloned.step[sizeof(cloned.step) - 1] = '\0';
    if (cloned.error != 0) return errnoStatus(cloned.error, cloned.step);
    if (message.fds.size() != kClonedFds) return internalError("the launcher sent no descriptors");
    Child child;
    child.identity = {cloned.pid, cloned.start_time, boot_id};
    child.pidfd = std::move(message.fds[0]);
    child.user_namespace = std::move(message.fds[1]);
    child.network_namespace = std::move(message.fds[2]);
    child.setup = std::move(message.fds[3]);
    return child;
}

// One connection with a thread that receives: answers go to the clones that wait, ends to the thread that tells.
class Client : public Launcher {
public:
    using OnExit = std::function<void(const sys::ProcessIdentity&, int)>;

    Client(std::string program, std::string socket_path, std::string boot_id, OnExit on_exit)
        : program_(std::move(program)),
          socket_path_(std::move(socket_path)),
          boot_id_(std::move(boot_id)),
          on_exit_(std::move(on_exit)),
          teller_([this] { tell(); }) {}

    ~Client() override {
        {
            const std::lock_guard lock(mutex_);
            ending_ = true;
            changed_.notify_all();
        }
        teller_.join();
        disconnect();
    }

    absl::Status reconnect() {
        disconnect();
        HS_ASSIGN_OR_RETURN(Connection connection, connectOrStart(program_, socket_path_));
        if (connection.started > 0) started_ = connection.started;
        {
            const std::lock_guard lock(mutex_);
            socket_ = std::move(connection.socket);
            connected_ = true;
            ended_.clear();
        }
        receiver_ = std::thread([this] { receive(); });
        return absl::OkStatus();
    }

    absl::StatusOr<Child> clone(const CloneRequest& request, const Meanwhile& meanwhile) override {
        HS_ASSIGN_OR_RETURN_CTX(const std::string message, packClone(request), "clone " + request.key);
        HS_ASSIGN_OR_RETURN_CTX(Answer answer, ask(message), "clone " + request.key);
        if (meanwhile) meanwhile();
        HS_ASSIGN_OR_RETURN_CTX(Child child, awaitChild(std::move(answer)), "clone " + request.key);
        return child;
    }

private:
    using Answer = std::future<absl::StatusOr<sys::Message>>;

    bool isConnected() {
        const std::lock_guard lock(mutex_);
        return connected_;
    }

    // The launcher answers in the order of the requests.
    absl::StatusOr<Answer> ask(const std::string& message) {
        const std::lock_guard in_order(requests_);
        if (!isConnected()) HS_RETURN_IF_ERROR(reconnect());
        Answer answer;
        {
            const std::lock_guard lock(mutex_);
            if (!connected_) return unavailable("the launcher is gone");
            answer = unanswered_.emplace_back().get_future();
        }
        const absl::Status sent = sys::sendMessage(socket_.get(), message);
        if (!sent.ok()) giveUp();
        HS_RETURN_IF_ERROR(sent);
        return answer;
    }

    absl::StatusOr<Child> awaitChild(Answer answer) {
        if (answer.wait_for(kCloneTimeout) != std::future_status::ready) {
            giveUp();
            return deadlineExceeded("the launcher does not answer");
        }
        HS_ASSIGN_OR_RETURN(sys::Message message, answer.get());
        return unpackChild(std::move(message), boot_id_);
    }

    // The next clone() connects anew: what may still come could not be told from the answer to a later request.
    void giveUp() {
        const std::lock_guard lock(mutex_);
        ::shutdown(socket_.get(), SHUT_RDWR);
        loseConnection();
    }

    // With mutex_ held.
    void loseConnection() {
        connected_ = false;
        for (auto& waiting : unanswered_) waiting.set_value(unavailable("the launcher is gone"));
        unanswered_.clear();
    }

    void receive() {
        for (;;) {
            auto message = sys::receiveMessage(socket_.get(), kMaxMessageToNoded, kForever);
            const std::lock_guard lock(mutex_);
            EndedMessage ended;
            if (!message.ok() || !connected_) return loseConnection();
            if (readAs(message->data, ended) && ended.kind == Kind::ended) {
                ended_.push_back(ended);
                changed_.notify_all();
            } else if (!unanswered_.empty()) {
                unanswered_.front().set_value(std::move(message));
                unanswered_.pop_front();
            }
        }
    }

    void tell() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return ending_ || !ended_.empty(); });
            if (ending_) return;
            const EndedMessage ended = ended_.front();
            ended_.pop_front();
            lock.unlock();
            on_exit_({ended.pid, ended.start_time, boot_id_}, ended.wait_status);
            acknowledge(ended);
            lock.lock();
        }
    }

    // One that is not acknowledged, because the launcher is gone or another one, is told again or was the last.
    void acknowledge(const EndedMessage& ended) {
        TakenMessage taken;
        taken.pid = ended.pid;
        taken.start_time = ended.start_time;
        const std::lock_guard lock(mutex_);
        if (!connected_) return;
        const absl::Status sent = sys::sendMessage(socket_.get(), asBytes(taken));
        if (!sent.ok()) logWarning("launcher: {}", messageOf(sent));
    }

    // Only while no other thread uses the connection.
    void disconnect() {
        if (socket_) ::shutdown(socket_.get(), SHUT_RDWR);
        if (receiver_.joinable()) receiver_.join();
        {
            const std::lock_guard lock(mutex_);
            socket_.reset();
        }
        reapLauncher();
    }

    // A launcher that was started here and has nothing left to do ends soon after its connection; one with slivers
    // stays.
    void reapLauncher() {
        if (started_ <= 0) return;
        const auto identity = sys::identify(started_);
        if (identity.ok()) {
            const auto pidfd = sys::openProcess(*identity);
            if (pidfd.ok()) sys::waitForEnd(pidfd->get(), kLauncherEndTimeout).status().IgnoreError();
        }
        if (::waitpid(started_, nullptr, WNOHANG) != 0) started_ = 0;
    }

    const std::string program_;
    const std::string socket_path_;
    const std::string boot_id_;
    const OnExit on_exit_;

    std::mutex requests_;  // one at a time is sent; taken before mutex_
    UniqueFd socket_;
    pid_t started_ = 0;
    std::thread receiver_;

    std::mutex mutex_;  // of what follows
    std::condition_variable changed_;
    bool connected_ = false;
    bool ending_ = false;
    std::deque<std::promise<absl::StatusOr<sys::Message>>> unanswered_;
    std::deque<EndedMessage> ended_;

    std::thread teller_;  // the last one: it uses all the others
};

}  // namespace

absl::StatusOr<std::unique_ptr<Launcher>> Launcher::connect(
    const std::string& program, const std::string& socket_path,
    std::function<void(const sys::ProcessIdentity&, int wait_status)> on_exit) {
    HS_ASSIGN_OR_RETURN(std::string boot_id, sys::bootId());
    auto client = std::make_unique<Client>(program, socket_path, std::move(boot_id), std::move(on_exit));
    HS_RETURN_IF_ERROR_CTX(client->reconnect(), "launcher");
    return client;
}

}  // namespace homeslice::launcher
