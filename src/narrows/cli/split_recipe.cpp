#include "narrows/cli/split_recipe.h"

#include <nlohmann/json.hpp>

#include "narrows/bundle/sha256.h"
#include "narrows/graph/text.h"

namespace narrows {
namespace {

using Json = nlohmann::ordered_json;

/// Reads members of one type each and keeps the first mistake.
class Members {
 public:
  explicit Members(const Json& object) : object_(&object) {}

  void read(const char* key, std::string& value) {
    const auto found = object_->find(key);
    if (found == object_->end() || !found->is_string()) return miss(key, "a string");
    value = found->get<std::string>();
  }
  void read(const char* key, bool& value) {
    const auto found = object_->find(key);
    if (found == object_->end() || !found->is_boolean()) return miss(key, "true or false");
    value = found->get<bool>();
  }
  template <class Number>
  void readNumber(const char* key, Number& value, Number most) {
    const auto found = object_->find(key);
    if (found == object_->end() || !found->is_number_unsigned() ||
        found->get<std::uint64_t>() > static_cast<std::uint64_t>(most))
      return miss(key, fmt::format("a whole number up to {}", most));
    value = static_cast<Number>(found->get<std::uint64_t>());
  }

  Status status() const {
    if (mistake_.empty()) return {};
    return makeError("{}", mistake_);
  }

 private:
  void miss(const char* key, std::string_view expected) {
    if (mistake_.empty()) mistake_ = fmt::format("recipe: {}: expected {}", key, expected);
  }
  const Json* object_;
  std::string mistake_;
};

}  // namespace

std::string toJson(const SplitRecipe& recipe) {
  Json json{{"model", recipe.model_digest},
            {"cut", recipe.cut},
            {"picture", recipe.picture},
            {"on_node", recipe.on_node},
            {"jpeg_quality", recipe.jpeg_quality},
            {"quantizer", recipe.quantizer},
            {"bits", recipe.bits},
            {"granularity", recipe.granularity},
            {"coder", recipe.coder},
            {"calibration", recipe.calibration.path},
            {"calibration_split", recipe.calibration.split},
            {"calibration_pictures", recipe.calibration.pictures},
            {"engine", recipe.engine}};
  // Ids of designs hang on the text: those that nothing was trained for keep theirs.
  if (!recipe.bundle.empty()) json["bundle"] = recipe.bundle;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<SplitRecipe> parseSplitRecipe(const std::string& json) {
  const Json object = Json::parse(json, nullptr, false);
  if (!object.is_object()) return makeError("recipe: expected a JSON object");
  constexpr int kBestQuality = 100;
  constexpr std::size_t kMostPictures = std::size_t{1} << 31;
  SplitRecipe recipe;
  Members members(object);
  members.read("model", recipe.model_digest);
  members.read("cut", recipe.cut);
  members.read("picture", recipe.picture);
  members.read("on_node", recipe.on_node);
  members.readNumber("jpeg_quality", recipe.jpeg_quality, kBestQuality);
  members.read("quantizer", recipe.quantizer);
  members.read("bits", recipe.bits);
  members.read("granularity", recipe.granularity);
  members.read("coder", recipe.coder);
  members.read("calibration", recipe.calibration.path);
  members.read("calibration_split", recipe.calibration.split);
  members.readNumber("calibration_pictures", recipe.calibration.pictures, kMostPictures);
  members.read("engine", recipe.engine);
  if (object.contains("bundle")) members.read("bundle", recipe.bundle);
  NARROWS_CHECK(members.status());
  return recipe;
}

std::string graphDigest(const Graph& graph) {
  return sha256(asBytes(formatGraph(graph)));
}

}  // namespace narrows
