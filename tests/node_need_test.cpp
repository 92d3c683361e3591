// Region arithmetic against the reference engine, which knows nothing of regions: the operator on
// the boxes gives the box of the whole bit for bit, and no element outside the boxes has a say.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>

#include "narrows/engine/engine.h"
#include "narrows/graph/node_need.h"
#include "narrows/graph/random_graph.h"

namespace narrows::test {
namespace {

/// std::mt19937 with numbers of the width that they have.
class Random {
 public:
  explicit Random(std::uint32_t seed) : random_(seed) {}
  std::uint32_t operator()() { return static_cast<std::uint32_t>(random_()); }

 private:
  std::mt19937 random_;
};

class Oracle {
 public:
  Oracle() : engine_(*makeEngine("reference")) {}
  /// All outputs of a graph of one node, constants as inputs.
  std::vector<Tensor> run(const Graph& graph, std::span<const Tensor> inputs) const {
    auto program = engine_->compile(graph, {});
    EXPECT_TRUE(program.ok()) << program.error().message;
    const std::vector<TensorView> views(inputs.begin(), inputs.end());
    auto outputs = runProgram(**program, views);
    EXPECT_TRUE(outputs.ok()) << outputs.error().message;
    return std::move(*outputs);
  }

 private:
  std::unique_ptr<Engine> engine_;
};

struct OpCase {
  Graph graph;
  std::vector<Tensor> inputs;
};

OpCase makeCase(Op op, std::vector<Shape> shapes, std::uint32_t seed) {
  OpCase result;
  std::vector<ValueId> values;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const TensorType type{DType::f32, shapes[i]};
    values.push_back(result.graph.addInput(fmt::format("x{}", i), type));
    result.inputs.push_back(randomTensor(type, seed + static_cast<std::uint32_t>(i)));
  }
  auto node = result.graph.addNode(std::move(op), values);
  EXPECT_TRUE(node.ok()) << node.error().message;
  EXPECT_TRUE(result.graph.setOutputs(result.graph.node(*node).outputs).ok());
  return result;
}

Tensor boxOf(const Tensor& tensor, const Region& box) {
  Tensor part(TensorType{tensor.dtype(), box.shape()});
  copyRegion(tensor, box, part.mutableView(), Region::whole(part.shape()));
  return part;
}

bool equal(const Tensor& a, const Tensor& b) {
  const ByteSpan x = a.view().bytes();
  const ByteSpan y = b.view().bytes();
  return a.type() == b.type() && std::equal(x.begin(), x.end(), y.begin(), y.end());
}

Region randomBox(const Shape& shape, Random& random) {
  Region box = Region::whole(shape);
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    const auto extent = static_cast<std::uint32_t>(shape[axis]);
    const auto begin = static_cast<std::int64_t>(random() % extent);
    const std::int64_t end =
        begin + 1 +
        static_cast<std::int64_t>(random() % static_cast<std::uint32_t>(shape[axis] - begin));
    if (random() % 4 != 0) box = box.with(axis, {begin, end});
  }
  return box;
}

/// Runs the operator of `need` on the boxes of the inputs.
Tensor runNeed(const Oracle& oracle, const OpCase& item, const NodeNeed& need) {
  Graph graph;
  std::vector<ValueId> values;
  std::vector<Tensor> parts;
  for (std::size_t i = 0; i < item.inputs.size(); ++i) {
    if (!need.inputs[i]) continue;
    parts.push_back(boxOf(item.inputs[i], *need.inputs[i]));
    values.push_back(graph.addInput(fmt::format("x{}", i), parts.back().type()));
  }
  auto made = graph.add(need.op, values);
  EXPECT_TRUE(made.ok()) << made.error().message;
  if (!made.ok()) return Tensor();
  EXPECT_TRUE(graph.setOutputs({*made}).ok());
  return std::move(oracle.run(graph, parts)[0]);
}

/// The hull of the elements of input `index` that change `box` of the output when they change.
std::optional<Region> dependency(const Oracle& oracle, const OpCase& item, std::size_t output,
                                 std::size_t index, const Region& box, const Tensor& before) {
  std::optional<Region> hull;
  const Tensor expected = boxOf(before, box);
  const auto strides = item.inputs[index].shape().strides();
  for (std::int64_t at = 0; at < item.inputs[index].type().elements(); ++at) {
    std::vector<Tensor> changed;
    for (const Tensor& input : item.inputs) changed.push_back(input.clone());
    // Both ways and far, so that a maximum notices.
    bool differs = false;
    for (const float value : {1000.0F, -1000.0F}) {
      changed[index].mutableAs<float>()[static_cast<std::size_t>(at)] = value;
      differs = differs || !equal(boxOf(oracle.run(item.graph, changed)[output], box), expected);
    }
    if (!differs) continue;
    Region element = Region::whole(item.inputs[index].shape());
    for (std::size_t axis = 0; axis < element.rank(); ++axis) {
      const std::int64_t position = at / strides[axis] % element[axis].end;
      element = element.with(axis, {position, position + 1});
    }
    hull = hull ? hull->hull(element) : element;
  }
  return hull;
}

