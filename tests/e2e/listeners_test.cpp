// Every socket that the real programs listen on, whether somebody thought of it or not: none talks to somebody without
// a certificate of the system's own authority.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "base/file.h"
#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

// A socket that a program of the lab listens on.
struct Listener {
    std::string netns;
    std::string address;  // ADDRESS:PORT, or a path
    std::string port() const { return address.substr(address.rfind(':') + 1); }
};

// As ss(8) names sockets of a kind ("-t", "-u", "-x") in the network namespaces of the lab's programs.
std::vector<Listener> listeners(const std::string& kind) {
    std::set<std::string> namespaces;
    for (const auto& program : labPrograms()) namespaces.insert(program.value("netns", ""));
    std::vector<Listener> found;
    for (const std::string& netns : namespaces) {
        const CommandResult sockets = runCommand({"ip", "netns", "exec", netns, "ss", "-Hln", kind});
        HS_EXPECT_DONE(sockets);
        for (const std::string& line : linesOf(sockets.out)) {
            std::istringstream words(line);
            std::string skipped;
            if (kind == "-x") words >> skipped;
            std::string address;
            words >> skipped >> skipped >> skipped >> address;
            found.push_back({netns, address});
        }
    }
    return found;
}

class ListenersTest : public LabTest {
protected:
    static void SetUpTestSuite() { bringUp({"--nodes", "2"}); }

    void SetUp() override {
        LabTest::SetUp();
        directory_ = (std::filesystem::temp_directory_path() / "hst-listeners-XXXXXX").string();
        ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
    }
    void TearDown() override {
        LabTest::TearDown();
        if (!directory_.empty()) std::filesystem::remove_all(directory_);
    }

    // A gRPC call, with an empty request, by somebody who shows `identity` (nothing, if empty) and trusts any server;
    // gRPC's status, or "" where TLS refused it.
    static std::string callAs(const std::string& identity, const Listener& listener, const std::string& method) {
        std::vector<std::string> curl{"ip",
                                      "netns",
                                      "exec",
                                      listener.netns,
                                      "bash",
                                      "-c",
                                      R"(printf '\0\0\0\0\0' | curl -gsSk --http2 --max-time 10 -D - -o /dev/null \
                                         -H 'content-type: application/grpc' -H 'te: trailers' --data-binary @- "$@")",
                                      "call",
                                      "https://" + listener.address + "/homeslice.v1." + method};
        if (!identity.empty()) curl.insert(curl.end(), {"--cert", identity, "--key", identity});
        const CommandResult result = runCommand(curl);
        const std::string status = "grpc-status: ";
        const size_t at = result.out.find(status);
        if (at == std::string::npos) return "";
        const size_t end = result.out.find_first_of("\r\n", at);
        return result.out.substr(at + status.size(), end - at - status.size());
    }
    static std::string methodAt(const Listener& listener) {
        return listener.port() == "7400" ? "ControllerService/ListNodes" : "NodeService/Inspect";
    }
    std::string directory_;
};

// Not only the ports that somebody thought of. Names are the exception, which are no secret, and for everybody.
TEST_F(ListenersTest, NoPortAnswersWithoutOne) {
    const std::string stranger = directory_ + "/stranger.pem";
    HS_EXPECT_DONE(
        runCommand({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/O=homeslice/CN=node1", "-keyout", stranger, "-out", stranger + ".crt"}));
    ASSERT_TRUE(replaceFile(stranger, *readFile(stranger) + *readFile(stranger + ".crt")).ok());
    std::map<std::string, int> by_port;
    for (const Listener& listener : listeners("-t")) {
        if (listener.port() == "53") continue;
        SCOPED_TRACE(listener.netns + " " + listener.address);
        ++by_port[listener.port()];
        for (const char* version : {"--http1.1", "--http2-prior-knowledge"}) {
            const CommandResult clear = runCommand({"ip", "netns", "exec", listener.netns, "curl", "-gsS", version,
                                                    "--max-time", "10", "http://" + listener.address + "/"});
            EXPECT_NE(clear.status, 0);
            EXPECT_EQ(clear.out, "");
        }
        const bool is_controller = listener.port() == "7400";
        EXPECT_EQ(callAs("", listener, methodAt(listener)), is_controller ? "16" : "")
            << "newcomers reach the controller, and are UNAUTHENTICATED";
        EXPECT_EQ(callAs(stranger, listener, methodAt(listener)), "");
    }
    EXPECT_EQ(by_port, (std::map<std::string, int>{{"7400", 1}, {"7401", 3}})) << "sliced; ha, node1 and node2";
    // Home agents tell each other who is in charge by datagrams, which carry a code (advertisement_test).
    for (const Listener& listener : listeners("-u")) {
        const bool is_home_agent = listener.netns == "hs-lab-ha" && listener.port() == "7401";
        EXPECT_TRUE(listener.port() == "53" || is_home_agent) << listener.netns << " " << listener.address;
    }
}

// Whoever may not be root may not even see that there is one.
TEST_F(ListenersTest, UnixSocketsAreForTheirOwnersAlone) {
    constexpr mode_t kOthers = 0077;
    size_t found = 0;
    for (const Listener& listener : listeners("-x")) {
        SCOPED_TRACE(listener.netns);
        EXPECT_TRUE(listener.address.starts_with("/")) << "anybody in the namespace could use " << listener.address;
        struct stat info {};
        if (::stat(listener.address.c_str(), &info) != 0) continue;  // of an init, in a directory of its own
        EXPECT_EQ(info.st_mode & kOthers, 0U) << listener.address;
        ++found;
    }
    EXPECT_GT(found, 0U);
}

}  // namespace
}  // namespace homeslice::testing_support
