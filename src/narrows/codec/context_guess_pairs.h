#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "narrows/codec/context_loops.h"

namespace narrows::context {

/// All values of all terms of a guess in pairs, as multiplications of bytes with sums of two take
/// them; a last odd one goes with itself, of weight 0.
struct GuessPairs {
  static constexpr std::size_t kMost = (3 * ContextPlane::kMaxTerms + 1) / 2;
  std::size_t count = 0;
  std::array<const std::uint8_t*, kMost> even{};
  std::array<const std::uint8_t*, kMost> odd{};
  /// That of `odd` in the upper byte.
  std::array<std::int16_t, kMost> weights{};

  explicit GuessPairs(const GuessTask& task) {
    std::size_t values = 0;
    const auto add = [&](const std::uint8_t* value, std::int8_t weight) {
      const std::size_t k = values / 2;
      if (values++ % 2 == 0) {
        even[k] = odd[k] = value;
        weights[k] = static_cast<std::int16_t>(weight & 0xFF);
        count = k + 1;
      } else {
        odd[k] = value;
        weights[k] = static_cast<std::int16_t>(weights[k] | (weight & 0xFF) << 8);
      }
    };
    for (std::size_t t = 0; t < task.inputs; ++t) {
      const GuessInput& in = task.input[t];
      add(in.here, in.here_weight);
      add(in.ahead, in.ahead_weight);
      add(in.behind, in.behind_weight);
    }
  }
};

}  // namespace narrows::context