/// Whether the boxes are the smallest: of all inputs, of input 0, which the taps of a filter that
/// meet padding alone do not make smaller, or of none.
enum class Exact : std::uint8_t { all, first, none };

void check(const Oracle& oracle, const OpCase& item, Random& random, Exact exact) {
  const std::vector<Tensor> whole = oracle.run(item.graph, item.inputs);
  for (std::size_t output = 0; output < whole.size(); ++output) {
    const Region box = randomBox(whole[output].shape(), random);
    SCOPED_TRACE(fmt::format("{} box {} of {}", opName(item.graph.nodes()[0].op), toString(box),
                             toString(whole[output].shape())));
    auto need = needFor(item.graph, NodeId(0), output, box);
    ASSERT_TRUE(need.ok()) << need.error().message;
    EXPECT_TRUE(need->produced.contains(box)) << toString(need->produced);
    const Tensor made = runNeed(oracle, item, *need);
    EXPECT_TRUE(equal(made, boxOf(whole[output], need->produced)));
    for (std::size_t i = 0; i < item.inputs.size(); ++i) {
      const auto read = dependency(oracle, item, output, i, need->produced, whole[output]);
      if (!read) continue;
      ASSERT_TRUE(need->inputs[i].has_value());
      if (exact == Exact::all || (exact == Exact::first && i == 0)) {
        EXPECT_EQ(toString(*need->inputs[i]), toString(*read)) << "input " << i;
      } else {
        EXPECT_TRUE(need->inputs[i]->contains(*read))
            << toString(*need->inputs[i]) << " lacks part of " << toString(*read);
      }
    }
  }
}

std::int64_t pick(Random& random, std::int64_t least, std::int64_t most) {
  return least + static_cast<std::int64_t>(random() % static_cast<std::uint32_t>(most - least + 1));
}

/// A window with every attribute drawn, and an input that it fits.
Window2d randomWindow(Random& random) {
  Window2d w;
  w.kernel = {pick(random, 1, 3), pick(random, 1, 3)};
  w.stride = {pick(random, 1, 3), pick(random, 1, 3)};
  w.dilation = {pick(random, 1, 2), pick(random, 1, 2)};
  w.pads = {pick(random, 0, w.kernel.h - 1), pick(random, 0, w.kernel.w - 1),
            pick(random, 0, w.kernel.h - 1), pick(random, 0, w.kernel.w - 1)};
  return w;
}

constexpr int kRounds = 400;

TEST(NodeNeed, WindowsAreExactForEveryGeometry) {
  const Oracle oracle;
  Random random(7);
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(fmt::format("seed 7, round {}", round));
    const Window2d w = randomWindow(random);
    const std::int64_t groups = pick(random, 1, 2);
    const Shape x{1, 2, pick(random, 5, 8), pick(random, 5, 8)};
    Conv2d conv{w, groups};
    check(oracle, makeCase(conv, {x, {4, 2 / groups, w.kernel.h, w.kernel.w}, {4}}, random()),
          random, Exact::first);
    const bool ceil = pick(random, 0, 1) == 1;
    check(oracle, makeCase(MaxPool2d{w, ceil}, {x}, random()), random, Exact::first);
    check(oracle, makeCase(AveragePool2d{w, ceil, pick(random, 0, 1) == 1}, {x}, random()), random,
          Exact::first);
  }
}

TEST(NodeNeed, PaddingWiderThanTheWindowBringsNeighboursAlong) {
  const Oracle oracle;
  Random random(8);
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(fmt::format("seed 8, round {}", round));
    Conv2d conv;
    conv.window.kernel = {2, 1};
    conv.window.dilation = {pick(random, 1, 3), 1};
    conv.window.pads = {pick(random, 0, 5), pick(random, 0, 3), pick(random, 0, 5), 2};
    check(oracle, makeCase(conv, {{1, 1, 4, 3}, {1, 1, 2, 1}}, random()), random, Exact::none);
  }
}

TEST(NodeNeed, TransposedConvolutions) {
  const Oracle oracle;
  Random random(9);
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(fmt::format("seed 9, round {}", round));
    ConvTranspose2d conv;
    conv.window = randomWindow(random);
    conv.window.pads = {pick(random, 0, conv.window.kernel.h / 2), 0, 0,
                        pick(random, 0, conv.window.kernel.w / 2)};
    conv.output_padding = {pick(random, 0, conv.window.stride.h - 1), 0};
    conv.groups = pick(random, 1, 2);
    check(oracle,
          makeCase(
              conv,
              {{1, 2, 4, 3}, {2, 4 / conv.groups, conv.window.kernel.h, conv.window.kernel.w}, {4}},
              random()),
          random, Exact::none);
  }
}

