#include "narrows/codec/feature_codec.h"

#include <algorithm>
#include <utility>

#include "narrows/codec/packing.h"
#include "narrows/codec/quantizer.h"

namespace narrows {
namespace {

Status checkType(const TensorType& given, const TensorType& expected) {
  if (given == expected) return {};
  return makeError("map is {} {}, the interface carries {} {}", toString(given.dtype),
                   toString(given.shape), toString(expected.dtype), toString(expected.shape));
}

bool isBoolean(std::uint8_t byte) {
  return byte <= 1;
}

}  // namespace

FeatureEncoder::FeatureEncoder(const FeatureInterface& interface,
                               std::unique_ptr<LosslessCoder> coder)
    : interface_(interface), fingerprint_(fingerprint(interface)), coder_(std::move(coder)) {
  if (interface.quantizer.kind != QuantizerKind::none) symbols_.resize(coder_->layout().symbols());
}

Result<FeatureEncoder> FeatureEncoder::create(const FeatureInterface& interface) {
  NARROWS_CHECK(validate(interface));
  NARROWS_TRY(coder, makeCoder(interface.coder, symbolLayout(interface)));
  return FeatureEncoder(interface, std::move(coder));
}

Status FeatureEncoder::encode(TensorView map, std::uint32_t sequence, ByteVector& frame) {
  NARROWS_CHECK(checkType(map.type(), interface_.type));
  std::span<const std::uint8_t> symbols = symbols_;
  if (interface_.quantizer.kind == QuantizerKind::none) {
    symbols = {reinterpret_cast<const std::uint8_t*>(map.bytes().data()), map.bytes().size()};
  } else {
    quantize(map, interface_.quantizer, symbols_);
  }

  beginFrame(frame);
  const SymbolLayout& layout = coder_->layout();
  const std::size_t packed = layout.packedBytes();
  if (interface_.coder.kind != CoderKind::raw && packed > 0) {
    NARROWS_TRY(shorter, coder_->encode(symbols, packed - 1, frame));
    if (shorter) {
      sealFrame(frame, PayloadForm::coded, fingerprint_, sequence);
      return {};
    }
  }
  frame.resize(kFrameHeaderBytes + packed);
  packSymbols(symbols, layout.bits, std::span(frame).subspan(kFrameHeaderBytes));
  sealFrame(frame, PayloadForm::packed, fingerprint_, sequence);
  return {};
}

FeatureDecoder::FeatureDecoder(const FeatureInterface& interface,
                               std::unique_ptr<LosslessCoder> coder)
    : interface_(interface), fingerprint_(fingerprint(interface)), coder_(std::move(coder)) {
  symbols_.resize(coder_->layout().symbols());
}

Result<FeatureDecoder> FeatureDecoder::create(const FeatureInterface& interface) {
  NARROWS_CHECK(validate(interface));
  NARROWS_TRY(coder, makeCoder(interface.coder, symbolLayout(interface)));
  return FeatureDecoder(interface, std::move(coder));
}

Status FeatureDecoder::decode(ByteSpan frame, MutableTensorView map) {
  NARROWS_CHECK(checkType(map.type(), interface_.type));
  NARROWS_TRY(opened, openFrame(frame, fingerprint_));
  switch (opened.header.form) {
    case PayloadForm::packed:
      NARROWS_CHECK(
          unpackSymbols(opened.payload, coder_->layout().bits, symbols_).within("frame payload"));
      break;
    case PayloadForm::coded:
      if (interface_.coder.kind == CoderKind::raw) {
        return makeError("frame {} is coded, the interface has no coder", opened.header.sequence);
      }
      NARROWS_CHECK(coder_->decode(opened.payload, symbols_).within("frame payload"));
      break;
    case PayloadForm::opaque:
      return makeError("frame {} holds a picture, expected a map", opened.header.sequence);
  }
  if (interface_.type.dtype == DType::boolean && !std::ranges::all_of(symbols_, isBoolean)) {
    return makeError("frame {} holds bytes other than 0 and 1 for a boolean map",
                     opened.header.sequence);
  }
  if (interface_.quantizer.kind == QuantizerKind::none) {
    const ByteSpan bytes = std::as_bytes(std::span<const std::uint8_t>(symbols_));
    std::copy(bytes.begin(), bytes.end(), map.bytes().begin());
  } else {
    dequantize(symbols_, interface_.quantizer, map);
  }
  return {};
}

}  // namespace narrows
