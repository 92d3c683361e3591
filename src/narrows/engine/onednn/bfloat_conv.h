#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include "narrows/engine/executor/backend.h"

namespace narrows::onednn {

/// See executor::Backend::makeCompactConv; of maps of bf16.
Result<std::unique_ptr<executor::ByteKernel>> makeBfloatConv(const dnnl::engine& engine,
                                                             const executor::CompactConv& conv);

}  // namespace narrows::onednn
