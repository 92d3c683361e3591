#include "narrows/planner/weight_slicing.h"

#include <algorithm>
#include <array>
#include <limits>

#include "narrows/planner/integer_program.h"

namespace narrows {
namespace {

constexpr std::size_t kSlicings = 4;

double cost(const SlicedLayer& layer, std::int64_t devices, Slicing slicing, bool input_is_there,
            bool keeps) {
  const auto m = static_cast<double>(layer.input);
  const auto k = static_cast<double>(layer.output);
  const auto n = static_cast<double>(devices);
  const double input = input_is_there ? 0 : m * (n - 1);
  switch (slicing) {
    case Slicing::filters:
      return input + (keeps ? k * (n - 1) : k * (n - 1) / n);
    case Slicing::channels:
      return m * (n - 1) / n + k * (n - 1);
    case Slicing::fused_first:
      return input;
    case Slicing::fused_second:
      return k * (n - 1);
  }
  return 0;
}

/// What the choice for a layer leaves to the next one: nothing, a kept output, or half a pair.
enum class Link : std::uint8_t { none, kept, pair };
constexpr std::size_t kLinks = 3;

struct Choice {
  Slicing slicing = Slicing::filters;
  Link from = Link::none;
  Link to = Link::none;
};

/// Every way in which a layer can take up a link and leave one.
constexpr std::array<Choice, 8> kChoices{{{Slicing::filters, Link::none, Link::none},
                                          {Slicing::filters, Link::none, Link::kept},
                                          {Slicing::filters, Link::kept, Link::none},
                                          {Slicing::filters, Link::kept, Link::kept},
                                          {Slicing::channels, Link::none, Link::none},
                                          {Slicing::fused_first, Link::none, Link::pair},
                                          {Slicing::fused_first, Link::kept, Link::pair},
                                          {Slicing::fused_second, Link::pair, Link::none}}};

SlicingPlan shortestPath(std::span<const SlicedLayer> layers, std::int64_t devices,
                         bool filters_only) {
  constexpr double kNever = std::numeric_limits<double>::infinity();
  std::array<double, kLinks> best{0, kNever, kNever};
  std::vector<std::array<const Choice*, kLinks>> taken;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const bool linked_after = l + 1 < layers.size() && layers[l + 1].follows;
    std::array<double, kLinks> next{kNever, kNever, kNever};
    std::array<const Choice*, kLinks> choices{};
    for (const Choice& choice : kChoices) {
      if (filters_only && choice.slicing != Slicing::filters) continue;
      if (choice.to != Link::none && !linked_after) continue;
      const auto from = static_cast<std::size_t>(choice.from);
      const auto to = static_cast<std::size_t>(choice.to);
      const double total = best[from] + cost(layers[l], devices, choice.slicing,
                                             choice.from == Link::kept, choice.to == Link::kept);
      if (total >= next[to]) continue;
      next[to] = total;
      choices[to] = &choice;
    }
    best = next;
    taken.push_back(choices);
  }
  SlicingPlan plan;
  plan.layers.resize(layers.size());
  plan.kept.resize(layers.size());
  plan.elements = best[0];
  auto link = Link::none;
  for (std::size_t l = layers.size(); l-- > 0;) {
    const Choice& choice = *taken[l][static_cast<std::size_t>(link)];
    plan.layers[l] = choice.slicing;
    plan.kept[l] = choice.to == Link::kept;
    link = choice.from;
  }
  return plan;
}

}  // namespace

SlicingPlan sliceByPath(std::span<const SlicedLayer> layers, std::int64_t devices) {
  return shortestPath(layers, devices, false);
}

SlicingPlan sliceFiltersOnly(std::span<const SlicedLayer> layers, std::int64_t devices) {
  return shortestPath(layers, devices, true);
}

