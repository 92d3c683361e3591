#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace narrows {

/// Frames between a frame and the one it refers to, at most: as many maps either side keeps.
inline constexpr std::uint32_t kTemporalReach = 8;

/// Differences of symbols of `bits` bits from those of another map, modulo 2^bits and folded: 0,
/// 1, -1, 2, ... to 0, 1, 2, 3, ... All have the same length; `differences` may be either input.
void foldDifferences(std::span<const std::uint8_t> symbols, std::span<const std::uint8_t> reference,
                     int bits, std::span<std::uint8_t> differences);
/// The inverse. Any differences below 2^bits give symbols below 2^bits.
void unfoldDifferences(std::span<const std::uint8_t> differences,
                       std::span<const std::uint8_t> reference, int bits,
                       std::span<std::uint8_t> symbols);

/// The frame that another one refers to. Numbers alone do not name a frame: they wrap and start
/// again with the sender; so part of its checksum goes with the number.
struct FrameName {
  std::uint32_t sequence = 0;
  std::uint32_t checksum = 0;
};

/// Maps of the last kTemporalReach frames, in the order in which they came.
class FrameHistory {
 public:
  /// Takes the place of a frame of the same number, else of the oldest one.
  void remember(const FrameName& name, std::span<const std::uint8_t> symbols);
  /// The map of a frame of this number and these low 24 bits of the checksum; empty if there is
  /// none.
  std::span<const std::uint8_t> find(std::uint32_t sequence, std::uint32_t low_checksum) const;
  /// The frame of this number, or null.
  const FrameName* find(std::uint32_t sequence) const;
  void clear();

 private:
  struct Entry {
    FrameName name;
    bool used = false;
    std::uint64_t arrival = 0;
    std::vector<std::uint8_t> symbols;
  };
  std::array<Entry, kTemporalReach> entries_;
  std::uint64_t arrivals_ = 0;
};

inline constexpr std::uint32_t kLowChecksum = 0xFFFFFF;

}  // namespace narrows
