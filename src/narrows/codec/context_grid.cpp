#include "narrows/codec/context_grid.h"

#include <algorithm>
#include <cstring>

#include "narrows/base/assert.h"

namespace narrows {
namespace {

/// Neighbours outside the inside of a plane: its first row, then the same with fill, then fill
/// under each unit above.
constexpr std::size_t kFirstRow = 0;
constexpr std::size_t kFillFirstRow = 1;
constexpr std::size_t kFillInside = 2;
/// What a coarse context knows from above: a unit, a first row, or fill.
constexpr std::size_t kCoarseAbove = kUnitSymbols + 2;

// Everything about neighbours fits in 8 bits, and is computed in blocks of sixteen units, in loops
// that compilers vectorise. Blocks reach beyond their row into kRowSlack units on either side.
using Small = std::int8_t;
constexpr std::size_t kBlock = 16;
static_assert(ContextGrid::kRowSlack >= kBlock);

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

template <int Bits>
void insideParts(const std::uint8_t* above, std::size_t count, std::uint16_t* parts) {
  constexpr int kShift = Bits == 4 ? 4 : 3;
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::uint8_t* in = above + begin;
    std::array<std::uint8_t, kBlock> index{};
    for (std::size_t k = 0; k < kBlock; ++k) {
      index[k] = aboveOf<Bits>(in[static_cast<std::ptrdiff_t>(k) - 1], in[k], in[k + 1]);
    }
    for (std::size_t k = 0; k < kBlock; ++k) {
      parts[begin + k] = static_cast<std::uint16_t>(index[k] << kShift);
    }
  }
}

void addReference(const std::uint8_t* reference, std::size_t count, std::size_t stride,
                  std::uint16_t* parts) {
  const auto step = static_cast<std::uint16_t>(stride);
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    std::array<std::uint8_t, kBlock> level{};
    for (std::size_t k = 0; k < kBlock; ++k) {
      level[k] = static_cast<std::uint8_t>(1 + reference[begin + k]);
    }
    for (std::size_t k = 0; k < kBlock; ++k) {
      parts[begin + k] = static_cast<std::uint16_t>(parts[begin + k] + step * level[k]);
    }
  }
}

/// Symbols that are made into units at once.
constexpr std::size_t kSplitBlock = 16;

/// kSplitBlock symbols, of 1 bit where `PerUnit` is 4 and of 2 bits where it is 2, as units.
template <int PerUnit>
void splitBlock(const std::uint8_t* symbols, std::uint8_t* units) {
  std::array<std::uint64_t, 2> halves{};
  std::memcpy(halves.data(), symbols, kSplitBlock);
  if constexpr (PerUnit == 4) {
    // The products move bit 0 of each byte to the top byte, without carries between them.
    constexpr std::uint64_t kGather = 0x0102040810204080;
    auto bits = static_cast<std::uint32_t>(halves[0] * kGather >> 56) |
                static_cast<std::uint32_t>(halves[1] * kGather >> 56) << 8;
    bits = (bits | bits << 8) & 0x00FF00FF;
    bits = (bits | bits << 4) & 0x0F0F0F0F;
    std::memcpy(units, &bits, 4);
  } else {
    for (std::size_t h = 0; h < 2; ++h) {
      std::uint64_t pairs = (halves[h] | halves[h] >> 6) & 0x000F000F000F000F;
      pairs = (pairs | pairs >> 8) & 0x0000FFFF0000FFFF;
      const auto four = static_cast<std::uint32_t>(pairs | pairs >> 16);
      std::memcpy(units + 4 * h, &four, 4);
    }
  }
}

