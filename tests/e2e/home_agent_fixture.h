// A lab with two home agents for one prefix, of which either can be killed or cut off.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/echo_stream.h"
#include "tests/support/lab.h"

namespace homeslice::testing_support {

using Streams = std::vector<std::unique_ptr<EchoStream>>;

class HomeAgentTest : public LabTest {
protected:
    static void SetUpTestSuite() { bringUp({"--nodes", "2", "--home-agents", "2"}); }
    void SetUp() override;
    void TearDown() override;

    // The home agents that hold the shared address.
    static std::vector<std::string> holders();
    static bool holds(const std::string& name);
    static std::string otherThan(const std::string& name) { return name == "ha" ? "ha2" : "ha"; }

    // What the switch's end of a host's link is set to: "down" is a cut cable.
    static void setLink(const std::string& host, const std::string& state);
    static pid_t pidOf(const std::string& name);
    static void killProgram(const std::string& name);
    // How the one in charge ends.
    enum class End { killed, cut_off };
    // Ends `first`; expects that the other one takes over in time, prints how long that took and returns it.
    static std::chrono::milliseconds endAndExpectTakeover(const std::string& first, End end);
    // Until it stands by.
    static void bringBack(const std::string& name, End end);

    // A slice of echo servers (tests/e2e/echo); all answer at their own addresses.
    void createEcho(const std::string& name, const std::vector<std::string>& placement);
    std::string startEcho();  // "echo/1" on node1; its address

    // Connected streams.
    static Streams streamsTo(const std::string& address, size_t count);
    static void expectGoesOn(const EchoStream& stream, const std::string& why);
    static void expectGoesOn(const EchoStream& stream, uint64_t before, const std::string& why);
    static void expectAllGoOn(const Streams& streams, const std::string& why);
};

}  // namespace homeslice::testing_support
