#pragma once

#include "narrows/base/byte_io.h"
#include "narrows/base/units.h"
#include "narrows/runtime/message.h"

namespace narrows {

/// Carries one request to a server and its reply back. Requests and replies are messages as
/// `wire.h` writes them. Safe for one caller at a time.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Returns within `timeout`, whatever the other side does. `reply` is set when the status is ok.
  virtual CallStatus infer(ByteSpan request, Seconds timeout, ByteVector& reply) = 0;
  /// Whether the server takes requests.
  virtual CallStatus ready(Seconds timeout) = 0;
};

}  // namespace narrows
