#include "narrows/formats/darknet_reader.h"

#include <limits>

#include "narrows/formats/darknet_cfg.h"
#include "narrows/formats/darknet_network.h"
#include "narrows/formats/darknet_weights.h"

namespace narrows {
namespace {

constexpr std::size_t kMaxCfgBytes = std::size_t{16} << 20;

/// Counts the network's weights before any is read, so that a file of another size is refused with
/// both counts.
Result<std::int64_t> countWeights(std::span<const DarknetSection> sections, std::int64_t limit) {
  DarknetWeightCount counter(limit);
  NARROWS_CHECK(DarknetNetwork(counter).build(sections));
  return counter.count();
}

Result<DarknetModel> readWithFile(std::string_view cfg_text, std::string_view cfg_place,
                                  ByteSpan weights, std::shared_ptr<const MappedFile> owner,
                                  std::string_view weights_place) {
  NARROWS_TRY(sections, parseDarknetCfg(cfg_text).within(cfg_place));
  NARROWS_TRY(count,
              countWeights(sections, std::numeric_limits<std::int64_t>::max()).within(cfg_place));
  NARROWS_TRY(source, openDarknetWeights(weights, std::move(owner), count).within(weights_place));
  return DarknetNetwork(*source).build(sections).within(weights_place);
}

}  // namespace

Result<DarknetModel> readDarknet(const std::filesystem::path& cfg,
                                 const std::filesystem::path& weights) {
  NARROWS_TRY(text, readTextFile(cfg, kMaxCfgBytes));
  NARROWS_TRY(file, MappedFile::open(weights));
  return readWithFile(text, cfg.string(), file->bytes(), file, weights.string());
}

Result<DarknetModel> readDarknet(const std::filesystem::path& cfg,
                                 const DarknetRandomWeights& weights) {
  NARROWS_TRY(text, readTextFile(cfg, kMaxCfgBytes));
  return parseDarknet(text, weights, cfg.string());
}

Result<DarknetModel> parseDarknet(std::string_view cfg_text, ByteSpan weights,
                                  std::string_view place) {
  return readWithFile(cfg_text, place, weights, nullptr, "weights");
}

Result<DarknetModel> parseDarknet(std::string_view cfg_text, const DarknetRandomWeights& weights,
                                  std::string_view place) {
  NARROWS_TRY(sections, parseDarknetCfg(cfg_text).within(place));
  NARROWS_CHECK(countWeights(sections, weights.max_parameters).within(place));
  if (!weights.elements) {
    DarknetWeightCount types(weights.max_parameters);
    return DarknetNetwork(types).build(sections).within(place);
  }
  const auto source = randomDarknetWeights(weights.seed);
  return DarknetNetwork(*source).build(sections).within(place);
}

}  // namespace narrows
