#include "fuzz/frame_decoder_input.h"

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

}  // namespace

std::vector<FeatureInterface> frameDecoderInterfaces() {
  const TensorType map{DType::f32, Shape{1, 6, 9, 11}};
  const TensorType features{DType::f32, Shape{1, 37}};
  QuantizerParams two_level = uniform(1, Granularity::tensor, 1);
  two_level.kind = QuantizerKind::two_level;
  std::vector<FeatureInterface> interfaces;
  for (const CoderParams& params :
       {CoderParams{CoderKind::raw}, CoderParams{CoderKind::deflate}, CoderParams{CoderKind::lzma},
        CoderParams{CoderKind::zstd}, CoderParams{CoderKind::context},
        CoderParams{CoderKind::context, kMaximumEffort}}) {
    interfaces.push_back({map, uniform(3, Granularity::channel, 6), params});
    interfaces.push_back({map, two_level, params});
    interfaces.push_back({map, uniform(8, Granularity::tensor, 1), params});
    interfaces.push_back({features, QuantizerParams{}, params});
    interfaces.push_back({TensorType{DType::boolean, Shape{50}}, QuantizerParams{}, params});
    interfaces.push_back({TensorType{DType::f32, Shape{0, 4, 2, 2}}, two_level, params});
  }
  return interfaces;
}

}  // namespace narrows::fuzz
