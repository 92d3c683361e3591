#include "fuzz/frame_decoder_input.h"

#include <cmath>

#include "narrows/base/assert.h"
#include "narrows/codec/feature_codec.h"

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
}

void checkMap(const FeatureInterface& interface, TensorView map) {
  if (interface.quantizer.kind == QuantizerKind::none) return;
  for (const float value : map.as<float>()) NARROWS_ASSERT(std::isfinite(value));
  auto encoder = FeatureEncoder::create(interface);
  auto decoder = FeatureDecoder::create(interface);
  NARROWS_ASSERT(encoder.ok() && decoder.ok());
  ByteVector frame;
  NARROWS_ASSERT(encoder->encode(map, 7, frame).ok());
  Tensor again(interface.type);
  NARROWS_ASSERT(decoder->decode(frame, again.mutableView()).ok());
  const std::span<const float> a = map.as<float>();
  const std::span<const float> b = again.as<float>();
  for (std::size_t i = 0; i < a.size(); ++i) NARROWS_ASSERT(a[i] == b[i]);
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

void decodeHostile(ByteSpan input, std::span<const FeatureInterface> interfaces) {
  if (input.size() < 2) return;
  const auto choice = std::to_integer<std::size_t>(input[0]);
  const auto shape = std::to_integer<unsigned>(input[1]);
  const FeatureInterface& interface = interfaces[choice % interfaces.size()];

  ByteVector frame;
  if (shape == kWholeFrame) {
    frame.assign(input.begin() + 2, input.end());
  } else {
    beginFrame(frame);
    frame.insert(frame.end(), input.begin() + 2, input.end());
    sealFrame(frame, static_cast<PayloadForm>(shape % 4), fingerprint(interface), 1);
  }
  auto decoder = FeatureDecoder::create(interface);
  NARROWS_ASSERT(decoder.ok());
  Tensor map(interface.type);
  if (decoder->decode(frame, map.mutableView()).ok()) checkMap(interface, map);
}

}  // namespace narrows::fuzz
