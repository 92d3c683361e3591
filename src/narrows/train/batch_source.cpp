#include "narrows/train/batch_source.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "narrows/eval/parallel.h"

namespace narrows {
namespace {

/// One seed of several numbers (the finaliser of SplitMix64, Steele et al. 2014).
std::uint64_t mix(std::uint64_t seed, std::uint64_t a, std::uint64_t b) {
  std::uint64_t z = seed + 0x9E3779B97F4A7C15U * (a + 1) + 0xBF58476D1CE4E5B9U * (b + 1);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

/// Boxes of a picture as shares of the network's input.
std::vector<BoxTarget> boxTargets(const DataItem& item, const PixelMap& map,
                                  const Preprocessing& preprocessing) {
  std::vector<BoxTarget> targets;
  const auto width = static_cast<double>(preprocessing.width);
  const auto height = static_cast<double>(preprocessing.height);
  const auto toX = [&](float x) {
    const double pixel = static_cast<double>(x) * static_cast<double>(map.picture.width);
    const double inner = (pixel - map.crop_x) / map.crop_width * map.inner_width + map.pad_x;
    return std::clamp(inner / width, 0.0, 1.0);
  };
  const auto toY = [&](float y) {
    const double pixel = static_cast<double>(y) * static_cast<double>(map.picture.height);
    const double inner = (pixel - map.crop_y) / map.crop_height * map.inner_height + map.pad_y;
    return std::clamp(inner / height, 0.0, 1.0);
  };
  for (const TruthBox& truth : item.boxes) {
    if (truth.crowd) continue;
    const double x1 = toX(truth.box.x1), x2 = toX(truth.box.x2);
    const double y1 = toY(truth.box.y1), y2 = toY(truth.box.y2);
    if (x2 <= x1 || y2 <= y1) continue;
    targets.push_back({truth.label, (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1});
  }
  return targets;
}

}  // namespace

BatchSource::BatchSource(const DataSet& data, const ModelDescription& description,
                         const BatchOptions& options)
    : data_(&data),
      description_(&description),
      options_(options),
      pictures_(std::make_unique<PictureSource>(data.items, description.preprocessing)),
      pool_(std::make_unique<ThreadPool>(options.threads)),
      order_(data.items.size()),
      order_epoch_(std::numeric_limits<std::size_t>::max()) {}

Result<BatchSource> BatchSource::create(const DataSet& data, const ModelDescription& description,
                                        const BatchOptions& options) {
  if (data.items.empty()) return makeError("no pictures to train with");
  if (options.batch == 0) return makeError("a batch of no pictures");
  return BatchSource(data, description, options);
}

std::size_t BatchSource::batchesPerEpoch() const {
  return std::max<std::size_t>(1, data_->items.size() / options_.batch);
}

Result<Example> BatchSource::load(std::size_t item) {
  NARROWS_TRY(picture, pictures_->get(item));
  NARROWS_TRY(map, makePixelMap(description_->preprocessing, picture.original));
  const DataItem& data = data_->items[item];
  return Example{std::move(picture.image), data.label,
                 boxTargets(data, map, description_->preprocessing)};
}

Result<Example> BatchSource::make(std::size_t item, std::uint64_t seed) {
  Draw draw(seed);
  NARROWS_TRY(own, load(item));
  if (!draw.chance(options_.augmentation.mosaic)) {
    return augment(own, options_.augmentation, draw);
  }
  std::vector<Example> others;
  for (int i = 0; i < 3; ++i) {
    NARROWS_TRY(other, load(draw.below(data_->items.size())));
    others.push_back(std::move(other));
  }
  const std::array<const Example*, 4> four = {&own, &others[0], &others[1], &others[2]};
  const Example joined = makeMosaic(four, options_.augmentation.fill, draw);
  return augment(joined, options_.augmentation, draw);
}

Result<TrainBatch> BatchSource::batch(std::size_t epoch, std::size_t index) {
  NARROWS_ASSERT(index < batchesPerEpoch());
  if (epoch != order_epoch_) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    Draw draw(mix(options_.seed, epoch, 0));
    for (std::size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[draw.below(i)]);
    order_epoch_ = epoch;
  }
  const std::size_t first = index * options_.batch;
  const std::size_t count = std::min(options_.batch, order_.size() - first);
  const Preprocessing& input = description_->preprocessing;
  TrainBatch result;
  result.pictures =
      Tensor(DType::f32, Shape{static_cast<std::int64_t>(count), 3, input.height, input.width});
  result.labels.resize(count);
  result.boxes.resize(count);
  const auto elements = static_cast<std::size_t>(3 * input.height * input.width);
  const auto target = result.pictures.mutableAs<float>();
  NARROWS_CHECK(forEachFallible(*pool_, count, [&](std::size_t i, std::size_t) -> Status {
    const std::size_t item = order_[first + i];
    NARROWS_TRY(example, make(item, mix(options_.seed, epoch + 1, item)));
    const Tensor pixels = normalizeImage(example.image, input);
    std::copy(pixels.as<float>().begin(), pixels.as<float>().end(),
              target.begin() + static_cast<std::ptrdiff_t>(i * elements));
    result.labels[i] = example.label;
    result.boxes[i] = std::move(example.boxes);
    return {};
  }));
  return result;
}

}  // namespace narrows
