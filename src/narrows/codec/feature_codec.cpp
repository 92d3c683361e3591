#include "narrows/codec/feature_codec.h"

#include <algorithm>
#include <cstring>
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

/// What names the frame that a payload refers to: distance in one byte, checksum in three.
constexpr std::size_t kReferenceBytes = 4;

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

Result<LosslessCoder*> DifferenceCoder::get() {
  if (!coder_) {
    NARROWS_TRY(made, makeCoder(params_, layout_));
    coder_ = std::move(made);
  }
  return coder_.get();
}

FeatureEncoder::FeatureEncoder(const FeatureInterface& interface,
                               std::unique_ptr<LosslessCoder> coder)
    : interface_(interface),
      fingerprint_(fingerprint(interface)),
      coder_(std::move(coder)),
      coarse_(interface.coder, coder_->layout()),
      last_bits_(coder_->layout().bits),
      difference_coder_(interface.coder, coder_->layout()) {
  if (interface.quantizer.kind != QuantizerKind::none) symbols_.resize(coder_->layout().symbols());
}

Result<FeatureEncoder> FeatureEncoder::create(const FeatureInterface& interface) {
  NARROWS_CHECK(validate(interface));
  NARROWS_TRY(coder, makeCoder(interface.coder, symbolLayout(interface)));
  return FeatureEncoder(interface, std::move(coder));
}

Status FeatureEncoder::encode(TensorView map, std::uint32_t sequence, ByteVector& frame,
                              ByteVector* alone) {
  if (alone != nullptr) alone->clear();
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
  if (form) sealFrame(frame, *form, fingerprint_, sequence);
  if (interface_.key_interval != 0) return encodeInStream(symbols, form, sequence, frame, alone);
  if (form) return {};
  return encodeCoarse(sequence, frame);
}

/// `frame` is the map's, standing alone, where that has a form.
Status FeatureEncoder::encodeInStream(std::span<const std::uint8_t> symbols,
                                      std::optional<PayloadForm> form, std::uint32_t sequence,
                                      ByteVector& frame, ByteVector* alone) {
  ByteVector& shorter = alone != nullptr ? *alone : shorter_;
  const std::size_t packed = kFrameHeaderBytes + coder_->layout().packedBytes();
  const std::size_t below = form ? frame.size() : std::min(frameLimit(interface_), packed) + 1;
  NARROWS_TRY(refers, encodeDifferences(symbols, sequence, below, shorter));
  if (refers) {
    // A map may be too large for any frame but this one: then there is no other.
    if (!form && alone != nullptr && !encodeCoarse(sequence, frame).ok()) frame.clear();
    last_bits_ = coder_->layout().bits;
    sealFrame(shorter, PayloadForm::temporal, fingerprint_, sequence);
    std::swap(frame, shorter);
  } else {
    if (alone != nullptr) alone->clear();
    if (!form) return encodeCoarse(sequence, frame);
  }
  since_alone_ = refers ? since_alone_ + 1 : 0;
  NARROWS_TRY(header, readFrameHeader(frame));
  sent_.remember({sequence, header.checksum}, symbols);
  return {};
}

Result<bool> FeatureEncoder::encodeDifferences(std::span<const std::uint8_t> symbols,
                                               std::uint32_t sequence, std::size_t below,
                                               ByteVector& frame) {
  if (!reference_ || interface_.coder.kind == CoderKind::raw || symbols.empty()) return false;
  const std::uint32_t distance = sequence - reference_->sequence;
  if (distance == 0 || distance > kTemporalReach) return false;
  if (since_alone_ + 1 >= interface_.key_interval) return false;
  const std::span<const std::uint8_t> reference =
      sent_.find(reference_->sequence, reference_->checksum & kLowChecksum);
  if (reference.empty() || below <= kFrameHeaderBytes + kReferenceBytes) return false;
  code_.clear();
  if (!std::ranges::equal(symbols, reference)) {
    differences_.resize(symbols.size());
    foldDifferences(symbols, reference, coder_->layout().bits, differences_);
    const std::size_t most = below - kFrameHeaderBytes - kReferenceBytes - 1;
    NARROWS_TRY(coder, difference_coder_.get());
    NARROWS_TRY(shorter, coder->encode(differences_, coder_->layout().packedBytes(), code_));
    if (!shorter || code_.size() > most) return false;
  }
  beginFrame(frame);
  const std::uint32_t name = distance | (reference_->checksum & kLowChecksum) << 8;
  frame.resize(kFrameHeaderBytes + kReferenceBytes);
  std::memcpy(frame.data() + kFrameHeaderBytes, &name, sizeof(name));
  frame.insert(frame.end(), code_.begin(), code_.end());
  return true;
}