/// Contexts of `Count` units from `at` on, as if all were inside.
template <int Bits, bool HasReference, std::size_t Count>
void blockContexts(const std::uint8_t* high, const std::uint8_t* reference, std::size_t columns,
                   std::size_t at, std::uint16_t step, std::uint16_t* contexts) {
  constexpr int kShift = Bits == 4 ? 4 : 3;
  const std::uint8_t* left = high + at - 1;
  const std::uint8_t* above = high + at - columns - 1;
  std::array<std::uint8_t, Count> left_part{};
  std::array<std::uint8_t, Count> index{};
  std::array<std::uint8_t, Count> level{};
  for (std::size_t k = 0; k < Count; ++k) left_part[k] = leftOf<Bits>(left[k]);
  for (std::size_t k = 0; k < Count; ++k) {
    index[k] = aboveOf<Bits>(above[k], above[k + 1], above[k + 2]);
  }
  if constexpr (HasReference) {
    for (std::size_t k = 0; k < Count; ++k) {
      level[k] = static_cast<std::uint8_t>(1 + reference[at + k]);
    }
  }
  for (std::size_t k = 0; k < Count; ++k) {
    unsigned context = static_cast<unsigned>(left_part[k]) + (unsigned{index[k]} << kShift);
    if constexpr (HasReference) context += unsigned{step} * level[k];
    contexts[at + k] = static_cast<std::uint16_t>(context);
  }
}

/// Contexts of the units after the first one of the second row, as if all were inside: those at
/// the ends of rows are wrong.
template <int Bits, bool HasReference>
void flatContexts(const std::uint8_t* high, const std::uint8_t* reference, std::size_t columns,
                  std::size_t count, std::size_t stride, std::uint16_t* contexts) {
  const auto step = static_cast<std::uint16_t>(stride);
  std::size_t at = columns + 1;
  for (; at + kBlock <= count; at += kBlock) {
    blockContexts<Bits, HasReference, kBlock>(high, reference, columns, at, step, contexts);
  }
  for (; at < count; ++at) {
    blockContexts<Bits, HasReference, 1>(high, reference, columns, at, step, contexts);
  }
}

template <int Bits>
void flatContexts(const std::uint8_t* high, const std::uint8_t* reference, std::size_t columns,
                  std::size_t count, std::size_t stride, std::uint16_t* contexts) {
  if (reference == nullptr) {
    flatContexts<Bits, false>(high, nullptr, columns, count, stride, contexts);
  } else {
    flatContexts<Bits, true>(high, reference, columns, count, stride, contexts);
  }
}

}  // namespace

ContextGrid::ContextGrid(const SymbolLayout& layout) : layout_(layout) {
  if (layout.height == 1 && layout.width == 1) layout_ = {1, 1, layout.planes, layout.bits};
  NARROWS_ASSERT(layout.bits >= 1 && layout.bits <= 8);
  high_bits_ = std::min(layout.bits, 4);
  low_bits_ = layout.bits - high_bits_;
  symbols_per_unit_ = layout.bits == 1 ? 4 : layout.bits == 2 ? 2 : 1;
  const auto per_unit = static_cast<std::size_t>(symbols_per_unit_);
  columns_ = (layout_.width + per_unit - 1) / per_unit;
  fill_bits_ = static_cast<int>(columns_ * per_unit - layout_.width) * layout.bits;

  left_count_ = high_bits_ == 4 ? 16 : 8;
  constexpr std::array<std::size_t, 5> kInside = {0, 2 * 16 * 4, 4 * 16 * 4, 8 * 4 * 3, 16 * 4 * 3};
  above_count_ = kInside[static_cast<std::size_t>(high_bits_)];
  contexts_alone_ = left_count_ * (above_count_ + 1 + (symbols_per_unit_ > 1 ? 1 + 16 : 0));
  coarse_alone_ = left_count_ * kCoarseAbove;
  reference_levels_ = high_bits_ == 3 ? 8 : 16;

  const unsigned mask = (1U << high_bits_) - 1;
  const int last_shift = high_bits_ * (symbols_per_unit_ - 1);
  const auto spread = [&](unsigned symbol) {
    unsigned unit = 0;
    for (int i = 0; i < symbols_per_unit_; ++i) unit |= symbol << (i * high_bits_);
    return static_cast<std::uint8_t>(unit);
  };
  for (unsigned unit = 0; unit < kUnitSymbols; ++unit) {
    const auto as_byte = static_cast<std::uint8_t>(unit);
    const unsigned left = high_bits_ == 1   ? leftOf<1>(as_byte)
                          : high_bits_ == 2 ? leftOf<2>(as_byte)
                          : high_bits_ == 3 ? leftOf<3>(as_byte)
                                            : leftOf<4>(as_byte);
    left_parts_[unit] = static_cast<std::uint16_t>(left);
    low_left_parts_[unit] =
        static_cast<std::uint16_t>(5 * (1 + (low_bits_ > 0 ? unit << 2 >> low_bits_ & 3 : 0)));
    spread_first_[unit] = spread(unit & mask);
    spread_last_[unit] = spread(unit >> last_shift & mask);
  }
}

