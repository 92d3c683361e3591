#include "narrows/graph/liveness.h"

#include <gtest/gtest.h>

#include <random>

#include "narrows/graph/random_graph.h"

namespace narrows {
namespace {

void expectNoOverlap(std::span<const BufferLifetime> buffers, const ArenaPlan& plan,
                     std::size_t alignment) {
  ASSERT_EQ(plan.offsets.size(), buffers.size());
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    EXPECT_EQ(plan.offsets[i] % alignment, 0u);
    EXPECT_LE(plan.offsets[i] + buffers[i].bytes, plan.total);
    for (std::size_t j = 0; j < i; ++j) {
      const bool apart_in_time =
          buffers[i].last < buffers[j].first || buffers[j].last < buffers[i].first;
      const bool apart_in_space = plan.offsets[i] + buffers[i].bytes <= plan.offsets[j] ||
                                  plan.offsets[j] + buffers[j].bytes <= plan.offsets[i];
      EXPECT_TRUE(apart_in_time || apart_in_space) << i << " and " << j;
    }
  }
}

/// Smallest arena over all orders of first-fit placement; an optimal plan is one of them.
std::size_t bestByAllOrders(std::span<const BufferLifetime> buffers, std::size_t alignment) {
  std::vector<std::size_t> order(buffers.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::size_t best = std::numeric_limits<std::size_t>::max();
  do {
    std::vector<std::size_t> offsets(buffers.size());
    std::size_t total = 0;
    for (std::size_t k = 0; k < order.size(); ++k) {
      const BufferLifetime& buffer = buffers[order[k]];
      const std::size_t bytes = (buffer.bytes + alignment - 1) / alignment * alignment;
      std::size_t offset = 0;
      for (bool moved = true; moved;) {
        moved = false;
        for (std::size_t m = 0; m < k; ++m) {
          const BufferLifetime& other = buffers[order[m]];
          const std::size_t other_bytes = (other.bytes + alignment - 1) / alignment * alignment;
          if (other.last < buffer.first || buffer.last < other.first) continue;
          const std::size_t start = offsets[order[m]];
          if (offset < start + other_bytes && start < offset + bytes) {
            offset = start + other_bytes;
            moved = true;
          }
        }
      }
      offsets[order[k]] = offset;
      total = std::max(total, offset + bytes);
    }
    best = std::min(best, total);
  } while (std::next_permutation(order.begin(), order.end()));
  return best;
}

TEST(PlanArena, ReusesWhatIsFree) {
  const BufferLifetime buffers[] = {{0, 1, 100}, {1, 2, 64}, {2, 3, 100}};
  const ArenaPlan plan = planArena(buffers);
  expectNoOverlap(buffers, plan, 64);
  EXPECT_EQ(plan.total, 128u + 64u);
  EXPECT_EQ(plan.offsets[0], plan.offsets[2]);
}

TEST(PlanArena, HoldsEmptyBuffersAndNone) {
  EXPECT_EQ(planArena({}).total, 0u);
  const BufferLifetime empty[] = {{0, 5, 0}, {0, 5, 1}};
  EXPECT_EQ(planArena(empty).total, 64u);
}

TEST(PlanArena, NeverOverlapsAndStaysNearTheBestOfAllOrders) {
  std::mt19937 random(7);
  double worst = 1;
  for (int round = 0; round < 200; ++round) {
    SCOPED_TRACE(fmt::format("seed 7, round {}", round));
    std::vector<BufferLifetime> buffers(1 + random() % 7);
    for (BufferLifetime& buffer : buffers) {
      buffer.first = random() % 8;
      buffer.last = buffer.first + random() % 4;
      buffer.bytes = random() % 1000;
    }
    const ArenaPlan plan = planArena(buffers);
    expectNoOverlap(buffers, plan, 64);
    const std::size_t bound = arenaLowerBound(buffers);
    const std::size_t best = bestByAllOrders(buffers, 64);
    EXPECT_LE(bound, best);
    EXPECT_GE(plan.total, best);
    if (best > 0) {
      worst = std::max(worst, static_cast<double>(plan.total) / static_cast<double>(best));
    }
  }
  EXPECT_LE(worst, 1.5);
}

TEST(PlanArena, NeverOverlapsWithManyBuffers) {
  std::mt19937 random(11);
  std::vector<BufferLifetime> buffers(400);
  for (BufferLifetime& buffer : buffers) {
    buffer.first = random() % 300;
    buffer.last = buffer.first + random() % 20;
    buffer.bytes = random() % 100'000;
  }
  const ArenaPlan plan = planArena(buffers, 16);
  expectNoOverlap(buffers, plan, 16);
  EXPECT_LE(static_cast<double>(plan.total),
            1.3 * static_cast<double>(arenaLowerBound(buffers, 16)));
}

TEST(PeakMemory, CountsOperandsAndResultsOfTheHeaviestNode) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 1, 4, 4}});  // 64 bytes
  const ValueId w = graph.addConstant("w", Tensor(DType::f32, Shape{8, 1, 1, 1}));
  auto wide = graph.add(Conv2d{}, {x, w});  // 512 bytes
  ASSERT_TRUE(wide.ok());
  auto flat = graph.add(Reshape{{1, 128}}, {*wide});
  ASSERT_TRUE(flat.ok());
  auto act = graph.add(Unary{UnaryKind::relu}, {*flat});
  ASSERT_TRUE(act.ok());
  auto sum = graph.add(Reduce{ReduceKind::sum, {1}, true}, {*act});  // 4 bytes
  ASSERT_TRUE(sum.ok());
  ASSERT_TRUE(graph.setOutputs({*sum}).ok());
  const MemoryNeed need = peakMemory(graph);
  EXPECT_EQ(need.activations, 1024u);  // both sides of the relu; the reshape is in place
  EXPECT_EQ(need.weights, 32u);
  EXPECT_EQ(storageOf(graph, *flat), *wide);
  EXPECT_EQ(storageOf(graph, *act), *act);
}

TEST(PeakMemory, AnOutputStaysUntilTheEnd) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{100}});
  auto a = graph.add(Unary{UnaryKind::relu}, {x});
  auto b = graph.add(Unary{UnaryKind::exp}, {x});
  auto c = graph.add(Unary{UnaryKind::exp}, {*b});
  ASSERT_TRUE(graph.setOutputs({*a, *c}).ok());
  EXPECT_EQ(peakMemory(graph).activations, 1200u);
  ASSERT_TRUE(graph.setOutputs({*c}).ok());
  EXPECT_EQ(peakMemory(graph).activations, 800u);  // the dead result is made and dropped
}

TEST(PeakMemory, BoundsTheNeedOfBothSidesOfARandomGraph) {
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Graph graph = randomGraph(seed);
    const MemoryNeed need = peakMemory(graph);
    std::size_t largest = 0;
    std::size_t all = 0;
    for (const Value& value : graph.values()) {
      if (value.isConstant()) continue;
      largest = std::max(largest, value.type.bytes());
      all += value.type.bytes();
    }
    EXPECT_GE(need.activations, largest);
    EXPECT_LE(need.activations, all);
  }
}

}  // namespace
}  // namespace narrows
