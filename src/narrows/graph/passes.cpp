#include "narrows/graph/passes.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "narrows/graph/pass_list.h"

namespace narrows {
namespace {

constexpr std::array<Pass, 8> kPasses{{
    {"drop-no-ops", "identities, dropout, and moves that move nothing", passes::dropNoOps},
    {"merge-reshapes", "a reshape of a reshape becomes one", passes::mergeReshapes},
    {"merge-transposes", "a transpose of a transpose becomes one", passes::mergeTransposes},
    {"fold-constants", "what only constants feed is computed", passes::foldConstants},
    {"fold-padding", "zero padding moves into the convolution behind it", passes::foldPadding},
    {"fold-affine",
     "batch normalisation and per-channel arithmetic move into the convolution, transposed "
     "convolution or Gemm before them",
     passes::foldAffine},
    {"merge-equal-nodes", "nodes that compute the same become one", passes::mergeEqualNodes},
    {"drop-dead-nodes", "what no output needs goes", passes::dropDeadNodes},
}};

// Each round removes at least one node or ends; real models need two or three.
constexpr int kMostRounds = 50;

std::string_view nameOf(const Graph& graph, ValueId value) {
  return value.valid() ? std::string_view(graph.value(value).name) : std::string_view();
}

bool sameNames(const Graph& a, std::span<const ValueId> x, const Graph& b,
               std::span<const ValueId> y) {
  return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                    [&](ValueId p, ValueId q) { return nameOf(a, p) == nameOf(b, q); });
}

/// Whether a pass left the graph as it was; constants are compared by name.
bool sameStructure(const Graph& a, const Graph& b) {
  if (a.nodeCount() != b.nodeCount() || !sameNames(a, a.outputs(), b, b.outputs())) return false;
  return std::equal(a.nodes().begin(), a.nodes().end(), b.nodes().begin(),
                    [&](const Node& x, const Node& y) {
                      return x.op == y.op && sameNames(a, x.inputs, b, y.inputs) &&
                             sameNames(a, x.outputs, b, y.outputs);
                    });
}

Status checkNames(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const bool known = std::any_of(kPasses.begin(), kPasses.end(),
                                   [&](const Pass& pass) { return pass.name == name; });
    if (known) continue;
    std::string list;
    for (const Pass& pass : kPasses) {
      list.append(list.empty() ? "" : ", ").append(pass.name);
    }
    return makeError("there is no pass \"{}\"; known are {}", name, list);
  }
  return {};
}

/// The graph as it is, for the first round.
Result<Graph> copyOf(const Graph& graph) {
  return passes::rewrite(graph, [](GraphCopy&, NodeId) -> Result<bool> { return false; });
}

}  // namespace

std::span<const Pass> simplifyPasses() {
  return kPasses;
}

Result<Graph> simplify(const Graph& graph, const SimplifyOptions& options,
                       std::vector<PassReport>* report) {
  NARROWS_CHECK(checkNames(options.without));
  std::vector<PassReport> reports;
  reports.reserve(std::size(kPasses));
  for (const Pass& pass : kPasses) reports.push_back({pass.name, 0, Seconds()});
  NARROWS_TRY(current, copyOf(graph));
  bool changed = true;
  for (int round = 0; changed && round < kMostRounds; ++round) {
    changed = false;
    for (std::size_t i = 0; i < kPasses.size(); ++i) {
      const Pass& pass = kPasses[i];
      const auto& without = options.without;
      if (std::find(without.begin(), without.end(), pass.name) != without.end()) continue;
      const auto start = std::chrono::steady_clock::now();
      auto next = pass.run(current);
      if (!next.ok()) return next.takeError().within(fmt::format("pass {}", pass.name));
      NARROWS_CHECK(verify(*next).within(fmt::format("after pass {}", pass.name)));
      const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
      reports[i].time += Seconds(time.count());
      reports[i].nodes_removed += static_cast<std::ptrdiff_t>(current.nodeCount()) -
                                  static_cast<std::ptrdiff_t>(next->nodeCount());
      changed = changed || !sameStructure(current, *next);
      current = *std::move(next);
    }
  }
  if (report != nullptr) *report = std::move(reports);
  return std::move(current);
}

}  // namespace narrows
