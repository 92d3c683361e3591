#include "narrows/graph/cuts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "narrows/graph/random_graph.h"

namespace narrows {
namespace {

using Names = std::set<std::string>;

Names namesOf(const Graph& graph, const Cut& cut) {
  Names names;
  for (ValueId value : cut.values) names.insert(graph.value(value).name);
  return names;
}

/// The definitions, spelled out on sets; nothing here is shared with the code under test.
class Oracle {
 public:
  explicit Oracle(const Graph& graph) : graph_(graph) {}

  /// Values that a path from an input reaches without passing `removed`.
  std::set<ValueId> reached(const std::set<ValueId>& removed) const {
    std::set<ValueId> open;
    for (ValueId input : graph_.inputs()) {
      if (!removed.contains(input)) open.insert(input);
    }
    for (bool grown = true; grown;) {
      grown = false;
      for (const Node& node : graph_.nodes()) {
        const bool fed = std::any_of(node.inputs.begin(), node.inputs.end(),
                                     [&](ValueId v) { return open.contains(v); });
        if (!fed) continue;
        for (ValueId output : node.outputs) {
          if (!removed.contains(output)) grown |= open.insert(output).second;
        }
      }
    }
    return open;
  }

  bool separates(const std::set<ValueId>& values) const {
    const auto open = reached(values);
    return std::none_of(graph_.outputs().begin(), graph_.outputs().end(),
                        [&](ValueId output) { return open.contains(output); });
  }

  /// Whether `value` lies on a path from an input to an output.
  bool matters(ValueId value) const {
    if (!reached({}).contains(value)) return false;
    std::set<ValueId> ahead{value};
    for (const Node& node : graph_.nodes()) {
      for (ValueId input : node.inputs) {
        if (ahead.contains(input)) ahead.insert(node.outputs.begin(), node.outputs.end());
      }
    }
    return std::any_of(graph_.outputs().begin(), graph_.outputs().end(),
                       [&](ValueId output) { return ahead.contains(output); });
  }

  std::vector<ValueId> candidates() const {
    std::vector<ValueId> values;
    for (std::size_t i = 0; i < graph_.valueCount(); ++i) {
      if (matters(ValueId(i))) values.emplace_back(i);
    }
    return values;
  }

  /// Nodes on paths that `values` depend on.
  std::set<std::size_t> below(const std::set<ValueId>& values) const {
    std::set<ValueId> needed = values;
    std::set<std::size_t> nodes;
    for (std::size_t i = graph_.nodeCount(); i-- > 0;) {
      const Node& node = graph_.nodes()[i];
      const bool wanted = std::any_of(node.outputs.begin(), node.outputs.end(),
                                      [&](ValueId v) { return needed.contains(v); });
      if (!wanted) continue;
      if (std::any_of(node.outputs.begin(), node.outputs.end(),
                      [&](ValueId v) { return matters(v); })) {
        nodes.insert(i);
      }
      needed.insert(node.inputs.begin(), node.inputs.end());
    }
    return nodes;
  }

  /// Whether exactly `values` are live once all they depend on has run.
  bool isFrontier(const std::set<ValueId>& values) const {
    const auto nodes = below(values);
    std::set<ValueId> live;
    for (ValueId value : candidates()) {
      const NodeId producer = graph_.value(value).producer;
      if (producer.valid() && !nodes.contains(producer.index())) continue;
      bool wanted = graph_.isOutput(value);
      for (NodeId reader : graph_.consumers(value)) {
        const auto& outputs = graph_.node(reader).outputs;
        const bool on_path =
            std::any_of(outputs.begin(), outputs.end(), [&](ValueId v) { return matters(v); });
        wanted |= on_path && !nodes.contains(reader.index());
      }
      if (wanted) live.insert(value);
    }
    return live == values;
  }

  bool isInner(const std::set<ValueId>& values) const {
    bool all_inputs = true;
    for (ValueId input : graph_.inputs()) all_inputs &= !matters(input) || values.contains(input);
    bool all_outputs = true;
    for (ValueId output : graph_.outputs()) {
      all_outputs &= !matters(output) || values.contains(output);
    }
    return !all_inputs && !all_outputs;
  }

