#pragma once

#include <cstddef>
#include <cstdint>

/// Loops over the units of a plane or of a row of it, for several instruction sets: from symbols to
/// units and back, and from units to contexts. All give the same results.
namespace narrows::context {

/// Bytes that these loops may read before and behind what they are given, and bytes (of contexts:
/// numbers) that they may write behind it. What is there does not matter.
inline constexpr std::size_t kPlaneSlack = 32;

/// Units whose contexts are wanted.
struct ContextTask {
  const std::uint8_t* units = nullptr;
  /// The same places a row higher.
  const std::uint8_t* above = nullptr;
  /// Guessed units, or null.
  const std::uint8_t* guess = nullptr;
  /// 0xFF where a row begins, and where it ends; else 0.
  const std::uint8_t* first = nullptr;
  const std::uint8_t* last = nullptr;
  std::size_t count = 0;
  /// What each level of the guess adds.
  std::uint16_t guess_step = 0;
  /// Where rows end in units with fill: number of the above part for fill under a unit of zeros.
  bool fill = false;
  std::uint16_t fill_above = 0;
  std::uint16_t* contexts = nullptr;
};

/// What the numbers of parts depend on besides neighbours.
struct PartNumbers {
  int bits = 0;
  /// Parts of a plane's first row; where rows end in units with fill: of the last one there, and as
  /// in ContextTask.
  std::uint16_t first_row = 0;
  bool fill = false;
  std::uint16_t fill_first_row = 0;
  std::uint16_t fill_above = 0;
  std::uint16_t guess_step = 0;
};

struct PlaneLoops {
  /// Contexts of units of rows but the first. `bits` are those of a value: 1 to 4.
  void (*contexts)(int bits, const ContextTask& task);
  /// The same without what the unit to the left adds; `task.units` is not looked at.
  void (*parts)(int bits, const ContextTask& task);
  /// Adds to each part what the guess adds.
  void (*add_guess)(const ContextTask& task);
  /// Symbols of 1 bit in units of four, or of 2 bits in units of two; count is that of units, and
  /// there are symbols for all of them.
  void (*split_fours)(const std::uint8_t* symbols, std::size_t count, std::uint8_t* units);
  void (*split_twos)(const std::uint8_t* symbols, std::size_t count, std::uint8_t* units);
  /// And back. These write no byte more than the symbols of the units.
  void (*join_fours)(const std::uint8_t* units, std::size_t count, std::uint8_t* symbols);
  void (*join_twos)(const std::uint8_t* units, std::size_t count, std::uint8_t* symbols);
  /// out[i] = a[i] + b[i].
  void (*add_bytes)(const std::uint8_t* a, const std::uint8_t* b, std::size_t count,
                    std::uint8_t* out);
};

PlaneLoops scalarPlaneLoops();
/// For processors with AVX2 and BMI2, asked for at run time; else the scalar ones.
PlaneLoops avx2PlaneLoops();
/// For 64-bit Arm; elsewhere the scalar ones.
PlaneLoops neonPlaneLoops();
/// Those for the most that this processor has.
PlaneLoops fastestPlaneLoops();

}  // namespace narrows::context
