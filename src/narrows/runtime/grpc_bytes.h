#pragma once

#include <grpc/support/log.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "narrows/base/byte_io.h"

/// Between gRPC's buffers and ours. Only for the sources here that adapt gRPC.
namespace narrows {

inline grpc::ByteBuffer toByteBuffer(ByteSpan bytes) {
  const grpc::Slice slice(bytes.data(), bytes.size());
  return grpc::ByteBuffer(&slice, 1);
}

/// False when the buffer is not valid.
inline bool toBytes(const grpc::ByteBuffer& buffer, ByteVector& bytes) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return false;
  bytes.clear();
  bytes.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    const auto* begin = reinterpret_cast<const std::byte*>(slice.begin());
    bytes.insert(bytes.end(), begin, begin + slice.size());
  }
  return true;
}

/// gRPC writes every refused handshake and lost peer on stderr; the calls' results say it already.
/// What it says before it ends the program stays. A person who sets GRPC_VERBOSITY gets all lines
/// back.
inline void silenceGrpc() {
  if (std::getenv("GRPC_VERBOSITY") != nullptr) return;
  gpr_set_log_function([](gpr_log_func_args* line) {
    if (std::string_view(line->message).starts_with("assertion failed")) {
      std::fprintf(stderr, "gRPC: %s (%s:%d)\n", line->message, line->file, line->line);
    }
  });
}

}  // namespace narrows
