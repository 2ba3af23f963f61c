// Every method that the programs serve has a valid request among the seeds: what is not there is reached by chance
// only.
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "homeslice/v1/binding.pb.h"
#include "homeslice/v1/controller.pb.h"
#include "homeslice/v1/enrolment.pb.h"
#include "homeslice/v1/flows.pb.h"
#include "homeslice/v1/node.pb.h"
#include "target.h"

namespace homeslice::fuzz {
namespace {

// The methods that the seeds in a folder begin with (rpc.h), without who calls.
std::set<std::string> methodsIn(const std::string& corpus) {
    std::set<std::string> methods;
    for (const auto& entry : std::filesystem::directory_iterator(std::string(HS_CORPUS_DIRECTORY) + "/" + corpus)) {
        std::ifstream file(entry.path(), std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
        Input input(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
        const std::string name = input.piece().value_or("");
        methods.insert(name.substr(name.rfind(' ') + 1));
    }
    return methods;
}

std::set<std::string> methodsOf(const std::vector<const google::protobuf::Descriptor*>& files,
                                const std::set<std::string>& services) {
    std::set<std::string> methods;
    size_t found = 0;
    for (const auto* message : files) {
        const auto& file = *message->file();
        for (int i = 0; i < file.service_count(); ++i) {
            if (!services.contains(file.service(i)->name())) continue;
            ++found;
            for (int j = 0; j < file.service(i)->method_count(); ++j) {
                methods.insert(file.service(i)->full_name() + "/" + file.service(i)->method(j)->name());
            }
        }
    }
    EXPECT_EQ(found, services.size());
    return methods;
}

void expectAll(const std::set<std::string>& wanted, const std::set<std::string>& seeds) {
    EXPECT_FALSE(wanted.empty());
    for (const std::string& method : wanted) EXPECT_TRUE(seeds.contains(method)) << method << " has no seed";
}

TEST(Corpus, HasEveryMethodOfTheController) {
    expectAll(methodsOf({v1::FlowReport::descriptor(), v1::Enrolment::descriptor(), v1::NodeHello::descriptor()},
                        {"ControllerService", "EnrolmentService", "NodeLink"}),
              methodsIn("controller_rpc"));
}

TEST(Corpus, HasEveryMethodOfANode) {
    expectAll(methodsOf({v1::NodeHello::descriptor(), v1::Flow::descriptor(), v1::BindingUpdate::descriptor()},
                        {"NodeService", "FlowService", "BindingService"}),
              methodsIn("node_rpc"));
}

}  // namespace
}  // namespace homeslice::fuzz
