#pragma once

#include "narrows/base/byte_io.h"

namespace narrows::executor {

/// Whether the bytes lie in a mapping of a file that this process may only read, so that its pages
/// can be dropped and come back when they are touched. False where the system does not tell.
bool liesInMappedFile(ByteSpan bytes);

}  // namespace narrows::executor
