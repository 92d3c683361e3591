#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include "narrows/engine/executor/backend.h"

namespace narrows::onednn {

/// See executor::Backend::makeCompactConv; of maps of integers.
Result<std::unique_ptr<executor::ByteKernel>> makeIntegerConv(const dnnl::engine& engine,
                                                              const executor::CompactConv& conv);

}  // namespace narrows::onednn
