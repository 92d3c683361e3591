#include "narrows/engine/executor/weight_store.h"

#include <gtest/gtest.h>

#include <numeric>

#include "narrows/engine/calibration.h"
#include "narrows/engine/executor/random_graph.h"
#include "narrows/engine/executor/test_runs.h"
#include "narrows/engine/precision.h"

namespace narrows::executor {
namespace {

struct Number final : WeightStore::Item {
  explicit Number(int given) : value(given) {}
  int value;
};

TEST(WeightStore, FindsWhatIsHeldByBytesAndForm) {
  WeightStore store;
  constexpr std::string_view kText = "the same bytes, at another place";
  const std::string same(kText);
  const std::string again(kText);
  int made = 0;
  const auto find = [&](std::string_view text, std::string form) {
    const ByteSpan bytes = asBytes(text);
    return store.find<Number>(std::span(&bytes, 1), std::move(form),
                              [&] { return std::make_shared<const Number>(++made); });
  };
  auto first = find(same, "a");
  EXPECT_FALSE(first.shared);
  auto second = find(again, "a");
  EXPECT_TRUE(second.shared);
  EXPECT_EQ(first.item, second.item);
  EXPECT_FALSE(find(same, "b").shared);
  EXPECT_FALSE(find(same.substr(1), "a").shared);
  EXPECT_EQ(store.size(), 1u);
  first.item.reset();
  EXPECT_EQ(store.size(), 1u);
  second.item.reset();
  EXPECT_EQ(store.size(), 0u);
  EXPECT_FALSE(find(same, "a").shared);
}

/// Every bit counts, and so does where one constant ends and the next begins.
TEST(WeightStore, TellsBytesApart) {
  WeightStore store;
  std::vector<std::shared_ptr<const Number>> held;
  const auto isNew = [&](std::span<const ByteSpan> constants) {
    auto found =
        store.find<Number>(constants, "", [] { return std::make_shared<const Number>(0); });
    held.push_back(found.item);
    return !found.shared;
  };
  std::vector<std::byte> bytes(37);
  const ByteSpan whole(bytes);
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    const ByteSpan part = whole.first(length);
    EXPECT_TRUE(isNew(std::span(&part, 1))) << length << " zeros";
  }
  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    const std::array parts{whole.first(split), whole.subspan(split)};
    EXPECT_TRUE(isNew(parts)) << "split at " << split;
  }
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] = std::byte{1} << bit % 8;
    EXPECT_TRUE(isNew(std::span(&whole, 1))) << "bit " << bit;
    bytes[bit / 8] = {};
  }
}

class SharedWeights : public testing::TestWithParam<std::string_view> {};

std::size_t own(const ProgramMemory& memory) {
  return memory.weights - memory.shared_weights;
}

TEST_P(SharedWeights, ASecondProgramTakesNoneOfItsOwn) {
  const auto engine = *makeEngine(GetParam());
  const bool shares = GetParam() == "onednn";
  for (const Precision precision : {Precision::f32, Precision::bf16, Precision::int8}) {
    SCOPED_TRACE(toString(precision));
    const Graph graph = wholeNumbers(19);
    const Graph equal = wholeNumbers(19);  // constants of its own, with the same numbers
    const Graph other = wholeNumbers(16);
    std::vector<Tensor> inputs;
    inputs.emplace_back(TensorType{DType::f32, Shape{1, 19, 7, 9}});
    std::iota(inputs[0].mutableAs<float>().begin(), inputs[0].mutableAs<float>().end(), 0.0F);
    EngineOptions options;
    options.bf16 = precision == Precision::bf16;
    if (precision == Precision::int8) {
      options.int8_ranges = std::make_shared<const ValueRanges>(
          ValueRanges{{"ones", {0, 255}}, {"positive", {0, 255}}});
    }
    auto first = engine->compile(graph, options);
    if (!first.ok() && options.bf16) continue;
    ASSERT_TRUE(first.ok()) << first.error().message;
    EXPECT_EQ((*first)->memory().shared_weights, 0u);
    auto second = engine->compile(equal, options);
    auto third = engine->compile(other, options);
    ASSERT_TRUE(second.ok() && third.ok());
    EXPECT_EQ((*second)->memory().weights, (*first)->memory().weights);
    if (shares) {
      // Biases and scales of each result are each program's own.
      EXPECT_LT(own((*second)->memory()), 1024u);
      EXPECT_GT(own((*third)->memory()), own((*first)->memory()) / 2);
    }
    const std::vector<TensorView> views(inputs.begin(), inputs.end());
    const auto expected = runProgram(**first, views);
    // What the second one shares stays when the first one goes.
    first->reset();
    const auto actual = runProgram(**second, views);
    ASSERT_TRUE(expected.ok() && actual.ok());
    EXPECT_TRUE(sameBits((*expected)[0], (*actual)[0]));
    second->reset();
    third->reset();
    const auto fresh = engine->compile(graph, options);
    ASSERT_TRUE(fresh.ok());
    EXPECT_EQ((*fresh)->memory().shared_weights, 0u);
  }
}

TEST_P(SharedWeights, GiveTheSameBitsOnRandomGraphs) {
  const auto sharing = *makeEngine(GetParam());
  for (std::uint64_t seed = 8000; seed < 8030; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomGraph random(seed);
    const Graph graph = random.draw(12);
    const std::vector<Tensor> inputs = random.inputs(graph);
    const auto alone = results(**makeEngine(GetParam()), graph, {}, inputs);
    const auto first = sharing->compile(graph, {});
    ASSERT_TRUE(first.ok());
    ProgramMemory memory;
    const auto shared = results(*sharing, graph, {}, inputs, &memory);
    EXPECT_LE(own(memory), own((*first)->memory()));
    ASSERT_EQ(alone.size(), shared.size());
    for (std::size_t i = 0; i < alone.size(); ++i) EXPECT_TRUE(sameBits(alone[i], shared[i]));
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, SharedWeights, testing::ValuesIn(backends()));

}  // namespace
}  // namespace narrows::executor