unsigned ContextGrid::aboveOfIndex(std::size_t index) const {
  constexpr std::array<unsigned, 5> kShift = {0, 1, 2, 0, 0};
  const auto bits = static_cast<std::size_t>(high_bits_);
  return static_cast<unsigned>(index >> kShift[bits]) & (bits == 3 ? 7U : 15U);
}

std::size_t ContextGrid::coarseContext(std::size_t context) const {
  const std::size_t alone = context % contexts_alone_;
  const std::size_t index = alone / left_count_;
  const std::size_t left = alone % left_count_;
  const std::size_t above = index < above_count_                ? aboveOfIndex(index)
                            : index == above_count_ + kFirstRow ? kUnitSymbols
                                                                : kUnitSymbols + 1;
  return context / contexts_alone_ * coarse_alone_ + left * kCoarseAbove + above;
}

ContextGrid::Neighbours ContextGrid::neighbours(std::size_t context) const {
  const std::size_t index = context / left_count_;
  const std::size_t part = context % left_count_;
  Neighbours n;
  while (left_parts_[n.left] != part) ++n.left;
  if (index < above_count_) {
    n.above = static_cast<std::uint8_t>(aboveOfIndex(index));
  } else if (index >= above_count_ + kFillInside) {
    n.above = static_cast<std::uint8_t>(index - above_count_ - kFillInside);
  } else {
    n.above = n.left;
  }
  return n;
}

void ContextGrid::split(const std::uint8_t* symbols, std::uint8_t* high, std::uint8_t* low) const {
  const std::size_t count = layout_.height * layout_.width;
  if (low_bits_ > 0) {
    const auto mask = static_cast<std::uint8_t>((1 << low_bits_) - 1);
    for (std::size_t i = 0; i < count; ++i) {
      high[i] = static_cast<std::uint8_t>(symbols[i] >> low_bits_);
      low[i] = symbols[i] & mask;
    }
    return;
  }
  splitHigh(symbols, high);
}

void ContextGrid::splitHigh(const std::uint8_t* values, std::uint8_t* high) const {
  const std::size_t count = layout_.height * layout_.width;
  if (symbols_per_unit_ == 1) {
    if (count > 0) std::memcpy(high, values, count);
    return;
  }
  if (symbols_per_unit_ == 4) {
    splitRows<4>(values, high);
  } else {
    splitRows<2>(values, high);
  }
}

/// Units of `PerUnit` symbols, in blocks that reach into the row after theirs where there is one.
template <int PerUnit>
void ContextGrid::splitRows(const std::uint8_t* symbols, std::uint8_t* high) const {
  constexpr std::size_t kPerUnit = PerUnit;
  constexpr std::size_t kBlockUnits = kSplitBlock / kPerUnit;
  constexpr int kBits = 4 / PerUnit;
  const std::size_t width = layout_.width;
  const std::size_t blocks = (width + kSplitBlock - 1) / kSplitBlock;
  const std::size_t count = layout_.height * width;
  const std::size_t units = unitsPerPlane();
  const auto last_mask = static_cast<std::uint8_t>((1U << (4 - fill_bits_)) - 1);
  for (std::size_t y = 0; y < layout_.height; ++y) {
    const std::uint8_t* in = symbols + y * width;
    std::uint8_t* out = high + y * columns_;
    const bool inside =
        y * width + blocks * kSplitBlock <= count && y * columns_ + blocks * kBlockUnits <= units;
    if (inside) {
      for (std::size_t b = 0; b < blocks; ++b)
        splitBlock<PerUnit>(in + b * kSplitBlock, out + b * kBlockUnits);
      out[columns_ - 1] &= last_mask;
      continue;
    }
    for (std::size_t j = 0; j < columns_; ++j) {
      unsigned unit = 0;
      for (std::size_t i = 0; i < std::min(kPerUnit, width - j * kPerUnit); ++i)
        unit |= static_cast<unsigned>(in[j * kPerUnit + i]) << (static_cast<int>(i) * kBits);
      out[j] = static_cast<std::uint8_t>(unit);
    }
  }
}

