#include "narrows/eval/pictures.h"

#include "narrows/base/file.h"

namespace narrows {
namespace {

constexpr std::size_t kLargestFile = std::size_t{256} << 20;

Result<FittedPicture> readFitted(const DataItem& item, const Preprocessing& preprocessing) {
  NARROWS_TRY(bytes, readFile(item.image, kLargestFile));
  NARROWS_TRY(image, decodeImage(bytes).within(item.image.string()));
  NARROWS_TRY(fitted, fitImage(image, preprocessing).within(item.image.string()));
  return FittedPicture{std::move(fitted), {image.width, image.height}, bytes.size()};
}

}  // namespace

PictureSource::PictureSource(std::span<const DataItem> items, const Preprocessing& preprocessing)
    : items_(items), preprocessing_(preprocessing) {
  const auto bytes_each = static_cast<std::size_t>(preprocessing.width * preprocessing.height * 3);
  if (items.size() <= kCacheLimit / std::max<std::size_t>(1, bytes_each))
    cache_.resize(items.size());
}

Result<FittedPicture> PictureSource::get(std::size_t index) {
  NARROWS_ASSERT(index < items_.size());
  if (index < cache_.size() && cache_[index]) return *cache_[index];
  NARROWS_TRY(picture, readFitted(items_[index], preprocessing_));
  if (index < cache_.size()) cache_[index] = picture;
  return std::move(picture);
}

}  // namespace narrows
