#include <fmt/ranges.h>

#include "narrows/engine/engine.h"
#include "narrows/engine/reference/reference_engine.h"
#if defined(NARROWS_HAS_ONEDNN) || defined(NARROWS_HAS_XNNPACK)
#include "narrows/engine/executor/executor.h"
#endif
#ifdef NARROWS_HAS_ONEDNN
#include "narrows/engine/onednn/backend.h"
#endif
#ifdef NARROWS_HAS_XNNPACK
#include "narrows/engine/xnnpack/backend.h"
#endif

namespace narrows {

Result<std::unique_ptr<Engine>> makeEngine(std::string_view name) {
#ifdef NARROWS_HAS_ONEDNN
  if (name == "onednn") {
    NARROWS_TRY(backend, onednn::makeBackend());
    return executor::makeExecutor(std::move(backend));
  }
#endif
#ifdef NARROWS_HAS_XNNPACK
  if (name == "xnnpack") {
    NARROWS_TRY(backend, xnnpack::makeBackend());
    return executor::makeExecutor(std::move(backend));
  }
#endif
  if (name == "reference") return makeReferenceEngine();
  return makeError("no engine \"{}\"; this build has {}", name, fmt::join(engineNames(), ", "));
}

std::vector<std::string_view> engineNames() {
  return {"reference",
#ifdef NARROWS_HAS_XNNPACK
          "xnnpack",
#endif
#ifdef NARROWS_HAS_ONEDNN
          "onednn"
#endif
  };
}

std::string_view defaultEngineName() {
  return engineNames().back();
}

}  // namespace narrows
