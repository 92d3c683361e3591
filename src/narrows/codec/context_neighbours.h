#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "narrows/codec/context_plane_loops.h"

/// How neighbours enter a context, unit by unit and in blocks that compilers vectorise for the
/// instruction set of the function that they are inlined into. docs/feature-frame.md has the
/// numbers.
namespace narrows::context {

// Everything about neighbours fits in 8 bits.
using Small = std::int8_t;

constexpr std::uint8_t quarterOf8(Small v) {
  return static_cast<std::uint8_t>((v > 0) + (v > 1) + (v > 3));
}
constexpr std::uint8_t quarterOf16(Small v) {
  return static_cast<std::uint8_t>((v > 0) + (v > 2) + (v > 6));
}

template <int Bits>
constexpr std::uint8_t aboveOf(std::uint8_t a, std::uint8_t b, std::uint8_t c) {
  if constexpr (Bits == 1) return static_cast<std::uint8_t>(a >> 3 | b << 1 | (c & 3) << 5);
  if constexpr (Bits == 2) return static_cast<std::uint8_t>(a >> 2 | b << 2 | (c & 3) << 6);
  const auto small_a = static_cast<Small>(a);
  const auto small_b = static_cast<Small>(b);
  const auto order = static_cast<std::uint8_t>((small_a >= small_b) + (small_a > small_b));
  const auto small_c = static_cast<Small>(c);
  if constexpr (Bits == 3)
    return static_cast<std::uint8_t>(b | quarterOf8(small_c) << 3 | order << 5);
  return static_cast<std::uint8_t>(b | quarterOf16(small_c) << 4 | order << 6);
}

template <int Bits>
constexpr std::uint8_t leftOf(std::uint8_t unit) {
  if constexpr (Bits == 1) return static_cast<std::uint8_t>(unit >> 1);
  if constexpr (Bits == 2) {
    return static_cast<std::uint8_t>(unit >> 2 | (static_cast<Small>(unit & 3) > 0 ? 4 : 0));
  }
  return Bits == 3 ? static_cast<std::uint8_t>(unit & 7) : unit;
}

/// A unit full of the first, or of the last, symbol of a unit.
template <int Bits>
constexpr std::uint8_t fullOfFirst(std::uint8_t unit) {
  if constexpr (Bits == 1) return static_cast<std::uint8_t>((unit & 1) * 15);
  if constexpr (Bits == 2) return static_cast<std::uint8_t>((unit & 3) * 5);
  return unit;
}
template <int Bits>
constexpr std::uint8_t fullOfLast(std::uint8_t unit) {
  if constexpr (Bits == 1) return static_cast<std::uint8_t>((unit >> 3) * 15);
  if constexpr (Bits == 2) return static_cast<std::uint8_t>((unit >> 2) * 5);
  return unit;
}

/// log2 of what a step of the above part counts.
template <int Bits>
inline constexpr int kAboveShift = Bits == 4 ? 4 : 3;

/// Contexts, or without `kLeft` their parts, of `kCount` units from `at` on.
template <int Bits, bool kLeft, bool kGuess, bool kFill, std::size_t kCount>
[[gnu::always_inline]] inline void contextBlock(const ContextTask& task, std::size_t at) {
  const std::uint8_t* above = task.above + at - 1;
  const std::uint8_t* first = task.first + at;
  const std::uint8_t* last = task.last + at;
  std::array<std::uint8_t, kCount> left{};
  std::array<std::uint8_t, kCount> index{};
  const auto chosen = [](std::uint8_t mask, unsigned inside, unsigned edge) {
    return static_cast<std::uint8_t>((edge & mask) | (inside & ~unsigned{mask}));
  };
  for (std::size_t k = 0; k < kCount; ++k) {
    const std::uint8_t b = above[k + 1];
    const std::uint8_t a = chosen(first[k], above[k], fullOfFirst<Bits>(b));
    const std::uint8_t c = chosen(last[k], above[k + 2], fullOfLast<Bits>(b));
    index[k] = aboveOf<Bits>(a, b, c);
  }
  if constexpr (kLeft) {
    const std::uint8_t* before = task.units + at - 1;
    for (std::size_t k = 0; k < kCount; ++k) {
      left[k] = leftOf<Bits>(chosen(first[k], before[k], fullOfFirst<Bits>(above[k + 1])));
    }
  }
  std::array<std::uint8_t, kCount> level{};
  if constexpr (kGuess) {
    for (std::size_t k = 0; k < kCount; ++k) {
      level[k] = static_cast<std::uint8_t>(1 + task.guess[at + k]);
    }
  }
  std::uint16_t* out = task.contexts + at;
  const std::uint16_t step = task.guess_step;
  const std::uint16_t fill_above = task.fill_above;
  for (std::size_t k = 0; k < kCount; ++k) {
    unsigned part = index[k];
    if constexpr (kFill) {
      const unsigned under = unsigned{fill_above} + above[k + 1];
      const auto mask =
          static_cast<unsigned>(static_cast<std::int16_t>(static_cast<Small>(last[k])));
      part = (under & mask) | (part & ~mask);
    }
    unsigned context = part << kAboveShift<Bits>;
    if constexpr (kLeft) context += left[k];
    if constexpr (kGuess) context += unsigned{step} * level[k];
    out[k] = static_cast<std::uint16_t>(context);
  }
}

/// Contexts are written to the last one alone, parts beyond it.
template <int Bits, bool kLeft, bool kGuess, bool kFill>
[[gnu::always_inline]] inline void contextBlocks(const ContextTask& task) {
  constexpr std::size_t kWide = 32;
  constexpr std::size_t kNarrow = 16;
  static_assert(kPlaneSlack > kWide - 1);
  std::size_t at = 0;
  if constexpr (!kLeft) {
    for (; at + kNarrow < task.count; at += kWide) {
      contextBlock<Bits, kLeft, kGuess, kFill, kWide>(task, at);
    }
    if (at < task.count) contextBlock<Bits, kLeft, kGuess, kFill, kNarrow>(task, at);
    return;
  }
  for (; at + kWide <= task.count; at += kWide) {
    contextBlock<Bits, kLeft, kGuess, kFill, kWide>(task, at);
  }
  if (at + kNarrow <= task.count) {
    contextBlock<Bits, kLeft, kGuess, kFill, kNarrow>(task, at);
    at += kNarrow;
  }
  if (at < task.count && task.count >= kNarrow) {
    contextBlock<Bits, kLeft, kGuess, kFill, kNarrow>(task, task.count - kNarrow);
    return;
  }
  for (; at < task.count; ++at) contextBlock<Bits, kLeft, kGuess, kFill, 1>(task, at);
}

template <int Bits, bool kLeft>
[[gnu::always_inline]] inline void contextsOfBits(const ContextTask& task) {
  if constexpr (Bits <= 2) {
    if (task.fill && task.guess != nullptr) return contextBlocks<Bits, kLeft, true, true>(task);
    if (task.fill) return contextBlocks<Bits, kLeft, false, true>(task);
  }
  if (task.guess != nullptr) return contextBlocks<Bits, kLeft, true, false>(task);
  contextBlocks<Bits, kLeft, false, false>(task);
}

template <bool kLeft>
[[gnu::always_inline]] inline void contextsOf(int bits, const ContextTask& task) {
  switch (bits) {
    case 1:
      return contextsOfBits<1, kLeft>(task);
    case 2:
      return contextsOfBits<2, kLeft>(task);
    case 3:
      return contextsOfBits<3, kLeft>(task);
    default:
      return contextsOfBits<4, kLeft>(task);
  }
}

[[gnu::always_inline]] inline void addGuessOf(const ContextTask& task) {
  constexpr std::size_t kBlock = 16;
  for (std::size_t begin = 0; begin < task.count; begin += kBlock) {
    for (std::size_t k = 0; k < kBlock; ++k) {
      const unsigned level = 1U + task.guess[begin + k];
      task.contexts[begin + k] =
          static_cast<std::uint16_t>(task.contexts[begin + k] + task.guess_step * level);
    }
  }
}

}  // namespace narrows::context