void ContextGrid::join(const std::uint8_t* high, const std::uint8_t* low,
                       std::uint8_t* symbols) const {
  const std::size_t count = layout_.height * layout_.width;
  if (low_bits_ > 0) {
    for (std::size_t i = 0; i < count; ++i) {
      symbols[i] = static_cast<std::uint8_t>(high[i] << low_bits_ | low[i]);
    }
    return;
  }
  if (symbols_per_unit_ == 1) {
    if (count > 0) std::memcpy(symbols, high, count);
    return;
  }
  const std::size_t width = layout_.width;
  const auto per_unit = static_cast<std::size_t>(symbols_per_unit_);
  const unsigned mask = (1U << layout_.bits) - 1;
  for (std::size_t y = 0; y < layout_.height; ++y) {
    const std::uint8_t* in = high + y * columns_;
    std::uint8_t* out = symbols + y * width;
    // Whole units, which reach into the row after theirs where there is one.
    const std::size_t whole =
        y * width + columns_ * per_unit <= count ? columns_ : width / per_unit;
    if (per_unit == 4) {
      for (std::size_t j = 0; j < whole; ++j) {
        // One bit to each byte: the products put copies of the unit where the mask picks bit 0
        // to 3.
        const std::uint32_t four = in[j] * 0x00204081U & 0x01010101U;
        std::memcpy(out + 4 * j, &four, 4);
      }
    } else {
      for (std::size_t j = 0; j < whole; ++j) {
        const auto two = static_cast<std::uint16_t>((in[j] | in[j] << 6) & 0x0303);
        std::memcpy(out + 2 * j, &two, 2);
      }
    }
    for (std::size_t i = whole * per_unit; i < width; ++i) {
      out[i] = static_cast<std::uint8_t>(
          in[whole] >> (static_cast<int>(i - whole * per_unit) * layout_.bits) & mask);
    }
  }
}

bool ContextGrid::fillIsZero(const std::uint8_t* high) const {
  if (fill_bits_ == 0) return true;
  const unsigned limit = kUnitSymbols >> fill_bits_;
  for (std::size_t y = 0; y < layout_.height; ++y) {
    if (high[(y + 1) * columns_ - 1] >= limit) return false;
  }
  return true;
}

/// What the first and the last unit of a row have above them, of which one side is beyond the row.
template <int Bits>
ContextGrid::RowEnds ContextGrid::endsAbove(const std::uint8_t* above) const {
  const std::size_t last = columns_ - 1;
  const std::uint8_t before = spread_first_[above[0]];
  const std::uint8_t after = spread_last_[above[last]];
  RowEnds ends;
  ends.first = aboveOf<Bits>(before, above[0], last > 0 ? above[1] : after);
  ends.last = fill_bits_ > 0 ? above_count_ + kFillInside + above[last]
              : last == 0    ? ends.first
                             : aboveOf<Bits>(above[last - 1], above[last], after);
  if (last == 0) ends.first = ends.last;
  return ends;
}

void ContextGrid::firstRowParts(std::uint16_t* parts) const {
  std::fill_n(parts, columns_,
              static_cast<std::uint16_t>(left_count_ * (above_count_ + kFirstRow)));
  if (fill_bits_ > 0) {
    parts[columns_ - 1] = static_cast<std::uint16_t>(left_count_ * (above_count_ + kFillFirstRow));
  }
}

/// Parts of any row but the first.
template <int Bits>
void ContextGrid::rowParts(const std::uint8_t* above, std::uint16_t* parts) const {
  insideParts<Bits>(above, columns_, parts);
  const RowEnds ends = endsAbove<Bits>(above);
  parts[0] = static_cast<std::uint16_t>(left_count_ * ends.first);
  parts[columns_ - 1] = static_cast<std::uint16_t>(left_count_ * ends.last);
}

