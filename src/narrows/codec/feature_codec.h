#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"
#include "narrows/codec/frame.h"
#include "narrows/codec/lossless.h"
#include "narrows/codec/params.h"
#include "narrows/codec/temporal.h"
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

/// The coder of differences between frames: that of the interface, without its tables, which are
/// for maps; made when it is first needed.
class DifferenceCoder {
 public:
  DifferenceCoder(const CoderParams& coder, const SymbolLayout& layout)
      : params_{coder.kind, coder.level, {}}, layout_(layout) {}
  Result<LosslessCoder*> get();

 private:
  CoderParams params_;
  SymbolLayout layout_;
  std::unique_ptr<LosslessCoder> coder_;
};

/// In a stream (an interface with a key interval) a frame may refer to one that the receiver is
/// known to have; who sends it says so by `acknowledge`. So a lost frame is never fatal: nothing
/// refers to it.
class FeatureEncoder {
 public:
  /// Fails where `validate` does.
  static Result<FeatureEncoder> create(const FeatureInterface& interface);

  /// Replaces `frame`. A map whose code would be no shorter travels packed instead; one whose frame
  /// would be longer than the interface allows with the most bits a symbol that fit. Fails on a map
  /// of another type, and on one that does not fit with one bit a symbol, or that has no symbols to
  /// narrow; `frame` is then empty. Where the frame refers to an earlier one, `alone` gets the same
  /// map in a frame that does not, for a receiver that lacks the earlier one; else it is emptied.
  Status encode(TensorView map, std::uint32_t sequence, ByteVector& frame,
                ByteVector* alone = nullptr);

  /// Bits a symbol of the last frame; 8 without a quantizer.
  int lastBits() const { return last_bits_; }

  /// The receiver has decoded the frame of this number: later frames may refer to it, for the next
  /// kTemporalReach numbers. Numbers of other frames than the last ones are ignored.
  void acknowledge(std::uint32_t sequence);
  /// The next frame stands alone: the receiver asked for that, or may have forgotten its frames.
  void startAnew();

 private:
  FeatureEncoder(const FeatureInterface& interface, std::unique_ptr<LosslessCoder> coder);
  Status encodeCoarse(std::uint32_t sequence, ByteVector& frame);
  Status encodeInStream(std::span<const std::uint8_t> symbols, std::optional<PayloadForm> form,
                        std::uint32_t sequence, ByteVector& frame, ByteVector* alone);
  /// A frame that refers to an earlier one, before it is sealed, where that is shorter than `below`
  /// bytes.
  Result<bool> encodeDifferences(std::span<const std::uint8_t> symbols, std::uint32_t sequence,
                                 std::size_t below, ByteVector& frame);

  FeatureInterface interface_;
  std::uint32_t fingerprint_;
  std::unique_ptr<LosslessCoder> coder_;
  CoarseCoders coarse_;
  std::vector<std::uint8_t> symbols_;
  std::vector<std::uint8_t> coarse_symbols_;
  int last_bits_;

  DifferenceCoder difference_coder_;
  FrameHistory sent_;
  std::optional<FrameName> reference_;
  /// Frames since the last one that stands alone.
  std::uint32_t since_alone_ = 0;
  std::vector<std::uint8_t> differences_;
  ByteVector code_;
  ByteVector shorter_;
};

class FeatureDecoder {
 public:
  static Result<FeatureDecoder> create(const FeatureInterface& interface);

  /// Any bytes may come. Fails on a frame that is not one of this interface, and on a map of
  /// another type; the map is then unchanged. A decoder of several streams is given what it has
  /// received of this one before; null stands for the decoder's own memory.
  Status decode(ByteSpan frame, MutableTensorView map, FrameHistory* stream = nullptr);

  /// The last frame failed only because the one that it refers to is not here: the sender should
  /// start anew.
  bool lacksReference() const { return lacks_reference_; }

 private:
  FeatureDecoder(const FeatureInterface& interface, std::unique_ptr<LosslessCoder> coder);

  Status decodeCoarse(ByteSpan payload);
  Status decodeDifferences(const OpenedFrame& frame, const FrameHistory& received);

  FeatureInterface interface_;
  std::uint32_t fingerprint_;
  std::unique_ptr<LosslessCoder> coder_;
  CoarseCoders coarse_;
  std::vector<std::uint8_t> symbols_;

  DifferenceCoder difference_coder_;
  FrameHistory received_;
  bool lacks_reference_ = false;
};

}  // namespace narrows
