#include <array>
#include <cstdlib>
#include <vector>

#include "narrows/codec/context_tables.h"

// Tables for maps that nobody has seen: zeros follow zeros, other symbols lie near their
// neighbours. The weights were chosen on maps of classifiers and detectors after ReLU at 1 to 8
// bits. Sums and products of whole numbers below 2^53 and single divisions: exact or rounded alike
// on every machine.
namespace narrows {
namespace {

constexpr std::size_t kClasses = kContextClasses - 1;
/// Weight of a zero between zeros, and elsewhere, by class.
constexpr std::array<double, kClasses> kZeroBetweenZeros = {4096, 1500, 700, 350, 180, 90, 40, 16};
constexpr std::array<double, kClasses> kZeroElsewhere = {96, 72, 56, 44, 32, 24, 16, 8};

double nearness(int a, int b) {
  const int distance = std::abs(a - b);
  return distance > 5 ? 0.0 : static_cast<double>(128 >> distance);
}

/// Weight of a symbol between its left and its upper neighbour.
double symbolWeight(std::size_t class_index, int symbol, int left, int above) {
  if (left == 0 && above == 0) {
    return symbol == 0 ? kZeroBetweenZeros[class_index]
                       : static_cast<double>(1 + (16 >> (symbol < 5 ? symbol : 5)));
  }
  const double zero = symbol == 0 ? kZeroElsewhere[class_index] : 0.0;
  return 2.0 + zero + nearness(symbol, left) + nearness(symbol, above);
}

struct UnitShape {
  int bits;
  int symbols;
  int symbolAt(unsigned unit, int place) const {
    return static_cast<int>(unit >> (place * bits) & ((1U << bits) - 1));
  }
};

std::array<double, kUnitSymbols> unitWeights(const UnitShape& shape, std::size_t class_index,
                                             int left_symbol, unsigned above_unit,
                                             std::size_t unit_count) {
  std::array<double, kUnitSymbols> weights{};
  const int values = 1 << shape.bits;
  for (unsigned unit = 0; unit < unit_count; ++unit) {
    double weight = 1;
    int left = left_symbol;
    for (int place = 0; place < shape.symbols; ++place) {
      const int above = shape.symbolAt(above_unit, place);
      const int symbol = shape.symbolAt(unit, place);
      // The sum is the same for all units of one symbol.
      double sum = shape.symbols == 1 ? 1 : 0;
      for (int other = 0; shape.symbols > 1 && other < values; ++other) {
        sum += symbolWeight(class_index, other, left, above);
      }
      weight = weight * symbolWeight(class_index, symbol, left, above) / sum;
      left = symbol;
    }
    weights[unit] = weight;
  }
  return weights;
}

/// Low units like to agree in their upper bits with neighbours of the same high unit; where that is
/// not above zero, zero is the most frequent of all.
std::array<double, kUnitSymbols> lowWeights(int low_bits, std::size_t class_index, bool above_zero,
                                            unsigned like_left, unsigned like_above) {
  std::array<double, kUnitSymbols> weights{};
  for (unsigned unit = 0; unit < 1U << low_bits; ++unit) {
    const unsigned likeness = 1 + (unit << 2 >> low_bits);
    weights[unit] = 8;
    if (likeness == like_left) weights[unit] += 8;
    if (likeness == like_above) weights[unit] += 8;
  }
  if (!above_zero) {
    const bool between_zeros = like_left == 1 && like_above == 1;
    weights[0] += between_zeros ? kZeroBetweenZeros[class_index] : kZeroElsewhere[class_index];
  }
  return weights;
}

}  // namespace

ContextTables ContextTables::standard(const SymbolLayout& layout) {
  const ContextGrid grid(layout);
  const UnitShape shape{grid.highBits(), grid.symbolsPerUnit()};
  const std::size_t values = std::size_t{1} << shape.bits;
  const std::size_t count = std::size_t{1} << (shape.bits * shape.symbols);
  ContextTables tables;

  // A row for each last symbol to the left and unit above.
  tables.high_rows_ = values * count;
  tables.row_of_.resize(grid.contexts());
  for (std::size_t context = 0; context < grid.contexts(); ++context) {
    const ContextGrid::Neighbours n = grid.neighbours(context % grid.contextsAlone());
    const auto left = static_cast<std::size_t>(shape.symbolAt(n.left, shape.symbols - 1));
    tables.row_of_[context] = static_cast<std::uint8_t>(left * count + n.above);
  }
  // And for each likeness of low neighbours, under a high unit of zero or of more.
  const std::size_t low_rows = grid.lowBits() > 0 ? 50 : 0;
  tables.low_row_of_.resize(grid.lowContexts());
  for (std::size_t context = 0; context < grid.lowContexts(); ++context) {
    tables.low_row_of_[context] =
        static_cast<std::uint8_t>(context % 25 + (context < 25 ? 0U : 25U));
  }

  tables.units_.assign(kClasses, std::vector<Row>(tables.high_rows_ + low_rows));
  for (std::size_t c = 0; c < kClasses; ++c) {
    std::vector<Row>& rows = tables.units_[c];
    for (std::size_t row = 0; row < tables.high_rows_; ++row) {
      const auto left = static_cast<int>(row / count);
      const auto above = static_cast<unsigned>(row % count);
      rows[row] = frequencyRow(unitWeights(shape, c, left, above, count), count);
    }
    for (std::size_t row = 0; row < low_rows; ++row) {
      const auto like = static_cast<unsigned>(row % 25);
      rows[tables.high_rows_ + row] =
          frequencyRow(lowWeights(grid.lowBits(), c, row >= 25, like / 5, like % 5),
                       std::size_t{1} << grid.lowBits());
    }
  }
  std::array<double, kUnitSymbols> class_weights{};
  for (std::size_t c = 0; c < kContextClasses; ++c) class_weights[c] = c == 0 ? 2 : 1;
  tables.plane_classes_ = {frequencyRow(class_weights, kContextClasses)};
  return tables;
}

}  // namespace narrows
