#pragma once

#include <string>

#include "narrows/base/byte_io.h"

namespace narrows {

/// SHA-256 (FIPS 180-4) of the bytes as 64 lower-case hexadecimal digits.
std::string sha256(ByteSpan bytes);

}  // namespace narrows