TEST(NodeNeed, OperatorsThatMoveOrJoinElements) {
  const Oracle oracle;
  Random random(10);
  const Shape x{1, 4, 5, 6};
  Resize twice;
  twice.sizes = {1, 4, 10, 18};
  twice.scales = {1, 1, 2, 3};
  Resize linear = twice;
  linear.mode = ResizeMode::linear;
  Resize floored = twice;
  floored.coordinates = ResizeCoordinates::asymmetric;
  floored.rounding = ResizeRounding::floor;
  const Pad pad{PadMode::constant, {0, 1, 2, 0}, {0, 0, 1, 3}, 0.5};
  const Pad edge{PadMode::edge, {0, 0, 2, 0}, {0, 0, 1, 3}, 0};
  const Pad reflect{PadMode::reflect, {0, 0, 2, 0}, {0, 0, 1, 3}, 0};
  const Pad crop{PadMode::constant, {0, -1, 0, 1}, {0, 0, -2, 0}, 0};
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE(fmt::format("seed 10, round {}", round));
    const auto exact = [&](Op op, std::vector<Shape> shapes) {
      check(oracle, makeCase(std::move(op), std::move(shapes), random()), random, Exact::all);
    };
    const auto within = [&](Op op, std::vector<Shape> shapes) {
      check(oracle, makeCase(std::move(op), std::move(shapes), random()), random, Exact::none);
    };
    exact(Concat{1}, {x, {1, 2, 5, 6}, {1, 1, 5, 6}});
    exact(Concat{2}, {x, {1, 4, 1, 6}});
    exact(Split{1, {1, 3}}, {x});
    exact(Split{3, {2, 2, 2}}, {x});
    exact(Slice{{0, 3, 0, 1}, {1, 4, 5, 2}, {1, -1, 1, 3}}, {x});
    exact(Binary{BinaryKind::add}, {x, x});
    exact(Binary{BinaryKind::mul}, {x, {4, 1, 1}});
    exact(Binary{BinaryKind::sub}, {{6}, x});
    exact(twice, {x});
    exact(floored, {x});
    within(linear, {x});
    exact(pad, {x});
    within(edge, {x});
    within(reflect, {x});
    exact(crop, {x});
    exact(Transpose{{0, 2, 3, 1}}, {x});
    exact(Reshape{{1, 120}}, {x});
    exact(Reshape{{1, 2, 2, 5, 6}}, {x});
    exact(Reshape{{1, 20, 1, 6}}, {x});
    exact(Reshape{{4, 30}}, {x});
    within(Reshape{{1, 6, 20}}, {x});
    exact(Expand{{2, 4, 5, 6}}, {{1, 4, 1, 6}});
    within(Tile{{1, 2, 1, 1}}, {x});
    exact(DepthToSpace{2, BlockOrder::depth_column_row}, {x});
    exact(SpaceToDepth{2}, {{1, 3, 4, 6}});
  }
}

TEST(NodeNeed, OperatorsThatFoldAxes) {
  const Oracle oracle;
  Random random(11);
  const Shape x{1, 4, 3, 5};
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE(fmt::format("seed 11, round {}", round));
    const auto within = [&](Op op, std::vector<Shape> shapes) {
      check(oracle, makeCase(std::move(op), std::move(shapes), random()), random, Exact::none);
    };
    within(GlobalPool{}, {x});
    within(GlobalPool{GlobalPoolKind::max}, {x});
    within(Reduce{ReduceKind::mean, {1}, true}, {x});
    within(Reduce{ReduceKind::max, {2, 3}, false}, {x});
    within(Softmax{3, false}, {x});
    within(LocalResponseNorm{3, 0.1, 0.75, 1}, {x});
    within(Gemm{false, true, 0.5, 1}, {{2, 6}, {5, 6}, {5}});
    within(Gemm{true, false, 1, 2}, {{6, 2}, {6, 5}, {2, 1}});
    within(MatMul{}, {{2, 6}, {6, 3}});
    within(MatMul{}, {{2, 1, 3, 4}, {2, 4, 5}});
    within(PRelu{}, {x, {4, 1, 1}});
    within(Unary{UnaryKind::sigmoid}, {x});
  }
}

TEST(NodeNeed, RefusesBoxesThatAreNoPartOfTheOutput) {
  const OpCase item = makeCase(Unary{UnaryKind::relu}, {{1, 2, 3, 4}}, 1);
  const Region whole = Region::whole(Shape{1, 2, 3, 4});
  EXPECT_FALSE(needFor(item.graph, NodeId(0), 0, whole.with(2, {1, 1})).ok());
  EXPECT_FALSE(needFor(item.graph, NodeId(0), 0, whole.with(3, {2, 5})).ok());
  EXPECT_FALSE(needFor(item.graph, NodeId(0), 0, Region::whole(Shape{1, 2})).ok());
}

}  // namespace
}  // namespace narrows::test
