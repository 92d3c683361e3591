#include "narrows/codec/temporal.h"

#include <algorithm>
#include <cstddef>

#include "narrows/base/assert.h"

namespace narrows {

void foldDifferences(std::span<const std::uint8_t> symbols, std::span<const std::uint8_t> reference,
                     int bits, std::span<std::uint8_t> differences) {
  NARROWS_ASSERT(symbols.size() == reference.size() && symbols.size() == differences.size());
  const unsigned mask = (1U << bits) - 1;
  const unsigned half = 1U << (bits - 1);
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const unsigned forward = (unsigned{symbols[i]} - reference[i]) & mask;
    const unsigned backward = (unsigned{reference[i]} - symbols[i]) & mask;
    // Forward differences up to half the range are odd numbers: 1, 3, 5; backward ones 2, 4, 6.
    differences[i] = static_cast<std::uint8_t>(forward == 0      ? 0
                                               : forward <= half ? 2 * forward - 1
                                                                 : 2 * backward);
  }
}

void unfoldDifferences(std::span<const std::uint8_t> differences,
                       std::span<const std::uint8_t> reference, int bits,
                       std::span<std::uint8_t> symbols) {
  NARROWS_ASSERT(symbols.size() == reference.size() && symbols.size() == differences.size());
  const unsigned mask = (1U << bits) - 1;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const unsigned folded = differences[i];
    const unsigned distance = (folded + 1) / 2;
    const unsigned symbol =
        folded % 2 == 1 ? reference[i] + distance : unsigned{reference[i]} - distance;
    symbols[i] = static_cast<std::uint8_t>(symbol & mask);
  }
}

void FrameHistory::remember(const FrameName& name, std::span<const std::uint8_t> symbols) {
  Entry* place = &entries_[0];
  for (Entry& entry : entries_) {
    if (entry.used && entry.name.sequence == name.sequence) {
      place = &entry;
      break;
    }
    if (!entry.used || (place->used && entry.arrival < place->arrival)) place = &entry;
  }
  place->name = name;
  place->used = true;
  place->arrival = ++arrivals_;
  place->symbols.assign(symbols.begin(), symbols.end());
}

std::span<const std::uint8_t> FrameHistory::find(std::uint32_t sequence,
                                                 std::uint32_t low_checksum) const {
  for (const Entry& entry : entries_) {
    if (entry.used && entry.name.sequence == sequence &&
        (entry.name.checksum & kLowChecksum) == low_checksum) {
      return entry.symbols;
    }
  }
  return {};
}

const FrameName* FrameHistory::find(std::uint32_t sequence) const {
  for (const Entry& entry : entries_) {
    if (entry.used && entry.name.sequence == sequence) return &entry.name;
  }
  return nullptr;
}

void FrameHistory::clear() {
  for (Entry& entry : entries_) entry.used = false;
}

}  // namespace narrows
