#include "ctl/commands/parse_template.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <limits>

#include "base/file.h"
#include "base/status.h"
#include "ctl/commands/quantity.h"

namespace homeslice::ctl {
namespace {

constexpr off_t kMaxFileBytes = off_t{1} << 20;  // as spec/check.cpp has it for all files together

// Of something that can be read to its end; nobody is to wait for a terminal or read a disk.
absl::StatusOr<std::string> readSmallFile(const std::string& option, const std::string& path) {
    HS_ASSIGN_OR_RETURN_CTX(const UniqueFd fd, openFile(path, O_RDONLY | O_NONBLOCK), option);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return errnoStatus(errno, option + " " + path);
    if (!S_ISREG(info.st_mode)) return invalidArgument(option + ": " + path + " is no regular file");
    if (info.st_size > kMaxFileBytes) return invalidArgument(option + ": " + path + " is larger than 1 MiB");
    return readAll(fd.get());
}

// Permission bits in octal.
absl::StatusOr<uint32_t> parseMode(const std::string& option, const std::string& text) {
    constexpr uint32_t kBits = 07777;
    constexpr size_t kMaxDigits = 5;
    const bool octal =
        !text.empty() && text.size() <= kMaxDigits && text.find_first_not_of("01234567") == std::string::npos;
    const auto mode = octal ? static_cast<uint32_t>(std::stoul(text, nullptr, 8)) : kBits + 1;
    if (mode > kBits) return refuse(option, text, "an octal mode such as 0644");
    return mode;
}

}  // namespace

absl::StatusOr<uint64_t> parseBitRate(const std::string& option, const std::string& text) {
    static const std::map<std::string, uint64_t> kFactors{
        {"", 1},          {"K", 1'000},         {"k", 1'000},        {"M", 1'000'000},
        {"m", 1'000'000}, {"G", 1'000'000'000}, {"g", 1'000'000'000}};
    const auto rate = scaled(text, kFactors, uint64_t{std::numeric_limits<int64_t>::max()});
    if (!rate) return refuse(option, text, "bits a second: a whole number above 0 with K, M or G, such as 100M");
    return *rate;
}

absl::StatusOr<std::chrono::milliseconds> parseMillis(const std::string& option, const std::string& text) {
    static const std::map<std::string, uint64_t> kFactors{{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}};
    constexpr uint64_t kMost = 24 * uint64_t{3'600'000};
    const auto millis = scaled(text, kFactors, kMost);
    if (!millis) return refuse(option, text, "a whole number above 0 with ms, s, m or h, at most 24h, such as 500ms");
    return std::chrono::milliseconds(*millis);
}

absl::StatusOr<int> parseSignal(const std::string& option, const std::string& text) {
    constexpr uint32_t kMostNumber = 64;  // SIGRTMAX
    if (const auto number = wholeNumber(text, kMostNumber)) return static_cast<int>(*number);
    const std::string name = text.starts_with("SIG") ? text.substr(3) : text;
    for (int signal = 1; signal < NSIG; ++signal) {
        const char* known = ::sigabbrev_np(signal);
        if (known != nullptr && name == known) return signal;
    }
    return refuse(option, text, "a signal's name or number, such as TERM, QUIT or 15");
}

absl::StatusOr<RestartWhen> parseRestart(const std::string& option, const std::string& text) {
    if (text == "never") return RestartWhen::never;
    if (text == "on-failure") return RestartWhen::on_failure;
    if (text == "always") return RestartWhen::always;
    return refuse(option, text, "never, on-failure or always");
}

absl::StatusOr<Balance> parseBalanceOption(const std::string& option, const std::string& text) {
    if (const auto balance = parseBalance(text)) return *balance;
    return invalidArgument(option + " '" + text + "': hash, round-robin, least-load or nearest");
}

absl::StatusOr<DiskMedium> parseDiskMedium(const std::string& option, const std::string& text) {
    if (text == "store") return DiskMedium::store;
    if (text == "memory") return DiskMedium::memory;
    return refuse(option, text, "store or memory");
}

absl::StatusOr<File> readFileOption(const std::string& option, const std::string& text) {
    const size_t colon = text.find(":/");
    if (colon == 0 || colon == std::string::npos) {
        return refuse(option, text,
                      "LOCAL:PATH[:MODE] with an absolute PATH, such as nginx.conf:/etc/nginx/nginx.conf");
    }
    File file;
    file.path = text.substr(colon + 1);
    if (const size_t last = file.path.rfind(':'); last != std::string::npos) {
        HS_ASSIGN_OR_RETURN(file.mode, parseMode(option, file.path.substr(last + 1)));
        file.path.resize(last);
    }
    HS_ASSIGN_OR_RETURN(file.content, readSmallFile(option, text.substr(0, colon)));
    return file;
}

absl::StatusOr<Volume> parseVolume(const std::string& option, const std::string& text) {
    const std::vector<std::string> parts = splitAt(text, ':');
    const bool has_access = parts.size() == 3 && (parts[2] == "ro" || parts[2] == "rw");
    if (parts.size() != 2 && !has_access) {
        return refuse(option, text, "SRC:DST or SRC:DST:ro, both absolute, such as /srv/data:/data:ro");
    }
    return Volume{.source = parts[0], .target = parts[1], .read_only = has_access && parts[2] == "ro"};
}

absl::StatusOr<HostEntry> parseHost(const std::string& option, const std::string& text) {
    const size_t equals = text.find('=');
    const auto address = Ipv6Address::parse(equals == std::string::npos ? "" : text.substr(equals + 1));
    if (equals == 0 || !address.ok()) return refuse(option, text, "NAME=ADDR with an IPv6 address, such as db=fd00::5");
    return HostEntry{.address = *address, .name = text.substr(0, equals)};
}

absl::StatusOr<std::vector<std::string>> readEnvironment(const std::string& option, const std::string& path) {
    HS_ASSIGN_OR_RETURN(const std::string content, readSmallFile(option, path));
    std::vector<std::string> variables;
    for (const std::string& line : splitAt(content, '\n')) {
        if (line.empty() || line.starts_with('#')) continue;
        const size_t equals = line.find('=');
        if (equals == 0 || equals == std::string::npos) {
            return refuse(option + " " + path + ": line", line, "NAME=value");
        }
        variables.push_back(line);
    }
    return variables;
}

}  // namespace homeslice::ctl
