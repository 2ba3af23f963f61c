#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <sstream>

#include "ctl/output/printer.h"
#include "ctl/output/progress.h"
#include "ctl/output/table.h"
#include "ctl/output/units.h"

namespace homeslice::ctl {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Output : public ::testing::Test {
protected:
    std::ostringstream out_;
    std::ostringstream err_;
    Io io_{.out = out_, .err = err_};
    const std::vector<Column> columns_{{.header = "name", .field = "name"},
                                       {.header = "memory", .field = "/limits/memory_bytes", .show = showLimitBytes},
                                       {.header = "kernel", .field = "kernel", .wide_only = true}};
    const Value rows_ = Value::parse(R"([
        {"name": "n1", "limits": {"memory_bytes": 134217728}, "kernel": "6.1"},
        {"name": "längst", "limits": {"memory_bytes": 0}, "kernel": ""}])");
};

TEST_F(Output, TableAlignsByColumnsOfTheTerminal) {
    printList(io_, OutputFormat::table, columns_, rows_);
    EXPECT_EQ(out_.str(), "NAME     MEMORY\nn1       128M\nlängst   -\n");
}

TEST_F(Output, WideAddsColumns) {
    printList(io_, OutputFormat::wide, columns_, rows_);
    EXPECT_EQ(out_.str(), "NAME     MEMORY   KERNEL\nn1       128M     6.1\nlängst   -        -\n");
}

TEST_F(Output, ColourIsOnlyInTheHeader) {
    io_.colour = true;
    printList(io_, OutputFormat::table, columns_, Value::array());
    EXPECT_EQ(out_.str(), "\033[1mNAME   MEMORY\033[0m\n");
}

TEST_F(Output, JsonKeepsTheTreeAndItsOrder) {
    printList(io_, OutputFormat::json, columns_, rows_);
    EXPECT_EQ(Value::parse(out_.str()), rows_);
    EXPECT_LT(out_.str().find("name"), out_.str().find("limits"));
}

TEST_F(Output, EmptyListIsAnEmptyArray) {
    printList(io_, OutputFormat::json, columns_, Value::array());
    printList(io_, OutputFormat::yaml, columns_, Value::array());
    EXPECT_EQ(out_.str(), "[]\n[]\n");
}

TEST_F(Output, JsonReplacesWhatIsNotUtf8) {
    printTree(io_, OutputFormat::json, Value{{"name", "a\xff"}});
    EXPECT_EQ(Value::parse(out_.str()).at("name"), "a\xef\xbf\xbd");
}

TEST_F(Output, YamlQuotesTextThatLooksLikeAnotherType) {
    printTree(io_, OutputFormat::yaml, Value{{"name", "yes"}, {"count", 3}, {"none", nullptr}, {"list", {"a", "b"}}});
    EXPECT_EQ(out_.str(), "name: \"yes\"\ncount: 3\nnone: null\nlist:\n  - \"a\"\n  - \"b\"\n");
}

TEST_F(Output, ObjectIsALineAField) {
    printObject(io_, OutputFormat::table, columns_, rows_[0]);
    EXPECT_EQ(out_.str(), "name:    n1\nmemory:  128M\nkernel:  6.1\n");
}

TEST_F(Output, AnObjectsEmptyDetailsAreLeftOut) {
    const std::vector<Column> columns{{.header = "name", .field = "name"},
                                      {.header = "a long header", .field = "missing", .only_if_any = true},
                                      {.header = "kernel", .field = "kernel", .only_if_any = true}};
    printObject(io_, OutputFormat::table, columns, rows_[0]);
    EXPECT_EQ(out_.str(), "name:    n1\nkernel:  6.1\n");
}

TEST_F(Output, CellsCannotMoveTheCursor) {
    Table table({"reason"});
    table.addRow({"a\033[2Jb\nc"});
    table.print(out_, false);
    EXPECT_EQ(out_.str(), "REASON\na?[2Jb?c\n");
}

