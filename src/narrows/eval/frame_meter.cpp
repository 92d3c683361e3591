#include "narrows/eval/frame_meter.h"

#include <cstring>

#include "narrows/engine/part_clock.h"

namespace narrows {

Result<FrameMeter> FrameMeter::create(std::span<const FeatureInterface> interfaces) {
  FrameMeter meter;
  for (const FeatureInterface& interface : interfaces) {
    NARROWS_TRY(encoder, FeatureEncoder::create(interface));
    NARROWS_TRY(decoder, FeatureDecoder::create(interface));
    meter.encoders_.push_back(std::move(encoder));
    meter.decoders_.push_back(std::move(decoder));
    meter.maps_.emplace_back(interface.type);
  }
  meter.frames_.resize(interfaces.size());
  for (const Tensor& map : meter.maps_) meter.views_.push_back(map.view());
  return meter;
}

Status FrameMeter::measure(std::span<const TensorView> maps, std::uint32_t sequence) {
  NARROWS_ASSERT(maps.size() == encoders_.size());
  const Seconds start = runMoment(1);
  for (std::size_t i = 0; i < maps.size(); ++i)
    NARROWS_CHECK(encoders_[i].encode(maps[i], sequence, frames_[i]));
  const Seconds encoded = runMoment(1);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    bytes += frames_[i].size();
    NARROWS_CHECK(decoders_[i].decode(frames_[i], maps_[i].mutableView()));
  }
  statistics_.add(bytes, encoded - start, runMoment(1) - encoded);
  return {};
}

bool FrameMeter::sameMaps(const FrameMeter& other) const {
  for (std::size_t i = 0; i < maps_.size(); ++i) {
    const ByteSpan a = maps_[i].view().bytes();
    const ByteSpan b = other.maps_[i].view().bytes();
    if (a.size() != b.size() || std::memcmp(a.data(), b.data(), a.size()) != 0) return false;
  }
  return true;
}

}  // namespace narrows
