#include "narrows/runtime/group/worker_message.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "narrows/base/assert.h"
#include "narrows/runtime/group/message_envelope.h"

// The first byte is the message's kind, two more the length of the fields, then fields and bulk;
// they get a header that fits, since no mutation would guess the digest. The bytes are read as they
// are too. What is accepted is written again and must be the same bytes.
namespace narrows {
namespace {

template <class Message>
void read(ByteSpan bytes) {
  const auto message = readMessage<Message>(bytes);
  if (!message.ok()) return;
  const ByteVector again = writeMessage(*message);
  NARROWS_ASSERT(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
}

void readAsAnything(ByteSpan bytes) {
  read<PingRequest>(bytes);
  read<PingReply>(bytes);
  read<PrepareRequest>(bytes);
  read<PrepareReply>(bytes);
  read<StoreRequest>(bytes);
  read<StoreReply>(bytes);
  read<ActivateRequest>(bytes);
  read<ActivateReply>(bytes);
  static_cast<void>(readMessage<RunRequest>(bytes).ok());
  static_cast<void>(readMessage<RunReply>(bytes).ok());
  read<RegionsRequest>(bytes);
  read<RegionsReply>(bytes);
  static_cast<void>(originOfRegions(bytes));
}

}  // namespace
}  // namespace narrows

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace narrows;
  const ByteSpan bytes = std::as_bytes(std::span(data, size));
  readAsAnything(bytes);
  if (size < 3) return 0;
  const ByteSpan rest = bytes.subspan(3);
  const std::size_t length = std::min(rest.size(), std::size_t{data[1]} + 256 * data[2]);
  ByteVector sealed = envelope::seal(data[0], rest.first(length), rest.size() - length);
  envelope::append(sealed, rest.subspan(length));
  readAsAnything(sealed);
  return 0;
}
