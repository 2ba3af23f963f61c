// A real router for tests: zebra and bgpd of FRR in a TestHost.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "noded/mobility/test_network.h"

namespace homeslice::mobility {

// BGP between hosts that share a link each. Its processes and files go with the object.
class FrrRouter {
public:
    struct Config {
        uint32_t as = 0;
        std::string router_id;                // an IPv4 address, for no use but as a number
        std::vector<std::string> neighbours;  // addresses
        uint32_t neighbours_as = 0;
        bool announces_kernel_routes = false;
    };
    FrrRouter(const TestHost& host, const Config& config);
    ~FrrRouter();
    FrrRouter(const FrrRouter&) = delete;
    FrrRouter& operator=(const FrrRouter&) = delete;

    // SIGKILL to both daemons. Safe to repeat.
    void kill();

private:
    void start(const TestHost& host, const std::string& daemon, const std::string& configuration);

    std::string directory_;
    std::vector<pid_t> daemons_;
};

}  // namespace homeslice::mobility
