#include "fuzz/frame_decoder_input.h"

#include <cmath>
#include <utility>

#include "narrows/base/assert.h"

namespace narrows::fuzz {
namespace {

QuantizerParams uniform(int bits, Granularity granularity, std::size_t entries) {
  QuantizerParams params;
  params.kind = QuantizerKind::uniform;
  params.bits = bits;
  params.granularity = granularity;
  params.low.assign(entries, 0.0F);
  params.step.assign(entries, 0.25F);
  return params;
}

void addInterfaces(std::vector<FeatureInterface>& interfaces, const CoderParams& params) {
  const TensorType map{DType::f32, Shape{1, 6, 9, 11}};
  const TensorType features{DType::f32, Shape{1, 37}};
  QuantizerParams two_level = uniform(1, Granularity::tensor, 1);
  two_level.kind = QuantizerKind::two_level;
  interfaces.push_back({map, uniform(3, Granularity::channel, 6), params});
  interfaces.push_back({map, two_level, params});
  interfaces.push_back({map, uniform(8, Granularity::tensor, 1), params});
  interfaces.push_back({features, QuantizerParams{}, params});
  interfaces.push_back({TensorType{DType::boolean, Shape{50}}, QuantizerParams{}, params});
  interfaces.push_back({TensorType{DType::f32, Shape{0, 4, 2, 2}}, two_level, params});
  for (FeatureInterface& interface : interfaces) interface.key_interval = 9;
}

}  // namespace

std::vector<FeatureInterface> frameDecoderInterfaces() {
  std::vector<FeatureInterface> interfaces;
  for (const CoderKind coder :
       {CoderKind::raw, CoderKind::deflate, CoderKind::lzma, CoderKind::zstd, CoderKind::context}) {
    addInterfaces(interfaces, {coder});
  }
  return interfaces;
}

std::vector<FeatureInterface> maximumEffortInterfaces() {
  std::vector<FeatureInterface> interfaces;
  addInterfaces(interfaces, {CoderKind::context, kMaximumEffort});
  return interfaces;
}

HostileDecoder::HostileDecoder(std::vector<FeatureInterface> interfaces) {
  for (FeatureInterface& interface : interfaces) {
    auto encoder = FeatureEncoder::create(interface);
    auto decoder = FeatureDecoder::create(interface);
    NARROWS_ASSERT(encoder.ok() && decoder.ok());
    Tensor map(interface.type);
    Tensor again(interface.type);
    ByteVector key;
    NARROWS_ASSERT(encoder->encode(map.view(), kKeySequence, key).ok());
    links_.push_back({std::move(interface), std::move(*encoder), std::move(*decoder),
                      std::move(map), std::move(again), std::move(key)});
  }
}

void HostileDecoder::decode(ByteSpan input) {
  if (input.size() < 2) return;
  const auto choice = std::to_integer<std::size_t>(input[0]);
  const auto shape = std::to_integer<unsigned>(input[1]);
  Link& link = links_[choice % links_.size()];

  ByteVector frame;
  if (shape == kWholeFrame) {
    frame.assign(input.begin() + 2, input.end());
  } else {
    const bool named = shape % kShapes == kNamedTemporal;
    const auto form = named ? PayloadForm::temporal : static_cast<PayloadForm>(shape % kShapes);
    beginFrame(frame);
    if (named) {
      NARROWS_ASSERT(link.decoder.decode(link.key, link.again.mutableView()).ok());
      const std::uint32_t checksum = readFrameHeader(link.key)->checksum;
      for (const std::uint32_t byte : {1U, checksum, checksum >> 8, checksum >> 16}) {
        frame.push_back(static_cast<std::byte>(byte & 0xFF));
      }
    }
    frame.insert(frame.end(), input.begin() + 2, input.end());
    sealFrame(frame, form, fingerprint(link.interface), kKeySequence + 1);
  }
  if (link.decoder.decode(frame, link.map.mutableView()).ok()) checkMap(link);
}

void HostileDecoder::checkMap(Link& link) {
  if (link.interface.quantizer.kind == QuantizerKind::none) return;
  const std::span<const float> map = std::as_const(link.map).as<float>();
  for (const float value : map) NARROWS_ASSERT(std::isfinite(value));
  ByteVector frame;
  NARROWS_ASSERT(link.encoder.encode(link.map.view(), 7, frame).ok());
  NARROWS_ASSERT(link.decoder.decode(frame, link.again.mutableView()).ok());
  const std::span<const float> again = std::as_const(link.again).as<float>();
  for (std::size_t i = 0; i < map.size(); ++i) NARROWS_ASSERT(map[i] == again[i]);

  // The same again, by reference.
  link.encoder.acknowledge(7);
  NARROWS_ASSERT(link.encoder.encode(link.map.view(), 8, frame).ok());
  NARROWS_ASSERT(link.decoder.decode(frame, link.again.mutableView()).ok());
  for (std::size_t i = 0; i < map.size(); ++i) NARROWS_ASSERT(map[i] == again[i]);
  link.encoder.startAnew();
}

}  // namespace narrows::fuzz
