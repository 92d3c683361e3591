#pragma once

#include "narrows/engine/executor/backend.h"

namespace narrows::xnnpack {

/// See executor::Backend. A map of u8 is stored as the library wants it: each number less 128, in
/// i8; nobody but these kernels reads it.
Result<std::unique_ptr<executor::ByteKernel>> makeIntegerConv(const executor::CompactConv& conv);
/// From f32 to integers or back.
Result<std::unique_ptr<executor::ByteKernel>> makeRescale(const executor::ScaledMap& from,
                                                          const executor::ScaledMap& to,
                                                          std::size_t threads);

}  // namespace narrows::xnnpack
