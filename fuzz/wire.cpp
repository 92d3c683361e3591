#include "narrows/runtime/wire.h"

#include <cstddef>
#include <cstdint>

#include "narrows/base/assert.h"

// The first byte chooses what the rest is read as: a request or a reply. What is accepted is
// written and read again, and must come back with the same digest.
namespace narrows {
namespace {

constexpr WireLimits kLimits = {std::size_t{1} << 20, std::size_t{16} << 10, 16};

void readAsRequest(ByteSpan bytes) {
  InferRequest request;
  const CallStatus read = readRequest(bytes, kLimits, request);
  // A request that only its digest speaks against is whole otherwise; no mutation would guess it.
  if (!read.ok() && read.code != CallCode::data_loss) return;
  InferRequest again;
  const CallStatus status = readRequest(writeRequest(request), {}, again);
  // The size of the picture is looked at after the digest.
  if (!read.ok() && status.code == CallCode::invalid_argument) return;
  NARROWS_ASSERT(status.ok());
  NARROWS_ASSERT(digest(again) == digest(request));
}

void readAsReply(ByteSpan bytes) {
  InferReply reply;
  const CallStatus read = readReply(bytes, kLimits, reply);
  if (!read.ok() && read.code != CallCode::data_loss) return;
  InferReply again;
  NARROWS_ASSERT(readReply(writeReply(reply), {}, again).ok());
  NARROWS_ASSERT(digest(again) == digest(reply));
  static_cast<void>(predictionOf(reply.tensors).ok());
}

}  // namespace
}  // namespace narrows

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const narrows::ByteSpan bytes = std::as_bytes(std::span(data + 1, size - 1));
  if (data[0] % 2 == 0) {
    narrows::readAsRequest(bytes);
  } else {
    narrows::readAsReply(bytes);
  }
  return 0;
}