 private:
  const Graph& graph_;
};

TEST(SingleTensorCuts, AreThoseThatSeparateOnRandomGraphs) {
  std::size_t found = 0;
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomGraphOptions options;
    options.nodes = 3 + seed % 16;
    options.percent_unused = seed % 3 == 0 ? 10 : 100;
    options.inputs = 1 + seed % 7 / 6;
    const Graph graph = randomGraph(seed, options);
    const Oracle oracle(graph);
    std::set<Names> expected;
    for (ValueId value : oracle.candidates()) {
      if (oracle.separates({value}) && oracle.isInner({value})) {
        expected.insert({graph.value(value).name});
      }
    }
    std::set<Names> actual;
    for (const Cut& cut : singleTensorCuts(graph)) actual.insert(namesOf(graph, cut));
    EXPECT_EQ(actual, expected);
    found += actual.size();
  }
  EXPECT_GT(found, 300u);
}

TEST(MultiTensorCuts, AreTheFrontiersOfAllOrdersOnRandomGraphs) {
  std::size_t found = 0;
  for (std::uint32_t seed = 0; seed < 120; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomGraphOptions options;
    options.nodes = 4 + seed % 9;
    options.inputs = 1 + seed % 5 / 4;
    const Graph graph = randomGraph(seed, options);
    const Oracle oracle(graph);
    const auto candidates = oracle.candidates();
    std::set<Names> expected;
    const auto consider = [&](const std::set<ValueId>& values) {
      if (!oracle.isInner(values)) return;
      std::set<ValueId> storages;
      Names names;
      for (ValueId value : values) {
        storages.insert(storageOf(graph, value));
        names.insert(graph.value(value).name);
      }
      if (storages.size() == values.size() && oracle.isFrontier(values)) expected.insert(names);
    };
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      consider({candidates[i]});
      for (std::size_t j = 0; j < i; ++j) {
        consider({candidates[i], candidates[j]});
        for (std::size_t k = 0; k < j; ++k) {
          consider({candidates[i], candidates[j], candidates[k]});
        }
      }
    }
    const CutList list = multiTensorCuts(graph, {3, 1'000'000, 100'000});
    EXPECT_TRUE(list.complete);
    std::set<Names> actual;
    for (const Cut& cut : list.cuts) {
      EXPECT_TRUE(oracle.separates({cut.values.begin(), cut.values.end()}));
      EXPECT_TRUE(actual.insert(namesOf(graph, cut)).second) << "listed twice";
      EXPECT_TRUE(makeCut(graph, cut.values).ok());
    }
    EXPECT_EQ(actual, expected);
    found += actual.size();
  }
  EXPECT_GT(found, 500u);
}

TEST(MultiTensorCuts, WithOneTensorAreTheSingleOnes) {
  for (std::uint32_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Graph graph = randomGraph(seed);
    std::vector<std::string> single;
    for (const Cut& cut : singleTensorCuts(graph)) single.push_back(cutName(graph, cut));
    std::vector<std::string> searched;
    for (const Cut& cut : multiTensorCuts(graph, {1, 1'000'000, 1000}).cuts) {
      searched.push_back(cutName(graph, cut));
    }
    EXPECT_EQ(single, searched);
  }
}

TEST(MultiTensorCuts, SaysWhenALimitEndedTheSearch) {
  const Graph graph = randomGraph(3, {60, 1, 0, false});
  EXPECT_FALSE(multiTensorCuts(graph, {4, 10, 1000}).complete);
}

/// x -> conv a -> relu r -> flatten f -> gemm g, the shape of a small classifier.
struct Chain {
  Graph graph;
  Chain() {
    const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 3, 4, 4}});
    const ValueId w = graph.addConstant("w", Tensor(DType::f32, Shape{5, 3, 1, 1}));
    const ValueId v = graph.addConstant("v", Tensor(DType::f32, Shape{80, 10}));
    auto a = graph.add(Conv2d{}, {x, w}, "a");
    auto r = graph.add(Unary{UnaryKind::relu}, {*a}, "r");
    auto f = graph.add(Reshape{{1, 80}}, {*r}, "f");
    auto g = graph.add(Gemm{}, {*f, v}, "g");
    NARROWS_ASSERT(graph.setOutputs({*g}).ok());
  }
};

