#pragma once

#include <cstddef>
#include <cstdint>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"
#include "narrows/codec/params.h"

/// The frame that carries one map or one picture over a link: 12 bytes of header, then the payload.
/// docs/feature-frame.md describes it byte by byte.
namespace narrows {

inline constexpr std::size_t kFrameHeaderBytes = 12;
inline constexpr int kFrameVersion = 1;

enum class PayloadForm : std::uint8_t {
  /// Symbols of a map as a bit string.
  packed = 0,
  /// The code of a map by the interface's lossless coder.
  coded = 1,
  /// Bytes whose meaning the interface knows: an encoded picture.
  opaque = 2,
  /// A map with fewer bits a symbol than the interface's, because its frame would have been longer
  /// than the sender may send; packed or coded.
  coarse = 3,
  /// The differences of a map from that of an earlier frame, coded.
  temporal = 4,
};

struct FrameHeader {
  PayloadForm form = PayloadForm::packed;
  /// Low half of the interface's fingerprint.
  std::uint16_t fingerprint = 0;
  /// Counts the frames of a sender; wraps.
  std::uint32_t sequence = 0;
  /// CRC-32 over the interface's whole fingerprint, the header's first 8 bytes and the payload.
  std::uint32_t checksum = 0;
};

/// CRC-32 (ISO-HDLC, as in zlib and PNG) over everything both sides of an interface must share:
/// type, quantizer, kind of coder; or the picture's coding. Level and quality are not part of it.
std::uint32_t fingerprint(const InterfaceParams& params);

/// The header alone; fails on a short frame, other magic, version or form. The checksum is not
/// verified.
Result<FrameHeader> readFrameHeader(ByteSpan frame);

/// A frame with a verified checksum. `payload` lies in the bytes given.
struct OpenedFrame {
  FrameHeader header;
  ByteSpan payload;
};
/// Fails unless the frame is whole and was made for this fingerprint.
Result<OpenedFrame> openFrame(ByteSpan frame, std::uint32_t interface_fingerprint);

/// Writing: `beginFrame` replaces `frame` by an unfinished header, the payload is appended,
/// `sealFrame` fills the header in.
void beginFrame(ByteVector& frame);
void sealFrame(ByteVector& frame, PayloadForm form, std::uint32_t interface_fingerprint,
               std::uint32_t sequence);

/// A picture's bytes in a frame of form `opaque`; replaces `frame`.
void wrapPayload(ByteSpan payload, const ImageInterface& interface, std::uint32_t sequence,
                 ByteVector& frame);
/// The inverse; fails on other forms too.
Result<OpenedFrame> unwrapPayload(ByteSpan frame, const ImageInterface& interface);

}  // namespace narrows