void FeatureEncoder::acknowledge(std::uint32_t sequence) {
  const FrameName* frame = sent_.find(sequence);
  if (frame == nullptr) return;
  // Answers may overtake each other: the later frame stays.
  if (reference_ && reference_->sequence - sequence <= kTemporalReach) return;
  reference_ = *frame;
}

void FeatureEncoder::startAnew() {
  reference_.reset();
  sent_.clear();
}

Status FeatureEncoder::encodeCoarse(std::uint32_t sequence, ByteVector& frame) {
  const std::size_t limit = frameLimit(interface_);
  if (interface_.quantizer.kind == QuantizerKind::none) {
    frame.clear();
    return makeError("the map takes more than the {} bytes of a frame", limit);
  }
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
      coarse_(interface.coder, coder_->layout()),
      difference_coder_(interface.coder, coder_->layout()) {
  symbols_.resize(coder_->layout().symbols());
}

Result<FeatureDecoder> FeatureDecoder::create(const FeatureInterface& interface) {
  NARROWS_CHECK(validate(interface));
  NARROWS_TRY(coder, makeCoder(interface.coder, symbolLayout(interface)));
  return FeatureDecoder(interface, std::move(coder));
}

Status FeatureDecoder::decode(ByteSpan frame, MutableTensorView map, FrameHistory* stream) {
  FrameHistory& received = stream != nullptr ? *stream : received_;
  NARROWS_CHECK(checkType(map.type(), interface_.type));
  lacks_reference_ = false;
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
    case PayloadForm::temporal:
      NARROWS_CHECK(decodeDifferences(opened, received).within("frame payload"));
      break;
    case PayloadForm::opaque:
      return makeError("frame {} holds a picture, expected a map", opened.header.sequence);
  }
  if (interface_.type.dtype == DType::boolean && !std::ranges::all_of(symbols_, isBoolean)) {
    return makeError("frame {} holds bytes other than 0 and 1 for a boolean map",
                     opened.header.sequence);
  }
  if (interface_.key_interval != 0 && opened.header.form != PayloadForm::coarse) {
    received.remember({opened.header.sequence, opened.header.checksum}, symbols_);
  }
  if (interface_.quantizer.kind == QuantizerKind::none) {
    const ByteSpan bytes = std::as_bytes(std::span<const std::uint8_t>(symbols_));
    std::copy(bytes.begin(), bytes.end(), map.bytes().begin());
  } else {
    dequantize(symbols_, interface_.quantizer, map);
  }
  return {};
}

Status FeatureDecoder::decodeDifferences(const OpenedFrame& frame, const FrameHistory& received) {
  const std::uint32_t sequence = frame.header.sequence;
  if (interface_.key_interval == 0) {
    return makeError("frame {} refers to another, the interface lets each stand alone", sequence);
  }
  ByteReader reader(frame.payload);
  NARROWS_TRY(name, reader.read<std::uint32_t>("reference"));
  const std::uint32_t distance = name & 0xFF;
  if (distance == 0 || distance > kTemporalReach) {
    return makeError("frame {} refers to the one {} before it, expected 1 to {}", sequence,
                     distance, kTemporalReach);
  }
  const std::span<const std::uint8_t> reference = received.find(sequence - distance, name >> 8);
  if (reference.size() != symbols_.size() || symbols_.empty()) {
    lacks_reference_ = true;
    return makeError("frame {} refers to frame {}, which is not here", sequence,
                     sequence - distance);
  }
  const ByteSpan code = frame.payload.subspan(reader.offset());
  if (code.empty()) {
    std::ranges::copy(reference, symbols_.begin());
    return {};
  }
  if (interface_.coder.kind == CoderKind::raw) {
    return makeError("it is coded, the interface has no coder");
  }
  NARROWS_TRY(coder, difference_coder_.get());
  NARROWS_CHECK(coder->decode(code, symbols_));
  unfoldDifferences(symbols_, reference, coder_->layout().bits, symbols_);
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
