#include <cmath>
#include <cstddef>
#include <cstdint>

#include "fuzz/frame_decoder_input.h"
#include "narrows/base/assert.h"
#include "narrows/codec/feature_codec.h"

// Decodes hostile frames. What is accepted must be well-formed: levels of the quantizer only, and
// the map it gives must encode and decode to itself.
namespace narrows {
namespace {

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

void decodeHostile(ByteSpan input) {
  if (input.size() < 2) return;
  static const std::vector<FeatureInterface> interfaces = fuzz::frameDecoderInterfaces();
  const auto choice = std::to_integer<std::size_t>(input[0]);
  const auto shape = std::to_integer<unsigned>(input[1]);
  const FeatureInterface& interface = interfaces[choice % interfaces.size()];

  ByteVector frame;
  if (shape == fuzz::kWholeFrame) {
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

}  // namespace
}  // namespace narrows

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  narrows::decodeHostile(std::as_bytes(std::span(data, size)));
  return 0;
}
