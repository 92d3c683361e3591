#include "narrows/codec/feature_codec.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "narrows/codec/coarse.h"
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

/// Set in the first byte of a coarse payload whose symbols are coded, not packed.
constexpr int kCoarseCoded = 16;

std::size_t frameLimit(const FeatureInterface& interface) {
  return interface.max_frame_bytes != 0 ? interface.max_frame_bytes
                                        : std::numeric_limits<std::size_t>::max();
}

/// Appends the shorter of code and packed symbols: `coded` or `packed`; nothing, with `frame` as it
/// was, when `frame` would be longer than `limit` either way.
Result<std::optional<PayloadForm>> appendSymbols(LosslessCoder& coder, CoderKind kind,
                                                 std::span<const std::uint8_t> symbols,
                                                 std::size_t limit, ByteVector& frame) {
  const SymbolLayout& layout = coder.layout();
  const std::size_t packed = layout.packedBytes();
  const std::size_t begin = frame.size();
  const std::size_t room = limit - std::min(limit, begin);
  if (kind != CoderKind::raw && packed > 0) {
    // Compressors want more room than their code takes in the end, so `room` is no limit for them.
    NARROWS_TRY(shorter, coder.encode(symbols, packed - 1, frame));
    if (shorter && frame.size() - begin <= room) return std::optional(PayloadForm::coded);
    frame.resize(begin);
  }
  if (packed > room) return std::optional<PayloadForm>();
  frame.resize(begin + packed);
  packSymbols(symbols, layout.bits, std::span(frame).subspan(begin));
  return std::optional(PayloadForm::packed);
}

}  // namespace

Result<LosslessCoder*> CoarseCoders::at(int bits) {
  NARROWS_ASSERT(bits >= 1 && bits < layout_.bits);
  auto& coder = coders_[static_cast<std::size_t>(bits)];
  if (!coder) {
    SymbolLayout layout = layout_;
    layout.bits = bits;
    NARROWS_TRY(made, makeCoder(params_, layout));
    coder = std::move(made);
  }
  return coder.get();
}

FeatureEncoder::FeatureEncoder(const FeatureInterface& interface,
                               std::unique_ptr<LosslessCoder> coder)
    : interface_(interface),
      fingerprint_(fingerprint(interface)),
      coder_(std::move(coder)),
      coarse_(interface.coder, coder_->layout()),
      last_bits_(coder_->layout().bits) {
  if (interface.quantizer.kind != QuantizerKind::none) symbols_.resize(coder_->layout().symbols());
}

Result<FeatureEncoder> FeatureEncoder::create(const FeatureInterface& interface) {
  NARROWS_CHECK(validate(interface));
  NARROWS_TRY(coder, makeCoder(interface.coder, symbolLayout(interface)));
  return FeatureEncoder(interface, std::move(coder));
}

Status FeatureEncoder::encode(TensorView map, std::uint32_t sequence, ByteVector& frame) {
  NARROWS_CHECK(checkType(map.type(), interface_.type));
  const bool quantized = interface_.quantizer.kind != QuantizerKind::none;
  std::span<const std::uint8_t> symbols = symbols_;
  if (quantized) {
    quantize(map, interface_.quantizer, symbols_);
  } else {
    symbols = {reinterpret_cast<const std::uint8_t*>(map.bytes().data()), map.bytes().size()};
  }

  const std::size_t limit = frameLimit(interface_);
  last_bits_ = coder_->layout().bits;
  beginFrame(frame);
  NARROWS_TRY(form, appendSymbols(*coder_, interface_.coder.kind, symbols, limit, frame));
  if (form) {
    sealFrame(frame, *form, fingerprint_, sequence);
    return {};
  }
  if (quantized) return encodeCoarse(sequence, frame);
  frame.clear();
  return makeError("the map takes more than the {} bytes of a frame", limit);
}

Status FeatureEncoder::encodeCoarse(std::uint32_t sequence, ByteVector& frame) {
  const std::size_t limit = frameLimit(interface_);
  coarse_symbols_.resize(symbols_.size());
  for (int bits = coder_->layout().bits - 1; bits >= 1; --bits) {
    NARROWS_TRY(coder, coarse_.at(bits));
    coarsenSymbols(symbols_, coder_->layout().bits, bits, coarse_symbols_);
    beginFrame(frame);
    frame.push_back(std::byte{0});
    NARROWS_TRY(form, appendSymbols(*coder, interface_.coder.kind, coarse_symbols_, limit, frame));
    if (!form) continue;
    frame[kFrameHeaderBytes] =
        static_cast<std::byte>(bits | (*form == PayloadForm::coded ? kCoarseCoded : 0));
    sealFrame(frame, PayloadForm::coarse, fingerprint_, sequence);
    last_bits_ = bits;
    return {};
  }
  frame.clear();
  return makeError("the map takes more than the {} bytes of a frame, even with 1 bit a symbol",
                   limit);
}

FeatureDecoder::FeatureDecoder(const FeatureInterface& interface,
                               std::unique_ptr<LosslessCoder> coder)
    : interface_(interface),
      fingerprint_(fingerprint(interface)),
      coder_(std::move(coder)),
      coarse_(interface.coder, coder_->layout()) {
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
    case PayloadForm::coarse:
      NARROWS_CHECK(decodeCoarse(opened.payload).within("frame payload"));
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

Status FeatureDecoder::decodeCoarse(ByteSpan payload) {
  const int bits = coder_->layout().bits;
  if (interface_.quantizer.kind == QuantizerKind::none || bits == 1) {
    return makeError("a map with fewer bits a symbol, the interface has no wider ones");
  }
  ByteReader reader(payload);
  NARROWS_TRY(description, reader.read<std::uint8_t>("width and kind"));
  const int kept = description & 15;
  if (kept < 1 || kept >= bits || (description & ~(15 | kCoarseCoded)) != 0) {
    return makeError("width and kind {:#04x}, expected 1 to {} bits, packed or coded", description,
                     bits - 1);
  }
  const ByteSpan code = payload.subspan(reader.offset());
  if ((description & kCoarseCoded) == 0) {
    NARROWS_CHECK(unpackSymbols(code, kept, symbols_));
  } else if (interface_.coder.kind == CoderKind::raw) {
    return makeError("it is coded, the interface has no coder");
  } else {
    NARROWS_TRY(coder, coarse_.at(kept));
    NARROWS_CHECK(coder->decode(code, symbols_));
  }
  refineSymbols(symbols_, kept, bits);
  return {};
}

}  // namespace narrows
