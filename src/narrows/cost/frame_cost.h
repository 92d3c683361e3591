#pragma once

#include "narrows/base/units.h"

namespace narrows {

/// What one transfer of a plan puts on its link.
struct FrameCost {
  /// Framing included.
  Bytes bytes;
  /// On the sender, which quantizes, packs and codes, and on the receiver.
  Seconds encode;
  Seconds decode;
};

}  // namespace narrows
