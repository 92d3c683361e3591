#include "narrows/planner/break_point.h"

#include <algorithm>

#include "narrows/planner/integer_program.h"

namespace narrows {
namespace {

double mapsOf(const SlicedLayer& layer) {
  return static_cast<double>(layer.input) + static_cast<double>(layer.output);
}

}  // namespace

double elementsAt(std::span<const SlicedLayer> layers, std::int64_t devices, std::size_t layer) {
  const auto n = static_cast<double>(devices);
  double maps = 0;
  double weights = 0;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const bool sliced = l >= layer;
    maps = std::max(maps, sliced ? mapsOf(layers[l]) : mapsOf(layers[l]) / n);
    weights += static_cast<double>(layers[l].weights) / (sliced ? n : 1);
  }
  return maps + weights;
}

BreakPoint bestBreakPoint(std::span<const SlicedLayer> layers, std::int64_t devices) {
  BreakPoint best{layers.size(), elementsAt(layers, devices, layers.size())};
  for (std::size_t layer = layers.size(); layer-- > 0;) {
    const double elements = elementsAt(layers, devices, layer);
    if (elements < best.elements) best = {layer, elements};
  }
  return best;
}

Result<BreakPoint> breakPointByProgram(std::span<const SlicedLayer> layers, std::int64_t devices,
                                       Seconds limit) {
  using Sense = IntegerProgram::Sense;
  const auto n = static_cast<double>(devices);
  IntegerProgram program;
  const std::size_t maps = program.add({0, IntegerProgram::kInfinity, 1, false});
  double all_weights = 0;
  std::vector<std::size_t> sliced;
  for (const SlicedLayer& layer : layers) {
    const auto weights = static_cast<double>(layer.weights);
    all_weights += weights;
    sliced.push_back(program.addChoice(weights / n - weights));
    const double tiled = mapsOf(layer) / n;
    program.addRow({{maps, 1}, {sliced.back(), tiled - mapsOf(layer)}}, Sense::at_least, tiled);
    if (sliced.size() > 1) {
      program.addRow({{sliced[sliced.size() - 2], 1}, {sliced.back(), -1}}, Sense::at_most, 0);
    }
  }
  NARROWS_TRY(solution, program.solve(limit));
  if (!solution.optimal) {
    return makeError("no proof within {:g} s: {:g} elements found, at least {:g}", limit.value(),
                     solution.objective + all_weights, solution.lower_bound + all_weights);
  }
  const auto first = std::find_if(sliced.begin(), sliced.end(),
                                  [&](std::size_t choice) { return solution.chosen(choice); });
  return BreakPoint{static_cast<std::size_t>(first - sliced.begin()),
                    solution.objective + all_weights};
}

}  // namespace narrows
