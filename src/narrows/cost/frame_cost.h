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
  /// What the protocol puts around it on the link: names, digests, headers.
  Bytes envelope = {};
};

}  // namespace narrows