TEST(Cut, TellsSizesAndWorkOnEachSide) {
  const Chain net;
  const auto cuts = singleTensorCuts(net.graph);
  ASSERT_EQ(cuts.size(), 3u);
  EXPECT_EQ(cutName(net.graph, cuts[0]), "a");
  EXPECT_EQ(cutName(net.graph, cuts[1]), "r");
  EXPECT_EQ(cutName(net.graph, cuts[2]), "f");
  const Cut& cut = cuts[0];
  EXPECT_EQ(cutElements(net.graph, cut), 80);
  EXPECT_EQ(cutBytes(net.graph, cut, 32), 320u);
  EXPECT_EQ(cutBytes(net.graph, cut, 8), 80u);
  EXPECT_EQ(cutBytes(net.graph, cut, 1), 10u);
  EXPECT_EQ(cut.before.macs, 16 * 15);
  EXPECT_EQ(cut.after.macs, 800);
  EXPECT_EQ(cut.before.parameters, 15);
  EXPECT_EQ(cut.after.parameters, 800);
  EXPECT_EQ(cut.memory_before.activations, (48u + 80u) * 4);
  EXPECT_EQ(cut.memory_after.activations, 2 * 80u * 4);
  EXPECT_EQ(cut.memory_before.weights, 60u);
  EXPECT_FALSE(cut.alias_of.has_value());
  ASSERT_TRUE(cuts[2].alias_of.has_value());
  EXPECT_EQ(net.graph.value(*cuts[2].alias_of).name, "r");
}

TEST(Cut, CostsOfBothSidesAddUp) {
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomGraphOptions options;
    options.percent_unused = 0;
    const Graph graph = randomGraph(seed, options);
    const Cost whole = cost(graph);
    for (const Cut& cut : singleTensorCuts(graph)) {
      EXPECT_EQ(cut.before.macs + cut.after.macs, whole.macs);
      EXPECT_EQ(cut.before.activations + cut.after.activations, whole.activations);
      EXPECT_EQ(cut.before.parameters + cut.after.parameters, whole.parameters);
      EXPECT_GE(peakMemory(graph).activations, cut.memory_after.activations);
    }
  }
}

TEST(FindCut, TakesNamesAndExplainsWhatIsWrong) {
  const Chain net;
  auto cut = findCut(net.graph, "r");
  ASSERT_TRUE(cut.ok());
  EXPECT_EQ(cutName(net.graph, *cut), "r");
  EXPECT_EQ(findCut(net.graph, "zz").error().message, "cut \"zz\": the graph has no value \"zz\"");
  EXPECT_EQ(findCut(net.graph, "w").error().message, "\"w\" is a constant and cannot be cut");
  EXPECT_EQ(findCut(net.graph, "a+r").error().message,
            "\"a+r\" is no cut: \"a\" is not read after it");
  EXPECT_TRUE(findCut(net.graph, "x").ok());
  EXPECT_TRUE(findCut(net.graph, "g").ok());
}

TEST(FindCut, FindsSeveralTensorsAndNamesWithPlus) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 2, 2, 2}});
  auto a = graph.add(Unary{UnaryKind::relu}, {x}, "a+b");
  auto b = graph.add(Unary{UnaryKind::exp}, {x}, "b");
  auto y = graph.add(Binary{BinaryKind::add}, {*a, *b}, "y");
  ASSERT_TRUE(graph.setOutputs({*y}).ok());
  auto cut = findCut(graph, "b+a+b");
  ASSERT_TRUE(cut.ok()) << cut.error().message;
  EXPECT_EQ(cutName(graph, *cut), "a+b+b");
  EXPECT_EQ(findCut(graph, "b").error().message,
            "\"b\" does not separate the inputs from the outputs: input \"x\" of the graph is "
            "needed and not among the given values");
}

}  // namespace
}  // namespace narrows
