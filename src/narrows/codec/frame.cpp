#include "narrows/codec/frame.h"

#include <libdeflate.h>

#include <array>
#include <bit>
#include <cstring>

namespace narrows {
namespace {

constexpr std::uint8_t kMagic = 'N';
constexpr std::size_t kChecksumOffset = 8;

std::uint32_t extendCrc(std::uint32_t crc, ByteSpan bytes) {
  return libdeflate_crc32(crc, bytes.data(), bytes.size());
}

std::uint32_t frameChecksum(ByteSpan frame, std::uint32_t interface_fingerprint) {
  const auto shared =
      std::bit_cast<std::array<std::byte, sizeof(std::uint32_t)>>(interface_fingerprint);
  std::uint32_t crc = extendCrc(0, shared);
  crc = extendCrc(crc, frame.first(kChecksumOffset));
  return extendCrc(crc, frame.subspan(kFrameHeaderBytes));
}

void describe(const FeatureInterface& feature, ByteWriter& out) {
  out.write(std::uint8_t{0});
  out.write(static_cast<std::uint8_t>(feature.type.dtype));
  out.write(static_cast<std::uint8_t>(feature.type.shape.rank()));
  for (const std::int64_t extent : feature.type.shape.extents()) out.write(extent);
  const QuantizerParams& quantizer = feature.quantizer;
  out.write(static_cast<std::uint8_t>(quantizer.kind));
  if (quantizer.kind != QuantizerKind::none) {
    out.write(static_cast<std::uint8_t>(quantizer.bits));
    out.write(static_cast<std::uint8_t>(quantizer.granularity));
    for (const float low : quantizer.low) out.write(low);
    for (const float step : quantizer.step) out.write(step);
    for (const float level : quantizer.levels) out.write(level);
  }
  out.write(static_cast<std::uint8_t>(feature.coder.kind));
  out.append(feature.coder.tables);
}

void describe(const ImageInterface& image, ByteWriter& out) {
  out.write(std::uint8_t{1});
  out.write(static_cast<std::uint8_t>(image.coding));
}

}  // namespace

std::uint32_t fingerprint(const InterfaceParams& params) {
  ByteWriter description;
  std::visit([&](const auto& interface) { describe(interface, description); }, params);
  return extendCrc(0, description.view());
}

Result<FrameHeader> readFrameHeader(ByteSpan frame) {
  if (frame.size() < kFrameHeaderBytes) {
    return makeError("frame of {} bytes, expected at least {}", frame.size(), kFrameHeaderBytes);
  }
  ByteReader reader(frame);
  NARROWS_TRY(magic, reader.read<std::uint8_t>("magic"));
  NARROWS_TRY(version_and_form, reader.read<std::uint8_t>("version and form"));
  if (magic != kMagic) return makeError("frame starts with byte {}, expected {}", magic, kMagic);
  if (version_and_form >> 4 != kFrameVersion) {
    return makeError("frame of version {}, expected {}", version_and_form >> 4, kFrameVersion);
  }
  const int form = version_and_form & 15;
  if (form > static_cast<int>(PayloadForm::temporal)) {
    return makeError("frame with payload form {}, expected 0 to {}", form,
                     static_cast<int>(PayloadForm::temporal));
  }
  FrameHeader header;
  header.form = static_cast<PayloadForm>(form);
  NARROWS_TRY(interface_part, reader.read<std::uint16_t>("fingerprint"));
  NARROWS_TRY(sequence, reader.read<std::uint32_t>("sequence"));
  NARROWS_TRY(checksum, reader.read<std::uint32_t>("checksum"));
  header.fingerprint = interface_part;
  header.sequence = sequence;
  header.checksum = checksum;
  return header;
}

Result<OpenedFrame> openFrame(ByteSpan frame, std::uint32_t interface_fingerprint) {
  NARROWS_TRY(header, readFrameHeader(frame));
  const auto expected = static_cast<std::uint16_t>(interface_fingerprint);
  if (header.fingerprint != expected) {
    return makeError("frame of another interface: fingerprint {:#06x}, expected {:#06x}",
                     header.fingerprint, expected);
  }
  const std::uint32_t checksum = frameChecksum(frame, interface_fingerprint);
  if (header.checksum != checksum) {
    return makeError("frame {} is damaged: its checksum is {:#010x}, its bytes give {:#010x}",
                     header.sequence, header.checksum, checksum);
  }
  return OpenedFrame{header, frame.subspan(kFrameHeaderBytes)};
}

void beginFrame(ByteVector& frame) {
  frame.assign(kFrameHeaderBytes, std::byte{0});
}

void sealFrame(ByteVector& frame, PayloadForm form, std::uint32_t interface_fingerprint,
               std::uint32_t sequence) {
  NARROWS_ASSERT(frame.size() >= kFrameHeaderBytes);
  frame[0] = std::byte{kMagic};
  frame[1] = static_cast<std::byte>(kFrameVersion << 4 | static_cast<int>(form));
  const auto interface_part = static_cast<std::uint16_t>(interface_fingerprint);
  std::memcpy(frame.data() + 2, &interface_part, sizeof(interface_part));
  std::memcpy(frame.data() + 4, &sequence, sizeof(sequence));
  const std::uint32_t checksum = frameChecksum(frame, interface_fingerprint);
  std::memcpy(frame.data() + kChecksumOffset, &checksum, sizeof(checksum));
}

void wrapPayload(ByteSpan payload, const ImageInterface& interface, std::uint32_t sequence,
                 ByteVector& frame) {
  beginFrame(frame);
  frame.insert(frame.end(), payload.begin(), payload.end());
  sealFrame(frame, PayloadForm::opaque, fingerprint(interface), sequence);
}

Result<OpenedFrame> unwrapPayload(ByteSpan frame, const ImageInterface& interface) {
  NARROWS_TRY(opened, openFrame(frame, fingerprint(interface)));
  if (opened.header.form != PayloadForm::opaque) {
    return makeError("frame {} has payload form {}, expected a picture", opened.header.sequence,
                     static_cast<int>(opened.header.form));
  }
  return opened;
}

}  // namespace narrows
