#pragma once

#include <grpcpp/support/byte_buffer.h>

#include "narrows/base/byte_io.h"

/// What both ends of a group's connections set. Only for the sources here that adapt gRPC.
namespace narrows {

/// The receiver's window: a region of this size is on its way at once, whatever the delay of its
/// acknowledgements.
inline constexpr int kGroupWindowBytes = 16 << 20;

template <class Arguments>
void setGroupArguments(Arguments& arguments) {
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kGroupWindowBytes);
}

/// Hands the bytes over without copying them.
inline grpc::ByteBuffer takeBytes(ByteVector bytes) {
  auto* owner = new ByteVector(std::move(bytes));
  const grpc::Slice slice(
      owner->data(), owner->size(), [](void* held) { delete static_cast<ByteVector*>(held); },
      owner);
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace narrows
