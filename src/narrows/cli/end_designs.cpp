#include "narrows/cli/end_designs.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <string>

#include "narrows/codec/frame.h"

namespace narrows {
namespace {

/// What a later run must find as it was, or its designs would compare differently.
struct EndFigures {
  Seconds uncut_time;
  double jpeg_bytes = 0;
  Seconds jpeg_encode;
  double jpeg_percent = 0;
};

/// From the store, or measured and stored.
Result<EndFigures> measureEnds(int jpeg_quality, Sweep& sweep, Store& store) {
  const std::string cut(kPicture);
  const std::string quantizer = fmt::format("JPEG {}", jpeg_quality);
  const auto known = [&]() -> Result<std::optional<EndFigures>> {
    EndFigures figures;
    bool coded = false;
    bool scored = false;
    NARROWS_TRY(times, store.cutTimes());
    if (const auto found = times.find(cut); found != times.end())
      figures.uncut_time = found->second.server;
    NARROWS_TRY(frames, store.frames());
    for (const FrameRow& row : frames) {
      if (row.cut != cut || row.quantizer != quantizer) continue;
      figures.jpeg_bytes = row.mean_bytes;
      figures.jpeg_encode = row.encode_time;
      coded = true;
    }
    NARROWS_TRY(accuracies, store.accuracies());
    for (const AccuracyRow& row : accuracies) {
      if (row.cut != cut || row.quantizer != quantizer) continue;
      figures.jpeg_percent = row.primary;
      scored = true;
    }
    if (!coded || !scored) return std::optional<EndFigures>();
    return std::optional(figures);
  };
  NARROWS_TRY(stored, known());
  if (stored) return *stored;
  NARROWS_TRY(jpeg, sweep.measureImage({ImageCoding::jpeg, jpeg_quality}));
  const Seconds uncut = sweep.baseline().uncut_time;
  NARROWS_CHECK(store.addFrames(cut, {uncut, uncut},
                                {{cut,
                                  quantizer,
                                  "jpeg",
                                  static_cast<std::int64_t>(sweep.baseline().pictures),
                                  jpeg.mean_bytes,
                                  0,
                                  static_cast<std::int64_t>(jpeg.worst_bytes),
                                  jpeg.encode_time,
                                  {}}}));
  NARROWS_CHECK(
      store.addAccuracy({cut, quantizer, jpeg.accuracy.primary, jpeg.accuracy.secondary}));
  // As the store has it: what another run wrote first stays.
  NARROWS_TRY(now, known());
  if (!now) return makeError("the store lost {}", quantizer);
  return *now;
}

}  // namespace

Result<EndDesigns> makeEnds(int jpeg_quality, const SplitPricer& pricer,
                            const SplitPricing& pricing, Sweep& sweep, Store& store) {
  const SweepBaseline& baseline = sweep.baseline();
  NARROWS_TRY(figures, measureEnds(jpeg_quality, sweep, store));
  EndDesigns ends;
  NARROWS_TRY(on_node, pricer.onNode({figures.uncut_time, {}}));
  ends.designs.push_back(
      {"(all on node)", std::nullopt, pricing.costOf(on_node[0], {}, {}, {}), 0, {}});
  ends.recipes.emplace_back().on_node = true;
  const auto header = static_cast<double>(kFrameHeaderBytes);
  struct Picture {
    std::string name;
    ImageInterface interface;
    double bytes;
    Seconds encode;
    double drop;
  };
  const std::array<Picture, 3> pictures{
      Picture{"(all on server, 8-bit samples)",
              {ImageCoding::raw, 100},
              static_cast<double>(baseline.raw_image_bytes) + header,
              {},
              0},
      Picture{"(all on server, file as it is)",
              {ImageCoding::original, 100},
              baseline.file_bytes + header,
              {},
              0},
      Picture{fmt::format("(all on server, JPEG {})", jpeg_quality),
              {ImageCoding::jpeg, jpeg_quality},
              figures.jpeg_bytes,
              figures.jpeg_encode,
              baseline.uncut.primary - figures.jpeg_percent}};
  for (const Picture& picture : pictures) {
    NARROWS_TRY(links, pricer.forPicture(picture.interface, {{}, figures.uncut_time}));
    for (std::size_t link = 0; link < links.size(); ++link) {
      ends.designs.push_back({picture.name, link,
                              pricing.costOf(links[link], Bytes(picture.bytes), picture.encode, {}),
                              picture.drop, picture.encode});
      SplitRecipe& recipe = ends.recipes.emplace_back();
      recipe.picture = toString(picture.interface.coding);
      recipe.jpeg_quality = picture.interface.quality;
    }
  }
  return ends;
}

}  // namespace narrows