void ContextGrid::parts(std::size_t y, const std::uint8_t* above, const std::uint8_t* reference,
                        std::uint16_t* parts) const {
  if (y == 0) {
    firstRowParts(parts);
  } else {
    switch (high_bits_) {
      case 1:
        rowParts<1>(above, parts);
        break;
      case 2:
        rowParts<2>(above, parts);
        break;
      case 3:
        rowParts<3>(above, parts);
        break;
      default:
        rowParts<4>(above, parts);
    }
  }
  if (reference == nullptr) return;
  addReference(reference, columns_, contexts_alone_, parts);
}

void ContextGrid::lowParts(std::size_t y, const std::uint8_t* high, const std::uint8_t* high_above,
                           const std::uint8_t* low_above, std::uint16_t* parts,
                           std::uint16_t* masks) const {
  for (std::size_t j = 0; j < columns_; ++j) {
    const unsigned up_high = y > 0 ? high_above[j] : 0U;
    const unsigned up_low = y > 0 ? low_above[j] : 0U;
    const unsigned up = up_high != high[j] ? 0U : 1U + (up_low << 2 >> low_bits_);
    parts[j] = static_cast<std::uint16_t>(high[j] * 25U + up);
    const unsigned left_high = j > 0 ? high[j - 1] : 0U;
    masks[j] = left_high == high[j] ? 0xFFFF : 0;
  }
}

/// Contexts of all rows but the first.
template <int Bits>
void ContextGrid::insideContexts(const std::uint8_t* high, const std::uint8_t* reference,
                                 std::uint16_t* contexts) const {
  const std::size_t count = unitsPerPlane();
  flatContexts<Bits>(high, reference, columns_, count, contexts_alone_, contexts);
  const std::size_t last = columns_ - 1;
  const auto put = [&](std::size_t at, std::size_t above_index, std::uint8_t left) {
    const std::size_t level = reference == nullptr ? 0 : std::size_t{1} + reference[at];
    contexts[at] = static_cast<std::uint16_t>(left_count_ * above_index + leftOf<Bits>(left) +
                                              contexts_alone_ * level);
  };
  for (std::size_t at = columns_; at < count; at += columns_) {
    const std::uint8_t* above = high + at - columns_;
    const RowEnds ends = endsAbove<Bits>(above);
    if (last > 0) put(at + last, ends.last, high[at + last - 1]);
    put(at, ends.first, spread_first_[above[0]]);
  }
}

void ContextGrid::planeContexts(const std::uint8_t* high, const std::uint8_t* low,
                                const std::uint8_t* reference, std::uint16_t* contexts,
                                std::uint16_t* low_contexts) const {
  const std::size_t count = unitsPerPlane();
  if (count == 0) return;
  switch (high_bits_) {
    case 1:
      insideContexts<1>(high, reference, contexts);
      break;
    case 2:
      insideContexts<2>(high, reference, contexts);
      break;
    case 3:
      insideContexts<3>(high, reference, contexts);
      break;
    default:
      insideContexts<4>(high, reference, contexts);
  }

  const auto reference_part = [&](std::size_t at) -> std::size_t {
    if (reference == nullptr) return 0;
    const std::uint8_t unit = reference[at];
    return contexts_alone_ * (1U + unit);
  };
  firstRowParts(contexts);
  for (std::size_t j = 0; j < columns_; ++j) {
    contexts[j] = static_cast<std::uint16_t>(contexts[j] + reference_part(j) +
                                             left_parts_[j > 0 ? high[j - 1] : 0]);
  }
  if (low_bits_ > 0) lowContextsOf(high, low, low_contexts);
}

void ContextGrid::lowContextsOf(const std::uint8_t* high, const std::uint8_t* low,
                                std::uint16_t* contexts) const {
  std::vector<std::uint16_t> masks(columns_);
  for (std::size_t y = 0; y < layout_.height; ++y) {
    const std::size_t begin = y * columns_;
    const std::uint8_t* line = low + begin;
    std::uint16_t* out = contexts + begin;
    lowParts(y, high + begin, y > 0 ? high + begin - columns_ : nullptr,
             y > 0 ? line - columns_ : nullptr, out, masks.data());
    for (std::size_t j = 0; j < columns_; ++j) {
      const std::uint16_t part = low_left_parts_[j > 0 ? line[j - 1] : 0];
      out[j] = static_cast<std::uint16_t>(out[j] + (masks[j] & part));
    }
  }
}

}  // namespace narrows
