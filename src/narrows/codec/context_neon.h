#pragma once

#if defined(__aarch64__)
#include <arm_neon.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "narrows/codec/context_loops.h"

/// What loops with NEON share: states of eight lanes. Every 64-bit Arm processor has it.
namespace narrows::context {

/// For each set of lanes, as places of bytes of the eight words that a vector holds: for the n-th
/// lane of the set word n, in the lane's place; and the words of the set's lanes, in the last
/// places. Other places get zeros.
struct NeonPermutations {
  using Places = std::array<std::uint8_t, 2 * kEight>;
  alignas(16) std::array<Places, 256> spread{};
  alignas(16) std::array<Places, 256> gather{};

  constexpr NeonPermutations() {
    for (unsigned set = 0; set < 256; ++set) {
      spread[set].fill(0xFF);
      gather[set].fill(0xFF);
      unsigned size = 0;
      for (unsigned lane = 0; lane < kEight; ++lane) size += set >> lane & 1;
      unsigned n = 0;
      for (unsigned lane = 0; lane < kEight; ++lane) {
        if ((set >> lane & 1) == 0) continue;
        for (unsigned half = 0; half < 2; ++half) {
          spread[set][2 * lane + half] = static_cast<std::uint8_t>(2 * n + half);
          gather[set][2 * (kEight - size + n) + half] = static_cast<std::uint8_t>(2 * lane + half);
        }
        ++n;
      }
    }
  }
};
inline constexpr NeonPermutations kNeonPermutations;

/// The states of eight lanes.
struct NeonStep {
  struct State {
    uint32x4_t low;
    uint32x4_t high;
  };

  static State load(const std::uint32_t* at) { return {vld1q_u32(at), vld1q_u32(at + 4)}; }
  static void store(const State& state, std::uint32_t* at) {
    vst1q_u32(at, state.low);
    vst1q_u32(at + 4, state.high);
  }

  /// One unit out of each lane: `rows.ends(l)` are the ends of the row of lane `l`, `twice` gets
  /// twice the units. Lanes not in `active` take no word.
  template <class Rows>
  static State take(const Rows& rows, const State& state, unsigned active, std::uint8_t* twice,
                    const std::uint16_t*& next) {
    const uint16x8_t slot =
        vandq_u16(lowHalves(state.low, state.high), vdupq_n_u16(kContextTotal - 1));
    const Found found = join(join(join(find<0>(rows, slot), find<1>(rows, slot)),
                                  join(find<2>(rows, slot), find<3>(rows, slot))),
                             join(join(find<4>(rows, slot), find<5>(rows, slot)),
                                  join(find<6>(rows, slot), find<7>(rows, slot))));
    const uint16x8_t units = vsubq_u16(vdupq_n_u16(0), found.passed);
    vst1_u8(twice, vmovn_u16(vshlq_n_u16(units, 1)));

    const uint16x4_t start = vget_low_u16(found.start);
    const uint32x4_t low = after(state.low, vsubl_u16(vget_low_u16(found.end), start),
                                 vsubl_u16(vget_low_u16(slot), start));
    const uint32x4_t high = after(state.high, vsubl_high_u16(found.end, found.start),
                                  vsubl_high_u16(slot, found.start));
    const uint32x4_t lowest = vdupq_n_u32(kLowest);
    const uint32x4_t low_short = vcltq_u32(low, lowest);
    const uint32x4_t high_short = vcltq_u32(high, lowest);
    const unsigned set = setOf(lowHalves(low_short, high_short), active);
    const uint16x8_t word = permuted(vld1q_u16(next), kNeonPermutations.spread[set & 0xFF]);
    next += set >> 8;
    return {vbslq_u32(low_short, vsliq_n_u32(vmovl_u16(vget_low_u16(word)), low, 16), low),
            vbslq_u32(high_short, vsliq_n_u32(vmovl_high_u16(word), high, 16), high)};
  }

  /// One unit, of these ranges, into each lane. Lanes not in `active` give no word.
  static State put(const State& state, const Range* ranges, unsigned active, std::uint16_t*& next) {
    const Range* const upper = ranges + 4;
    const uint32x4_t low_range = vld1q_u32(ranges);
    const uint32x4_t high_range = vld1q_u32(upper);
    const uint32x4_t low_full = isFull(state.low, low_range);
    const uint32x4_t high_full = isFull(state.high, high_range);
    const unsigned set = setOf(lowHalves(low_full, high_full), active);
    vst1q_u16(next - kEight,
              permuted(lowHalves(state.low, state.high), kNeonPermutations.gather[set & 0xFF]));
    next -= set >> 8;
    return {joined(vbslq_u32(low_full, vshrq_n_u32(state.low, 16), state.low), low_range),
            joined(vbslq_u32(high_full, vshrq_n_u32(state.high, 16), state.high), high_range)};
  }

