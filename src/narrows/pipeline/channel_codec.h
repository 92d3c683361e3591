#pragma once

#include <cstdint>
#include <optional>

#include "narrows/codec/feature_codec.h"
#include "narrows/pipeline/exchange.h"
#include "narrows/pipeline/picture.h"
#include "narrows/tensor/region.h"

/// The two ends of a channel. Objects keep their buffers from frame to frame; one thread at a time.
namespace narrows {

class ChannelEncoder {
 public:
  static Result<ChannelEncoder> create(const Channel& channel);

  /// Frame of box `from` of `source`, for a feature channel; `alone` as for FeatureEncoder.
  Status encode(TensorView source, const Region& from, std::uint32_t sequence, ByteVector& frame,
                ByteVector& alone);
  /// Frame of a picture, for an image channel.
  Status encode(Picture& picture, const Preprocessing& preprocessing, std::uint32_t sequence,
                ByteVector& frame);

  /// As FeatureEncoder has them; pictures refer to nothing.
  void acknowledge(std::uint32_t sequence);
  void startAnew();

 private:
  explicit ChannelEncoder(const InterfaceParams& params) : params_(params) {}

  InterfaceParams params_;
  std::optional<FeatureEncoder> features_;
  Tensor box_;
};

class ChannelDecoder {
 public:
  static Result<ChannelDecoder> create(const Channel& channel);

  /// What a frame of an image channel holds.
  struct PictureContents {
    /// The network's input, f32 1x3xHxW.
    Tensor input;
    /// Of the picture before resizing; absent when the frame does not tell.
    std::optional<ImageSize> size;
  };

  /// For a feature channel; `map` has the type of the channel. Any bytes may come. `stream` as for
  /// FeatureDecoder.
  Status decode(ByteSpan frame, MutableTensorView map, FrameHistory* stream = nullptr);
  bool lacksReference() const { return features_ && features_->lacksReference(); }
  /// For an image channel. Any bytes may come.
  Result<PictureContents> decodePicture(ByteSpan frame, const Preprocessing& preprocessing);

 private:
  explicit ChannelDecoder(const InterfaceParams& params) : params_(params) {}

  InterfaceParams params_;
  std::optional<FeatureDecoder> features_;
};

}  // namespace narrows
