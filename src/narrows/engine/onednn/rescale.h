#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include "narrows/engine/executor/backend.h"

namespace narrows::onednn {

/// See executor::Backend.
Result<std::unique_ptr<executor::ByteKernel>> makeRescale(const dnnl::engine& engine,
                                                          const executor::ScaledMap& from,
                                                          const executor::ScaledMap& to,
                                                          std::size_t threads);

}  // namespace narrows::onednn