TEST(DisplayWidth, CountsColumnsNotBytes) {
    EXPECT_EQ(displayWidth("abc"), 3u);
    EXPECT_EQ(displayWidth("ä→"), 2u);
    EXPECT_EQ(displayWidth("日本"), 4u);
    EXPECT_EQ(displayWidth("e\xcc\x81"), 1u);
    EXPECT_EQ(displayWidth("\xe6\x97"), 2u) << "a cut-off character: a column for each byte";
    EXPECT_EQ(displayWidth("\xff"), 1u);
}

TEST(Units, Bytes) {
    EXPECT_EQ(humanBytes(0), "0");
    EXPECT_EQ(humanBytes(1023), "1023");
    EXPECT_EQ(humanBytes(128ULL << 20), "128M");
    EXPECT_EQ(humanBytes(3ULL << 29), "1.5G");
    EXPECT_EQ(humanBytes(std::numeric_limits<uint64_t>::max()), "16E");
}

TEST(Units, BitRatesAreDecimal) {
    EXPECT_EQ(humanBitRate(9600), "9.6K");
    EXPECT_EQ(humanBitRate(100'000'000), "100M");
    EXPECT_EQ(humanBitRate(2'500'000'000), "2.5G");
}

TEST(Units, Durations) {
    EXPECT_EQ(humanDuration(seconds(-5)), "0s");
    EXPECT_EQ(humanDuration(seconds(90)), "90s");
    EXPECT_EQ(humanDuration(seconds(300)), "5m");
    EXPECT_EQ(humanDuration(seconds(3 * 3600)), "3h");
    EXPECT_EQ(humanDuration(seconds(7 * 86400)), "7d");
    EXPECT_EQ(humanDuration(seconds(7 * 86400 - 1)), "7d") << "a lease of a week, just granted";
    EXPECT_EQ(humanElapsed(milliseconds(412)), "0.41 s");
    EXPECT_EQ(humanElapsed(milliseconds(2310)), "2.3 s");
    EXPECT_EQ(humanElapsed(milliseconds(65000)), "1m 05s");
}

TEST(Units, AgesOfTextTimes) {
    const auto time = parseUtc("2026-01-02T03:04:05.678Z");
    ASSERT_TRUE(time.has_value());
    EXPECT_EQ(formatUtc(*time), "2026-01-02T03:04:05.678Z");
    EXPECT_EQ(humanAge(*time, *time + seconds(300)), "5m");
    EXPECT_EQ(humanAge(*time, *time - seconds(300)), "in 5m");
    EXPECT_FALSE(parseUtc("2026-01-02").has_value());
    EXPECT_FALSE(parseUtc("2026-01-02T03:04:05.678Zjunk").has_value());
}

TEST(Cells, Limits) {
    EXPECT_EQ(showCpuMillis(1500), "1.5");
    EXPECT_EQ(showCpuMillis(0), "-");
    EXPECT_EQ(showLimit(64), "64");
    EXPECT_EQ(showLimit(0u), "-");
    EXPECT_EQ(showPlain(Value::array({"80/tcp", "53/udp"})), "80/tcp,53/udp");
    EXPECT_EQ(showAge(nullptr), "-");
    EXPECT_EQ(showSeconds(60), "60s");
}

TEST_F(Output, ProgressIsSilentUntilTheEndWithoutTerminal) {
    {
        Progress progress(io_, "slice web");
        progress.update(1, 3, "starting");
        EXPECT_THAT(err_.str(), IsEmpty());
        progress.finish("3 slivers run");
    }
    EXPECT_EQ(err_.str(), "slice web: 3 slivers run\n");
}

TEST_F(Output, ProgressRedrawsAndWipesOnATerminal) {
    io_.err_is_terminal = true;
    {
        Progress progress(io_, "web");
        progress.update(1, 2, "starting");
        EXPECT_THAT(err_.str(), HasSubstr("web [############------------] 1/2 starting"));
        EXPECT_THAT(err_.str(), Not(HasSubstr("\n")));
    }
    EXPECT_TRUE(err_.str().ends_with("\r\033[K"));
}

}  // namespace
}  // namespace homeslice::ctl
