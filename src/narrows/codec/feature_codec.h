#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"
#include "narrows/codec/frame.h"
#include "narrows/codec/lossless.h"
#include "narrows/codec/params.h"
#include "narrows/tensor/tensor.h"

/// A map to a feature frame and back: quantizer, packing, lossless coder, frame
/// (docs/feature-frame.md). Objects keep their buffers from frame to frame; one thread at a time.
namespace narrows {

/// Coders of an interface's maps at narrower widths, each made when it is first needed. Tables
/// belong to one width: narrower ones do with the standard tables.
class CoarseCoders {
 public:
  CoarseCoders(const CoderParams& coder, const SymbolLayout& layout)
      : params_{coder.kind, coder.level, {}}, layout_(layout) {}
  /// 1 <= bits < those of the interface.
  Result<LosslessCoder*> at(int bits);

 private:
  CoderParams params_;
  SymbolLayout layout_;
  std::array<std::unique_ptr<LosslessCoder>, kMaxBits> coders_;
};

class FeatureEncoder {
 public:
  /// Fails where `validate` does.
  static Result<FeatureEncoder> create(const FeatureInterface& interface);

  /// Replaces `frame`. A map whose code would be no shorter travels packed instead; one whose frame
  /// would be longer than the interface allows with the most bits a symbol that fit. Fails on a map
  /// of another type, and on one that does not fit with one bit a symbol, or that has no symbols to
  /// narrow; `frame` is then empty.
  Status encode(TensorView map, std::uint32_t sequence, ByteVector& frame);

  /// Bits a symbol of the last frame; 8 without a quantizer.
  int lastBits() const { return last_bits_; }

 private:
  FeatureEncoder(const FeatureInterface& interface, std::unique_ptr<LosslessCoder> coder);
  Status encodeCoarse(std::uint32_t sequence, ByteVector& frame);

  FeatureInterface interface_;
  std::uint32_t fingerprint_;
  std::unique_ptr<LosslessCoder> coder_;
  CoarseCoders coarse_;
  std::vector<std::uint8_t> symbols_;
  std::vector<std::uint8_t> coarse_symbols_;
  int last_bits_;
};

class FeatureDecoder {
 public:
  static Result<FeatureDecoder> create(const FeatureInterface& interface);

  /// Any bytes may come. Fails on a frame that is not one of this interface, and on a map of
  /// another type; the map is then unchanged.
  Status decode(ByteSpan frame, MutableTensorView map);

 private:
  FeatureDecoder(const FeatureInterface& interface, std::unique_ptr<LosslessCoder> coder);

  Status decodeCoarse(ByteSpan payload);

  FeatureInterface interface_;
  std::uint32_t fingerprint_;
  std::unique_ptr<LosslessCoder> coder_;
  CoarseCoders coarse_;
  std::vector<std::uint8_t> symbols_;
};

}  // namespace narrows
