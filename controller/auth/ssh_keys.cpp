#include "controller/auth/ssh_keys.h"

#include <algorithm>
#include <array>
#include <sstream>

#include "base/status.h"

namespace homeslice::controller {
namespace {

constexpr size_t kMostKeys = 32;
constexpr size_t kMostBytes = 8192;
constexpr std::array kTypes{"ssh-ed25519",
                            "ecdsa-sha2-nistp256",
                            "ecdsa-sha2-nistp384",
                            "ecdsa-sha2-nistp521",
                            "ssh-rsa",
                            "sk-ssh-ed25519@openssh.com",
                            "sk-ecdsa-sha2-nistp256@openssh.com"};

bool isBase64(const std::string& text) {
    const size_t end = text.find_last_not_of('=') + 1;
    constexpr const char* kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return end >= 16 && text.size() % 4 == 0 && text.size() - end <= 2 && text.find_first_not_of(kDigits) >= end;
}

std::vector<std::string> wordsOf(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

bool isMeant(const std::string& key, const std::string& text) {
    const std::vector<std::string> words = wordsOf(key);
    const size_t comment = words[0].size() + words[1].size() + 2;
    return key == text || words[1] == text || (key.size() > comment && key.substr(comment) == text);
}

}  // namespace

absl::StatusOr<std::string> parseSshKey(const std::string& text) {
    const std::string line = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
    const bool plain =
        std::none_of(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; });
    const std::vector<std::string> words = wordsOf(line);
    const bool known = words.size() >= 2 && std::find(kTypes.begin(), kTypes.end(), words[0]) != kTypes.end();
    if (line.size() > kMostBytes || !plain || !known || !isBase64(words[1])) {
        return invalidArgument("this is no ssh public key: it is one line like 'ssh-ed25519 AAAA... name'");
    }
    std::string key;
    for (const std::string& word : words) key += (key.empty() ? "" : " ") + word;
    return key;
}

absl::StatusOr<std::vector<std::string>> withSshKey(std::vector<std::string> keys, const std::string& key) {
    const std::string body = wordsOf(key)[1];
    if (std::any_of(keys.begin(), keys.end(), [&](const std::string& old) { return isMeant(old, body); })) {
        return alreadyExists("the user has this key already");
    }
    if (keys.size() == kMostKeys) return resourceExhausted("a user has at most 32 keys");
    keys.push_back(key);
    return keys;
}

absl::StatusOr<std::vector<std::string>> withoutSshKey(const std::vector<std::string>& keys, const std::string& key) {
    std::vector<std::string> rest;
    std::copy_if(keys.begin(), keys.end(), std::back_inserter(rest),
                 [&](const std::string& old) { return !isMeant(old, key); });
    if (rest.size() == keys.size()) return notFound("the user has no such key");
    if (rest.size() + 1 < keys.size()) return failedPrecondition("several keys have this comment: give the key itself");
    return rest;
}

}  // namespace homeslice::controller
