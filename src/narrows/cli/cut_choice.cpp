#include "narrows/cli/cut_choice.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "narrows/graph/text.h"

namespace narrows {
namespace {

/// Levenshtein distance.
std::size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

std::string nearestCuts(const Graph& graph, std::string_view wanted) {
  constexpr std::size_t kShown = 3;
  std::vector<std::string> names;
  for (const Cut& cut : singleTensorCuts(graph)) names.push_back(cutName(graph, cut));
  std::stable_sort(names.begin(), names.end(), [&](const std::string& a, const std::string& b) {
    return editDistance(a, wanted) < editDistance(b, wanted);
  });
  names.resize(std::min(names.size(), kShown));
  std::string text;
  for (const std::string& name : names)
    text += fmt::format("{}\"{}\"", text.empty() ? "" : ", ", name);
  return text;
}

}  // namespace

void addCutOptions(CLI::App& app, std::vector<std::string>& cuts, std::size_t& tensors) {
  app.add_option("--cut", cuts,
                 "Cut at this tensor (\"A+B\" for two); may be repeated (default: every cut)");
  app.add_option("--tensors", tensors, "Without --cut: cuts of up to K tensors")
      ->check(CLI::Range(1, 4))
      ->capture_default_str();
}

CutList listCuts(const Graph& graph, std::size_t tensors) {
  if (tensors <= 1) return {singleTensorCuts(graph), true};
  CutSearch search;
  search.most_tensors = tensors;
  return multiTensorCuts(graph, search);
}

Result<std::vector<Cut>> chooseCuts(const Graph& graph, std::span<const std::string> names,
                                    std::size_t tensors) {
  std::vector<Cut> chosen;
  if (names.empty()) {
    for (Cut& cut : listCuts(graph, tensors).cuts) {
      if (!cut.alias_of) chosen.push_back(std::move(cut));
    }
    if (chosen.empty()) return makeError("the network has no cut");
    return chosen;
  }
  for (const std::string& name : names) {
    auto cut = findCut(graph, name);
    if (!cut.ok())
      return makeError("--cut {}: {}; near it are {}", name, cut.error().message,
                       nearestCuts(graph, name));
    chosen.push_back(std::move(*cut));
  }
  return chosen;
}

std::string modelText(const Graph& graph) {
  return formatGraph(graph);
}

std::vector<Cut> spreadCuts(const Graph& graph, std::size_t count) {
  const std::vector<Cut> all = singleTensorCuts(graph);
  const auto total = static_cast<double>(cost(graph).macs);
  std::vector<Cut> chosen;
  for (std::size_t i = 1; i <= count; ++i) {
    const double wanted = total * static_cast<double>(i) / static_cast<double>(count + 1);
    const auto distance = [&](const Cut& cut) {
      return std::abs(static_cast<double>(cut.before.macs) - wanted);
    };
    const Cut* nearest = nullptr;
    for (const Cut& cut : all) {
      if (cut.alias_of || cut.before.macs == 0) continue;
      if (nearest == nullptr || distance(cut) <= distance(*nearest)) nearest = &cut;
    }
    if (nearest == nullptr) break;
    if (chosen.empty() || chosen.back().values != nearest->values) chosen.push_back(*nearest);
  }
  return chosen;
}

}  // namespace narrows
