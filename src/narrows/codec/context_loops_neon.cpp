#include "narrows/codec/context_loops.h"

#if defined(__aarch64__)
#include "narrows/codec/context_neon.h"
#define NARROWS_LANES
#include "narrows/codec/context_row_loops.h"
#endif

namespace narrows::context {

#if defined(__aarch64__)
namespace {

void listEntries(const UnitsToList& task, std::uint16_t* entries, ClassSums& sums) {
  uint16x8_t total = vdupq_n_u16(0);
  const auto add = [&](std::size_t k) {
    const unsigned entry = unsigned{task.first_entry[task.contexts[k]]} + task.units[k];
    entries[k] = static_cast<std::uint16_t>(entry);
    return vld1_u8(task.lengths + entry * kTables);
  };
  std::size_t k = 0;
  for (; k + 2 <= task.count; k += 2) {
    const uint8x8_t first = add(k);
    total = vaddw_u8(total, vqadd_u8(first, add(k + 1)));
  }
  if (k < task.count) total = vaddw_u8(total, add(k));
  std::array<std::uint16_t, kTables> part;
  vst1q_u16(part.data(), total);
  for (std::size_t t = 0; t < kTables; ++t) sums[t] += part[t];
}

/// Sums of 32 places.
struct GuessSums {
  std::array<int16x8_t, 4> of;

  void add(const std::uint8_t* values, std::int8_t weight) {
    const int8x8_t weights = vdup_n_s8(weight);
    for (std::size_t i = 0; i < of.size(); ++i) {
      // Values are at most 30, so they are signed numbers too.
      of[i] = vmlal_s8(of[i], vreinterpret_s8_u8(vld1_u8(values + 8 * i)), weights);
    }
  }
  /// How many of the thresholds the sums of sixteen places lie above.
  uint8x16_t levels(std::span<const std::int16_t> thresholds, std::size_t first) const {
    uint16x8_t low = vdupq_n_u16(0);
    uint16x8_t high = low;
    for (const std::int16_t threshold : thresholds) {
      const int16x8_t limit = vdupq_n_s16(threshold);
      // Each comparison that holds is -1.
      low = vsubq_u16(low, vcgtq_s16(of[first], limit));
      high = vsubq_u16(high, vcgtq_s16(of[first + 1], limit));
    }
    return vcombine_u8(vmovn_u16(low), vmovn_u16(high));
  }
};

void guessLevels(const GuessTask& task, std::uint8_t* levels) {
  static_assert(kGuessBlock == 32);
  for (std::size_t begin = 0; begin < task.count; begin += kGuessBlock) {
    GuessSums sums;
    sums.of.fill(vdupq_n_s16(0));
    for (std::size_t t = 0; t < task.inputs; ++t) {
      const GuessInput& in = task.input[t];
      sums.add(in.here + begin, in.here_weight);
      sums.add(in.ahead + begin, in.ahead_weight);
      sums.add(in.behind + begin, in.behind_weight);
    }
    vst1q_u8(levels + begin, sums.levels(task.thresholds, 0));
    vst1q_u8(levels + begin + 16, sums.levels(task.thresholds, 2));
  }
}

}  // namespace

bool hasNeon() {
  return true;
}

Loops neonLoops() {
  return {decodeRows<NeonStep>, encodeUnits<NeonStep>, listEntries, guessLevels};
}

#else

bool hasNeon() {
  return false;
}

Loops neonLoops() {
  return scalarLoops();
}

#endif

Loops fastestLoops() {
  return hasNeon() ? neonLoops() : avx512Loops();
}

}  // namespace narrows::context
