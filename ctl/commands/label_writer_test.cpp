#include "ctl/commands/label_writer.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <thread>
#include <vector>

namespace homeslice::ctl {
namespace {

TEST(LabelWriter, LabelsEachLine) {
    std::ostringstream out;
    std::mutex mutex;
    {
        LabelWriter writer(out, mutex, "web/2");
        writer.write("one\ntw");
        EXPECT_EQ(out.str(), "web/2 | one\n");
        writer.write("o\n\nlast");
        EXPECT_EQ(out.str(), "web/2 | one\nweb/2 | two\nweb/2 | \n");
    }
    EXPECT_EQ(out.str(), "web/2 | one\nweb/2 | two\nweb/2 | \nweb/2 | last\n");
}

TEST(LabelWriter, HasNoLabelIfNoneIsGiven) {
    std::ostringstream out;
    std::mutex mutex;
    LabelWriter(out, mutex, "").write("text\n");
    EXPECT_EQ(out.str(), "text\n");
}

TEST(LabelWriter, BreaksEndlessLines) {
    std::ostringstream out;
    std::mutex mutex;
    LabelWriter writer(out, mutex, "a/1");
    writer.write(std::string(130 << 10, 'x'));
    EXPECT_EQ(out.str().size(), (128U << 10) + 2 * std::string("a/1 | \n").size());
}

TEST(LabelWriter, NeverMixesLinesOfThreads) {
    std::ostringstream out;
    std::mutex mutex;
    std::vector<std::thread> threads;
    for (const char* label : {"a/1", "a/2", "a/3", "a/4"}) {
        threads.emplace_back([&, label] {
            LabelWriter writer(out, mutex, label);
            for (int i = 0; i < 200; ++i) {
                writer.write("hel");
                writer.write("lo\n");
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    std::istringstream lines(out.str());
    std::multiset<std::string> seen;
    for (std::string line; std::getline(lines, line);) seen.insert(line);
    EXPECT_EQ(seen.size(), 800u);
    EXPECT_EQ(seen.count("a/3 | hello"), 200u);
}

}  // namespace
}  // namespace homeslice::ctl