Result<SlicingPlan> sliceByProgram(std::span<const SlicedLayer> layers, std::int64_t devices,
                                   Seconds limit) {
  using Sense = IntegerProgram::Sense;
  IntegerProgram program;
  const std::size_t count = layers.size();
  std::vector<std::array<std::size_t, kSlicings>> choice(count);
  std::vector<std::size_t> kept(count);
  const auto at = [&](std::size_t l, Slicing slicing) {
    return choice[l][static_cast<std::size_t>(slicing)];
  };
  for (std::size_t l = 0; l < count; ++l) {
    const bool linked_after = l + 1 < count && layers[l + 1].follows;
    for (std::size_t s = 0; s < kSlicings; ++s) {
      const auto slicing = static_cast<Slicing>(s);
      choice[l][s] = program.addChoice(cost(layers[l], devices, slicing, false, false));
    }
    // Keeping an output costs more here and spares the next layer's input.
    double keeping = cost(layers[l], devices, Slicing::filters, false, true) -
                     cost(layers[l], devices, Slicing::filters, false, false);
    if (linked_after) {
      keeping -= cost(layers[l + 1], devices, Slicing::fused_first, false, false);
    }
    kept[l] = program.add({0, linked_after ? 1.0 : 0.0, keeping, true});
    std::vector<IntegerProgram::Term> one;
    for (const std::size_t variable : choice[l]) one.push_back({variable, 1});
    program.addRow(std::move(one), Sense::equal, 1);
    program.addRow({{kept[l], 1}, {at(l, Slicing::filters), -1}}, Sense::at_most, 0);
    if (!linked_after) program.addRow({{at(l, Slicing::fused_first), 1}}, Sense::equal, 0);
    if (l == 0 || !layers[l].follows) {
      program.addRow({{at(l, Slicing::fused_second), 1}}, Sense::equal, 0);
      continue;
    }
    program.addRow({{at(l, Slicing::fused_second), 1}, {at(l - 1, Slicing::fused_first), -1}},
                   Sense::equal, 0);
    program.addRow(
        {{kept[l - 1], 1}, {at(l, Slicing::filters), -1}, {at(l, Slicing::fused_first), -1}},
        Sense::at_most, 0);
  }
  NARROWS_TRY(solution, program.solve(limit));
  if (!solution.optimal) {
    return makeError("no proof within {:g} s: {:g} elements found, at least {:g}", limit.value(),
                     solution.objective, solution.lower_bound);
  }
  SlicingPlan plan;
  for (std::size_t l = 0; l < count; ++l) {
    for (std::size_t s = 0; s < kSlicings; ++s) {
      if (solution.chosen(choice[l][s])) plan.layers.push_back(static_cast<Slicing>(s));
    }
    plan.kept.push_back(solution.chosen(kept[l]));
  }
  plan.elements = solution.objective;
  return plan;
}

Result<double> elementsMoved(std::span<const SlicedLayer> layers, std::int64_t devices,
                             const SlicingPlan& plan) {
  if (plan.layers.size() != layers.size() || plan.kept.size() != layers.size()) {
    return makeError("choices for {} of {} layers", plan.layers.size(), layers.size());
  }
  double total = 0;
  Link link = Link::none;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Slicing slicing = plan.layers[l];
    const Link to = plan.kept[l]                      ? Link::kept
                    : slicing == Slicing::fused_first ? Link::pair
                                                      : Link::none;
    const bool allowed = std::any_of(kChoices.begin(), kChoices.end(), [&](const Choice& choice) {
      return choice.slicing == slicing && choice.from == link && choice.to == to;
    });
    const bool linked = link == Link::none || layers[l].follows;
    if (!allowed || !linked || (l + 1 == layers.size() && to != Link::none)) {
      return makeError("layer {}: {} cannot stand here", l, toString(slicing));
    }
    total += cost(layers[l], devices, slicing, link == Link::kept, plan.kept[l]);
    link = to;
  }
  return total;
}

std::string_view toString(Slicing slicing) {
  switch (slicing) {
    case Slicing::filters:
      return "LOP";
    case Slicing::channels:
      return "LIP";
    case Slicing::fused_first:
      return "FUSE1";
    case Slicing::fused_second:
      return "FUSE2";
  }
  return "";
}

}  // namespace narrows
