#pragma once

#include <xnnpack.h>

#include <atomic>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/engine/executor/backend.h"

/// What the kernels of this folder share: the executor's words in XNNPACK's.
namespace narrows::xnnpack {

/// An address at which nothing lies. The library tells padding from pixels by the address alone, so
/// one that its own memory may get would turn a pixel into padding.
constexpr std::uintptr_t kNowhere = std::uintptr_t{1} << 62;

struct OperatorDeleter {
  void operator()(xnn_operator* made) const { xnn_delete_operator(made); }
};
using Operator = std::unique_ptr<xnn_operator, OperatorDeleter>;

std::string_view reason(xnn_status status);

/// Runs `part(i)`, which gives an xnn_status, for every i in [0, count) on the team; the error
/// names `what` when the library fails on one of them.
template <class Part>
Status runParts(executor::Team& team, std::size_t count, std::string_view what, const Part& part) {
  std::atomic<bool> failed{false};
  team.run(count, [&](std::size_t i) {
    if (part(i) != xnn_status_success) failed.store(true, std::memory_order_relaxed);
  });
  if (failed.load(std::memory_order_relaxed)) return makeError("XNNPACK failed on {}", what);
  return {};
}

/// Some result channels of a convolution, as one of its own. Channels of each group of `problem`
/// are counted from its first.
struct Part {
  std::int64_t groups = 1;
  std::int64_t group_inputs = 0;
  std::int64_t group_outputs = 0;
  std::int64_t first_input = 0;
  std::int64_t first_output = 0;

  std::int64_t outputs() const { return groups * group_outputs; }
};

/// A problem in parts for its threads: by results, so that no weight is packed twice, and by tiles,
/// so that no part computes more of them than the whole would.
std::vector<Part> cut(const executor::ConvProblem& p);

/// What the library keeps for a part: weights of `weight_bytes` each and biases, padded to whole
/// tiles, and, where a window or padding needs it, the address of the input of each result and tap.
std::size_t bytesOf(const executor::ConvProblem& p, const Part& part, std::size_t weight_bytes);

/// Weights (O, C/G, kh, kw) of a part in the library's order (O, kh, kw, C/G).
template <class T>
std::vector<T> weightsOf(std::span<const T> weights, const Part& part, std::int64_t taps) {
  const std::int64_t depth = part.group_inputs * taps;
  const auto own = weights.subspan(static_cast<std::size_t>(part.first_output * depth),
                                   static_cast<std::size_t>(part.outputs() * depth));
  std::vector<T> turned(own.size());
  for (std::int64_t row = 0; row < std::ssize(own); row += depth) {
    for (std::int64_t c = 0; c < part.group_inputs; ++c) {
      for (std::int64_t tap = 0; tap < taps; ++tap)
        turned[static_cast<std::size_t>(row + tap * part.group_inputs + c)] =
            own[static_cast<std::size_t>(row + c * taps + tap)];
    }
  }
  return turned;
}

inline std::uint32_t narrow(std::int64_t number) {
  return static_cast<std::uint32_t>(number);
}

}  // namespace narrows::xnnpack
