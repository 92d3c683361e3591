#pragma once

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

class FeatureEncoder {
 public:
  /// Fails where `validate` does.
  static Result<FeatureEncoder> create(const FeatureInterface& interface);

  /// Replaces `frame`. A map whose code would be no shorter travels packed instead. Fails on a map
  /// of another type.
  Status encode(TensorView map, std::uint32_t sequence, ByteVector& frame);

 private:
  FeatureEncoder(const FeatureInterface& interface, std::unique_ptr<LosslessCoder> coder);

  FeatureInterface interface_;
  std::uint32_t fingerprint_;
  std::unique_ptr<LosslessCoder> coder_;
  std::vector<std::uint8_t> symbols_;
};

class FeatureDecoder {
 public:
  static Result<FeatureDecoder> create(const FeatureInterface& interface);

  /// Any bytes may come. Fails on a frame that is not one of this interface, and on a map of
  /// another type; the map is then unchanged.
  Status decode(ByteSpan frame, MutableTensorView map);

 private:
  FeatureDecoder(const FeatureInterface& interface, std::unique_ptr<LosslessCoder> coder);

  FeatureInterface interface_;
  std::uint32_t fingerprint_;
  std::unique_ptr<LosslessCoder> coder_;
  std::vector<std::uint8_t> symbols_;
};

}  // namespace narrows
