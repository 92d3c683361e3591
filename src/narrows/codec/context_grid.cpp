#include "narrows/codec/context_grid.h"

#include <algorithm>
#include <cstring>

#include "narrows/base/assert.h"
#include "narrows/codec/context_neighbours.h"

namespace narrows {
namespace {

/// Neighbours outside the inside of a plane: its first row, then the same with fill, then fill
/// under each unit above.
constexpr std::size_t kFirstRow = 0;
constexpr std::size_t kFillFirstRow = 1;
constexpr std::size_t kFillInside = 2;
/// What a coarse context knows from above: a unit, a first row, or fill.
constexpr std::size_t kCoarseAbove = kUnitSymbols + 2;

/// Units that loops make at once, at least: of few, and of more.
constexpr std::size_t kFewUnits = 4;
constexpr std::size_t kMoreUnits = 8;

}  // namespace

ContextGrid::ContextGrid(const SymbolLayout& layout, context::PlaneLoops loops)
    : layout_(layout), loops_(loops) {
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

  for (unsigned unit = 0; unit < kUnitSymbols; ++unit) {
    const auto as_byte = static_cast<std::uint8_t>(unit);
    const unsigned left = high_bits_ == 1   ? context::leftOf<1>(as_byte)
                          : high_bits_ == 2 ? context::leftOf<2>(as_byte)
                          : high_bits_ == 3 ? context::leftOf<3>(as_byte)
                                            : context::leftOf<4>(as_byte);
    left_parts_[unit] = static_cast<std::uint16_t>(left);
    low_left_parts_[unit] =
        static_cast<std::uint16_t>(5 * (1 + (low_bits_ > 0 ? unit << 2 >> low_bits_ & 3 : 0)));
    spread_first_[unit] = high_bits_ == 1   ? context::fullOfFirst<1>(as_byte)
                          : high_bits_ == 2 ? context::fullOfFirst<2>(as_byte)
                                            : as_byte;
  }
  whole_units_ = layout_.width / per_unit;
  const std::size_t block = columns_ <= kFewUnits ? kFewUnits : kMoreUnits;
  block_units_ = (columns_ + block - 1) / block * block;
  // Rows whose blocks stay in the plane, in symbols and in units.
  while (rows_in_blocks_ < layout_.height &&
         rows_in_blocks_ * layout_.width + block_units_ * per_unit <=
             layout_.height * layout_.width &&
         rows_in_blocks_ * columns_ + block_units_ <= unitsPerPlane()) {
    ++rows_in_blocks_;
  }
  const std::size_t masked = std::max(unitsPerPlane(), 2 * columns_) + context::kPlaneSlack;
  first_mask_.assign(masked, 0);
  last_mask_.assign(masked, 0);
  for (std::size_t at = 0; at + columns_ <= masked && columns_ > 0; at += columns_) {
    first_mask_[at] = last_mask_[at + columns_ - 1] = 0xFF;
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
  if (count == 0) return;
  if (symbols_per_unit_ == 1) {
    std::memcpy(high, values, count);
    return;
  }
  const auto split = symbols_per_unit_ == 4 ? loops_.split_fours : loops_.split_twos;
  if (fill_bits_ == 0) return split(values, unitsPerPlane(), high);
  const auto last_mask = static_cast<std::uint8_t>((1U << (4 - fill_bits_)) - 1);
  const auto per_unit = static_cast<std::size_t>(symbols_per_unit_);
  const std::size_t width = layout_.width;
  for (std::size_t y = 0; y < layout_.height; ++y) {
    const std::uint8_t* in = values + y * width;
    std::uint8_t* out = high + y * columns_;
    const std::size_t made = y < rows_in_blocks_ ? block_units_ : whole_units_;
    split(in, made, out);
    if (made >= columns_) {
      out[columns_ - 1] &= last_mask;
      continue;
    }
    unsigned unit = 0;
    for (std::size_t i = made * per_unit; i < width; ++i) {
      unit |= static_cast<unsigned>(in[i])
              << (static_cast<int>(i - made * per_unit) * layout_.bits);
    }
    out[columns_ - 1] = static_cast<std::uint8_t>(unit);
  }
}

void ContextGrid::join(const std::uint8_t* high, const std::uint8_t* low,
                       std::uint8_t* symbols) const {
  const std::size_t count = layout_.height * layout_.width;
  if (count == 0) return;
  if (low_bits_ > 0) {
    for (std::size_t i = 0; i < count; ++i) {
      symbols[i] = static_cast<std::uint8_t>(high[i] << low_bits_ | low[i]);
    }
    return;
  }
  if (symbols_per_unit_ == 1) {
    std::memcpy(symbols, high, count);
    return;
  }
  const auto join = symbols_per_unit_ == 4 ? loops_.join_fours : loops_.join_twos;
  if (fill_bits_ == 0) return join(high, unitsPerPlane(), symbols);
  const std::size_t width = layout_.width;
  const auto per_unit = static_cast<std::size_t>(symbols_per_unit_);
  const unsigned mask = (1U << layout_.bits) - 1;
  for (std::size_t y = 0; y < layout_.height; ++y) {
    const std::uint8_t* in = high + y * columns_;
    std::uint8_t* out = symbols + y * width;
    const std::size_t made = y < rows_in_blocks_ ? block_units_ : whole_units_;
    join(in, made, out);
    for (std::size_t i = made * per_unit; i < width; ++i) {
      out[i] = static_cast<std::uint8_t>(
          in[made] >> (static_cast<int>(i - made * per_unit) * layout_.bits) & mask);
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

void ContextGrid::firstRowParts(std::uint16_t* parts) const {
  const context::PartNumbers numbers = partNumbers();
  std::fill_n(parts, columns_, numbers.first_row);
  if (numbers.fill) parts[columns_ - 1] = numbers.fill_first_row;
}

context::PartNumbers ContextGrid::partNumbers() const {
  context::PartNumbers numbers;
  numbers.bits = high_bits_;
  numbers.fill = fill_bits_ > 0;
  numbers.first_row = static_cast<std::uint16_t>(left_count_ * (above_count_ + kFirstRow));
  numbers.fill_first_row = static_cast<std::uint16_t>(left_count_ * (above_count_ + kFillFirstRow));
  numbers.fill_above = static_cast<std::uint16_t>(above_count_ + kFillInside);
  numbers.guess_step = static_cast<std::uint16_t>(contexts_alone_);
  return numbers;
}

context::ContextTask ContextGrid::taskOf(const std::uint8_t* units, const std::uint8_t* above,
                                         const std::uint8_t* guess, std::size_t count,
                                         std::uint16_t* contexts) const {
  context::ContextTask task;
  task.units = units;
  task.above = above;
  task.guess = guess;
  task.first = first_mask_.data();
  task.last = last_mask_.data();
  task.count = count;
  task.guess_step = static_cast<std::uint16_t>(contexts_alone_);
  task.fill = fill_bits_ > 0;
  task.fill_above = static_cast<std::uint16_t>(above_count_ + kFillInside);
  task.contexts = contexts;
  return task;
}

void ContextGrid::parts(std::size_t y, const std::uint8_t* above, const std::uint8_t* reference,
                        std::uint16_t* parts) const {
  const context::ContextTask task = taskOf(nullptr, above, reference, columns_, parts);
  if (y > 0) return loops_.parts(high_bits_, task);
  firstRowParts(parts);
  if (reference != nullptr) loops_.add_guess(task);
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

void ContextGrid::planeContexts(const std::uint8_t* high, const std::uint8_t* low,
                                const std::uint8_t* reference, std::uint16_t* contexts,
                                std::uint16_t* low_contexts) const {
  const std::size_t count = unitsPerPlane();
  if (count == 0) return;
  if (count > columns_) {
    // The first unit of the second row alone, in a place of its own: nothing is read before the
    // plane.
    const std::size_t second = columns_ > 1 ? 1 : 0;
    const std::array<std::uint8_t, 3> above = {0, high[0], high[second]};
    const std::array<std::uint8_t, 2> units = {0, high[columns_]};
    loops_.contexts(high_bits_, taskOf(units.data() + 1, above.data() + 1,
                                       reference == nullptr ? nullptr : reference + columns_, 1,
                                       contexts + columns_));
    context::ContextTask rest = taskOf(high + columns_ + 1, high + 1,
                                       reference == nullptr ? nullptr : reference + columns_ + 1,
                                       count - columns_ - 1, contexts + columns_ + 1);
    ++rest.first;
    ++rest.last;
    loops_.contexts(high_bits_, rest);
  }
  firstRowParts(contexts);
  for (std::size_t j = 0; j < columns_; ++j) {
    const std::size_t level = reference == nullptr ? 0 : std::size_t{1} + reference[j];
    contexts[j] = static_cast<std::uint16_t>(contexts[j] + contexts_alone_ * level +
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