 private:
  /// Of units: how often 2^16 - 1 was added for an end that is passed, the largest end passed or 0,
  /// the least one not passed. Places of a vector are put together until one is left of each lane.
  struct Found {
    uint16x8_t passed;
    uint16x8_t start;
    uint16x8_t end;
  };

  template <int kLane, class Rows>
  [[gnu::always_inline]] static Found find(const Rows& rows, uint16x8_t slots) {
    const std::uint16_t* ends = rows.ends(kLane);
    const uint16x8_t slot = vdupq_laneq_u16(slots, kLane);
    const uint16x8_t first = vld1q_u16(ends);
    const uint16x8_t second = vld1q_u16(ends + kEight);
    const uint16x8_t first_passed = vcleq_u16(first, slot);
    const uint16x8_t second_passed = vcleq_u16(second, slot);
    return {vaddq_u16(first_passed, second_passed),
            vmaxq_u16(vandq_u16(first, first_passed), vandq_u16(second, second_passed)),
            vminq_u16(vorrq_u16(first, first_passed), vorrq_u16(second, second_passed))};
  }
  static Found join(const Found& a, const Found& b) {
    return {vpaddq_u16(a.passed, b.passed), vpmaxq_u16(a.start, b.start), vpminq_u16(a.end, b.end)};
  }

  static uint16x8_t lowHalves(uint32x4_t low, uint32x4_t high) {
    return vuzp1q_u16(vreinterpretq_u16_u32(low), vreinterpretq_u16_u32(high));
  }

  /// Lanes of a mask that are active, and how many they are in the bits from the eighth on.
  static unsigned setOf(uint16x8_t mask, unsigned active) {
    constexpr std::array<std::uint16_t, kEight> kCounted = {0x101, 0x102, 0x104, 0x108,
                                                            0x110, 0x120, 0x140, 0x180};
    const uint16x8_t counted = vld1q_u16(kCounted.data());
    // The bits of a lane outside of `active` go, and its count with them.
    const uint16x8_t inside = vtstq_u16(counted, vdupq_n_u16(static_cast<std::uint16_t>(active)));
    return vaddvq_u16(vandq_u16(vandq_u16(mask, inside), counted));
  }

  static uint16x8_t permuted(uint16x8_t words, const NeonPermutations::Places& places) {
    return vreinterpretq_u16_u8(vqtbl1q_u8(vreinterpretq_u8_u16(words), vld1q_u8(places.data())));
  }

  static uint32x4_t after(uint32x4_t state, uint32x4_t frequency, uint32x4_t rest) {
    return vmlaq_u32(rest, frequency, vshrq_n_u32(state, kContextPrecision));
  }

  static uint32x4_t isFull(uint32x4_t state, uint32x4_t range) {
    return vcgeq_u32(state, vshlq_n_u32(vshrq_n_u32(range, 16), 32 - kContextPrecision));
  }

  /// A state that has room, with a unit of this range.
  static uint32x4_t joined(uint32x4_t x, uint32x4_t range) {
    const uint32x4_t frequency = vshrq_n_u32(range, 16);
    const uint32x4_t q = quotients(x, frequency);
    const uint32x4_t rest = vmlsq_u32(x, q, frequency);
    // Where the quotient is one short, the rest is a frequency too large.
    const uint32x4_t is_short = vcgeq_u32(rest, frequency);
    const uint32x4_t more = vsubq_u32(vdupq_n_u32(kContextTotal), frequency);
    const uint32x4_t start = vandq_u32(range, vdupq_n_u32(0xFFFF));
    const uint32x4_t sum = vaddq_u32(vshlq_n_u32(q, kContextPrecision), vaddq_u32(rest, start));
    return vaddq_u32(sum, vandq_u32(is_short, more));
  }

  /// x / frequency, or one less. The estimate of the reciprocal is good to 2^-8 of it, and each
  /// step of Newton's method doubles the bits; with all roundings (5 x 2^-24) the quotient, below
  /// 2^18, stays below the true one and within a quarter of it.
  static uint32x4_t quotients(uint32x4_t x, uint32x4_t frequency) {
    const float32x4_t divisor = vcvtq_f32_u32(frequency);
    float32x4_t share = vrecpeq_f32(divisor);
    share = vmulq_f32(share, vrecpsq_f32(divisor, share));
    share = vmulq_f32(share, vrecpsq_f32(divisor, share));
    share = vmulq_n_f32(share, 1 - 0x1p-21F);
    return vcvtq_u32_f32(vmulq_f32(vcvtq_f32_u32(x), share));
  }
};

}  // namespace narrows::context
#endif
