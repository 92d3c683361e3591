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
                                             unsigned left_unit, unsigned above_unit,
                                             unsigned unit_count) {
  std::array<double, kUnitSymbols> weights{};
  const int values = 1 << shape.bits;
  for (unsigned unit = 0; unit < unit_count; ++unit) {
    double weight = 1;
    int left = shape.symbolAt(left_unit, shape.symbols - 1);
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

/// Low units like to agree in their upper bits with neighbours of the same high unit; below the
/// first high level zero is the most frequent of all.
std::array<double, kUnitSymbols> lowWeights(int low_bits, std::size_t class_index, unsigned high,
                                            unsigned like_left, unsigned like_above) {
  std::array<double, kUnitSymbols> weights{};
  for (unsigned unit = 0; unit < 1U << low_bits; ++unit) {
    const unsigned likeness = 1 + (unit << 2 >> low_bits);
    weights[unit] = 8;
    if (likeness == like_left) weights[unit] += 8;
    if (likeness == like_above) weights[unit] += 8;
  }
  if (high == 0) {
    const bool between_zeros = like_left == 1 && like_above == 1;
    weights[0] += between_zeros ? kZeroBetweenZeros[class_index] : kZeroElsewhere[class_index];
  }
  return weights;
}

}  // namespace

ContextTables ContextTables::standard(const SymbolLayout& layout) {
  const ContextGrid grid(layout);
  const UnitShape shape{layout.bits > 4 ? 4 : layout.bits, grid.symbolsPerUnit()};
  ContextTables tables;
  tables.units_.assign(kClasses, std::vector<Row>(grid.rows()));
  std::vector<bool> filled(grid.rows(), false);
  const auto fill = [&](std::size_t row, auto&& weights) {
    if (filled[row]) return;
    filled[row] = true;
    const auto possible = grid.possibleUnits(row);
    for (std::size_t c = 0; c < kClasses; ++c) {
      tables.units_[c][row] = frequencyRow(weights(c), possible);
    }
  };
  const unsigned units = grid.unitCount();
  for (unsigned window = 0; window < 4096; ++window) {
    const unsigned above = window >> 4 & 15;
    if (window >> 8 >= units || above >= units || (window & 15) >= units) continue;
    for (unsigned left = 0; left < units; ++left) {
      const auto inside = [&](std::size_t c) { return unitWeights(shape, c, left, above, units); };
      const std::size_t row = grid.insideRow(left, window);
      fill(row, inside);
      if (grid.fillBase() > 0) fill(grid.fillBase() + row, inside);
    }
  }
  for (unsigned left = 0; left < units; ++left) {
    fill(grid.firstRow(left),
         [&](std::size_t c) { return unitWeights(shape, c, left, left, units); });
  }
  for (unsigned low_row = 0; low_row + grid.lowBase() < grid.rows(); ++low_row) {
    fill(grid.lowBase() + low_row, [&](std::size_t c) {
      return lowWeights(grid.lowBits(), c, low_row / 25, low_row / 5 % 5, low_row % 5);
    });
  }
  // Numbers that no neighbours have.
  for (std::size_t row = 0; row < grid.rows(); ++row) {
    fill(row, [](std::size_t) { return std::array<double, kUnitSymbols>{}; });
  }
  std::array<double, kUnitSymbols> class_weights{};
  std::array<bool, kUnitSymbols> possible_classes{};
  for (std::size_t c = 0; c < kContextClasses; ++c) {
    class_weights[c] = c == 0 ? 2 : 1;
    possible_classes[c] = true;
  }
  tables.plane_classes_ = {frequencyRow(class_weights, possible_classes)};
  return tables;
}

}  // namespace narrows
