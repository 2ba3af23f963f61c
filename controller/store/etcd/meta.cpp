#include "controller/store/etcd/meta.h"

#include <nlohmann/json.hpp>

#include "base/status.h"

namespace homeslice::controller::etcd {

using Json = nlohmann::json;

std::string toText(const Meta& meta) {
    return Json{{"schema", meta.schema},
                {"revision", meta.revision},
                {"last_slice_number", meta.last_slice_number},
                {"home_prefix", meta.home_prefix},
                {"batch", meta.batch}}
        .dump();
}

absl::StatusOr<Meta> parseMeta(const std::string& text) {
    try {
        const Json json = Json::parse(text);
        Meta meta;
        meta.schema = json.at("schema").get<int64_t>();
        meta.revision = json.at("revision").get<uint64_t>();
        meta.last_slice_number = json.at("last_slice_number").get<uint32_t>();
        meta.home_prefix = json.at("home_prefix").get<std::string>();
        meta.batch = json.at("batch").get<std::string>();
        return meta;
    } catch (const Json::exception& error) {
        return dataLoss(std::string("the key meta: ") + error.what());
    }
}

}  // namespace homeslice::controller::etcd
