#include "narrows/pipeline/channel_codec.h"

#include <algorithm>

#include "narrows/codec/frame.h"
#include "narrows/vision/preprocess.h"

namespace narrows {
namespace {

ByteSpan samplesOf(const Image& image) {
  return std::as_bytes(std::span(image.rgb));
}

/// Raw samples of an image of the network's size.
Result<Image> imageOfSamples(ByteSpan samples, const Preprocessing& preprocessing) {
  Image image;
  image.width = preprocessing.width;
  image.height = preprocessing.height;
  const auto expected = static_cast<std::size_t>(image.width * image.height * 3);
  if (samples.size() != expected) {
    return makeError("a raw picture of {}x{} takes {} bytes, the frame holds {}", image.width,
                     image.height, expected, samples.size());
  }
  const auto* begin = reinterpret_cast<const std::uint8_t*>(samples.data());
  image.rgb.assign(begin, begin + samples.size());
  return image;
}

}  // namespace

Result<ChannelEncoder> ChannelEncoder::create(const Channel& channel) {
  ChannelEncoder encoder(channel.params);
  if (const auto* feature = std::get_if<FeatureInterface>(&channel.params)) {
    NARROWS_TRY(features, FeatureEncoder::create(*feature));
    encoder.features_ = std::move(features);
    encoder.box_ = Tensor(feature->type);
  }
  return encoder;
}

Status ChannelEncoder::encode(TensorView source, const Region& from, std::uint32_t sequence,
                              ByteVector& frame, ByteVector& alone) {
  NARROWS_ASSERT(features_);
  if (source.type() == box_.type()) return features_->encode(source, sequence, frame, &alone);
  copyRegion(source, from, box_.mutableView(), Region::whole(box_.shape()));
  return features_->encode(box_, sequence, frame, &alone);
}

void ChannelEncoder::acknowledge(std::uint32_t sequence) {
  if (features_) features_->acknowledge(sequence);
}

void ChannelEncoder::startAnew() {
  if (features_) features_->startAnew();
}

Status ChannelEncoder::encode(Picture& picture, const Preprocessing& preprocessing,
                              std::uint32_t sequence, ByteVector& frame) {
  const auto& params = std::get<ImageInterface>(params_);
  if (params.coding == ImageCoding::original) {
    NARROWS_TRY(file, picture.file());
    wrapPayload(file, params, sequence, frame);
    return {};
  }
  NARROWS_TRY(image, picture.image());
  NARROWS_TRY(fitted, fitImage(*image, preprocessing));
  if (params.coding == ImageCoding::raw) {
    wrapPayload(samplesOf(fitted), params, sequence, frame);
    return {};
  }
  NARROWS_TRY(jpeg, encodeJpeg(fitted, params.quality));
  wrapPayload(jpeg, params, sequence, frame);
  return {};
}

Result<ChannelDecoder> ChannelDecoder::create(const Channel& channel) {
  ChannelDecoder decoder(channel.params);
  if (const auto* feature = std::get_if<FeatureInterface>(&channel.params)) {
    NARROWS_TRY(features, FeatureDecoder::create(*feature));
    decoder.features_ = std::move(features);
  }
  return decoder;
}

Status ChannelDecoder::decode(ByteSpan frame, MutableTensorView map, FrameHistory* stream) {
  NARROWS_ASSERT(features_);
  return features_->decode(frame, map, stream);
}

Result<ChannelDecoder::PictureContents> ChannelDecoder::decodePicture(
    ByteSpan frame, const Preprocessing& preprocessing) {
  const auto& params = std::get<ImageInterface>(params_);
  NARROWS_TRY(opened, unwrapPayload(frame, params));
  if (params.coding == ImageCoding::raw) {
    NARROWS_TRY(image, imageOfSamples(opened.payload, preprocessing));
    return PictureContents{normalizeImage(image, preprocessing), std::nullopt};
  }
  if (params.coding == ImageCoding::original) {
    NARROWS_TRY(image, decodeImage(opened.payload));
    NARROWS_TRY(input, preprocess(image, preprocessing));
    return PictureContents{std::move(input), ImageSize{image.width, image.height}};
  }
  // A picture of another size is refused before its samples are decoded.
  NARROWS_TRY(size, readImageSize(opened.payload));
  if (size.width != preprocessing.width || size.height != preprocessing.height) {
    return makeError("the picture has {}x{} pixels, the network takes {}x{}", size.width,
                     size.height, preprocessing.width, preprocessing.height);
  }
  NARROWS_TRY(image, decodeImage(opened.payload));
  return PictureContents{normalizeImage(image, preprocessing), std::nullopt};
}

}  // namespace narrows
