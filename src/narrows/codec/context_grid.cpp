#include "narrows/codec/context_grid.h"

#include <algorithm>
#include <cstring>

#include "narrows/base/assert.h"

namespace narrows {
namespace {

/// Levels of a four-bit neighbour to the upper left or right that are told apart.
constexpr std::array<std::uint8_t, 16> kQuarterOf16 = {0, 1, 1, 2, 2, 2, 2, 3,
                                                       3, 3, 3, 3, 3, 3, 3, 3};
constexpr std::array<std::uint8_t, 8> kQuarterOf8 = {0, 1, 2, 2, 3, 3, 3, 3};

struct Neighbours {
  unsigned above_left;
  unsigned above;
  unsigned above_right;
};

/// How many contexts come from the left, and the number of the context from above among its own.
constexpr std::size_t leftContexts(int bits) {
  constexpr std::size_t kCounts[] = {0, 8, 4, 8, 16};
  return kCounts[bits];
}
constexpr std::size_t aboveContexts(int bits) {
  constexpr std::size_t kCounts[] = {0, 2 * 16 * 4, 4 * 16 * 4, 4 * 8 * 4, 16 * 8};
  return kCounts[bits];
}

std::size_t fromLeft(int bits, unsigned left) {
  switch (bits) {
    case 1:
      return left >> 1;
    case 2:
      return left >> 2;
    default:
      return left;
  }
}

std::size_t fromAbove(int bits, const Neighbours& n) {
  switch (bits) {
    case 1:
      return (n.above_left >> 3) + 2 * (n.above + 16 * (n.above_right & 3));
    case 2:
      return (n.above_left >> 2) + 4 * (n.above + 16 * (n.above_right & 3));
    case 3:
      return kQuarterOf8[n.above_left] + 4 * (n.above + 8 * kQuarterOf8[n.above_right]);
    default:
      return n.above + 16U * (kQuarterOf16[n.above_right] + 4U * (n.above_left > n.above));
  }
}

}  // namespace

ContextGrid::ContextGrid(const SymbolLayout& layout) : layout_(layout) {
  if (layout.height == 1 && layout.width == 1) layout_ = {1, 1, layout.planes, layout.bits};
  NARROWS_ASSERT(layout.bits >= 1 && layout.bits <= 8);
  low_bits_ = layout.bits > 4 ? layout.bits - 4 : 0;
  symbols_per_unit_ = layout.bits == 1 ? 4 : layout.bits == 2 ? 2 : 1;
  const auto per_unit = static_cast<std::size_t>(symbols_per_unit_);
  columns_ = (layout_.width + per_unit - 1) / per_unit;
  fill_bits_ = static_cast<int>(columns_ * per_unit - layout_.width) * layout.bits;

  const int bits = std::min(layout.bits, 4);
  const std::size_t left = leftContexts(bits);
  first_row_base_ = left * aboveContexts(bits);
  fill_base_ = first_row_base_ + left;
  low_base_ = fill_base_ + (fill_bits_ > 0 ? first_row_base_ : 0);

  const unsigned mask = (1U << bits) - 1;
  const int last_shift = bits * (symbols_per_unit_ - 1);
  const auto spread = [&](unsigned symbol) {
    unsigned unit = 0;
    for (int i = 0; i < symbols_per_unit_; ++i) unit |= symbol << (i * bits);
    return static_cast<std::uint8_t>(unit);
  };
  const unsigned units = unit_count_ = 1U << (bits * symbols_per_unit_);
  for (unsigned unit = 0; unit < units; ++unit) {
    from_left_[unit] = static_cast<std::uint16_t>(fromLeft(bits, unit));
    spread_first_[unit] = spread(unit & mask);
    spread_last_[unit] = spread(unit >> last_shift & mask);
  }
  from_above_.resize(std::size_t{1} << 12);
  for (unsigned i = 0; i < from_above_.size(); ++i) {
    const Neighbours n{i >> 8, i >> 4 & 15, i & 15};
    if (n.above_left >= units || n.above >= units || n.above_right >= units) continue;
    from_above_[i] = static_cast<std::uint16_t>(left * fromAbove(bits, n));
  }
}

bool ContextGrid::possible(std::size_t row, std::size_t unit) const {
  if (row >= low_base_) return unit < (std::size_t{1} << low_bits_);
  const int unit_bits = std::min(layout_.bits, 4) * symbols_per_unit_;
  const int used = row >= fill_base_ ? unit_bits - fill_bits_ : unit_bits;
  return unit < (std::size_t{1} << used);
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
  if (symbols_per_unit_ == 1) {
    if (count > 0) std::memcpy(high, symbols, count);
    return;
  }
  const std::size_t width = layout_.width;
  const auto per_unit = static_cast<std::size_t>(symbols_per_unit_);
  const std::size_t whole = width / per_unit;
  for (std::size_t y = 0; y < layout_.height; ++y) {
    const std::uint8_t* in = symbols + y * width;
    std::uint8_t* out = high + y * columns_;
    if (per_unit == 4) {
      for (std::size_t j = 0; j < whole; ++j) {
        // The product moves bit 0 of each byte to bits 28 to 31, without carries between them.
        std::uint32_t four = 0;
        std::memcpy(&four, in + 4 * j, 4);
        out[j] = static_cast<std::uint8_t>(four * 0x10204080U >> 28);
      }
    } else {
      for (std::size_t j = 0; j < whole; ++j) {
        std::uint16_t two = 0;
        std::memcpy(&two, in + 2 * j, 2);
        out[j] = static_cast<std::uint8_t>((two | two >> 6) & 15);
      }
    }
    if (whole == columns_) continue;
    unsigned unit = 0;
    for (std::size_t i = whole * per_unit; i < width; ++i) {
      unit |= static_cast<unsigned>(in[i])
              << (static_cast<int>(i - whole * per_unit) * layout_.bits);
    }
    out[whole] = static_cast<std::uint8_t>(unit);
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
  const std::size_t whole = width / per_unit;
  for (std::size_t y = 0; y < layout_.height; ++y) {
    const std::uint8_t* in = high + y * columns_;
    std::uint8_t* out = symbols + y * width;
    if (per_unit == 4) {
      for (std::size_t j = 0; j < whole; ++j) {
        // One bit to each byte: the products put copies of the unit where the mask picks bit 0
        // to 3.
        const std::uint32_t four = in[j] * 0x00204081U & 0x01010101U;
        std::memcpy(out + 4 * j, &four, 4);
      }
    } else {
      for (std::size_t j = 0; j < whole; ++j) {
        out[2 * j] = in[j] & 3;
        out[2 * j + 1] = in[j] >> 2;
      }
    }
    const unsigned mask = (1U << layout_.bits) - 1;
    for (std::size_t i = whole * per_unit; i < width; ++i) {
      out[i] = static_cast<std::uint8_t>(
          in[whole] >> (static_cast<int>(i - whole * per_unit) * layout_.bits) & mask);
    }
  }
}

void ContextGrid::contextsFromAbove(std::size_t y, const std::uint8_t* above,
                                    std::uint16_t* parts) const {
  if (y == 0) {
    for (std::size_t j = 0; j < columns_; ++j) {
      parts[j] = static_cast<std::uint16_t>(first_row_base_);
    }
    if (fill_bits_ > 0) parts[columns_ - 1] = static_cast<std::uint16_t>(fill_base_);
    return;
  }
  unsigned window = static_cast<unsigned>(spread_first_[above[0]]) << 4 | above[0];
  for (std::size_t j = 0; j + 1 < columns_; ++j) {
    window = (window << 4 | above[j + 1]) & 0xFFF;
    parts[j] = from_above_[window];
  }
  const std::size_t last = columns_ - 1;
  window = (window << 4 | spread_last_[above[last]]) & 0xFFF;
  parts[last] = static_cast<std::uint16_t>(from_above_[window] + (fill_bits_ > 0 ? fill_base_ : 0));
}

void ContextGrid::contexts(const std::uint8_t* high, const std::uint8_t* low, std::uint16_t* rows,
                           std::uint16_t* low_rows) const {
  for (std::size_t y = 0; y < layout_.height; ++y) {
    const std::uint8_t* line = high + y * columns_;
    const std::uint8_t* above = y > 0 ? line - columns_ : nullptr;
    std::uint16_t* out = rows + y * columns_;
    contextsFromAbove(y, above, out);
    std::uint8_t left = leftOfFirst(y, above);
    for (std::size_t j = 0; j < columns_; ++j) {
      out[j] = static_cast<std::uint16_t>(out[j] + from_left_[left]);
      left = line[j];
    }
    if (low_bits_ == 0) continue;
    const std::uint8_t* low_line = low + y * columns_;
    for (std::size_t j = 0; j < columns_; ++j) {
      low_rows[y * columns_ + j] = static_cast<std::uint16_t>(lowContext(
          line[j], j > 0 ? line[j - 1] : std::uint8_t{0}, j > 0 ? low_line[j - 1] : std::uint8_t{0},
          y > 0 ? above[j] : std::uint8_t{0}, y > 0 ? (low_line - columns_)[j] : std::uint8_t{0}));
    }
  }
}

}  // namespace narrows
