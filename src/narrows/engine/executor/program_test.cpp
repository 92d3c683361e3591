#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <new>
#include <thread>

#include "narrows/engine/executor/executor.h"
#include "narrows/engine/executor/random_graph.h"

namespace {

// NOLINTNEXTLINE(*-non-const-global-variables): operator new takes no more arguments.
std::atomic<std::size_t> allocations{0};

void* counted(std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(bytes == 0 ? 1 : bytes);
}

}  // namespace

void* operator new(std::size_t bytes) {
  return counted(bytes);
}
void* operator new[](std::size_t bytes) {
  return counted(bytes);
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return counted(bytes);
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  return counted(bytes);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

void operator delete(void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}

namespace narrows::executor {
namespace {

/// A backend without kernels: everything falls to the executor's own.
class NoBackend final : public Backend {
 public:
  std::string_view name() const override { return "none"; }
  bool takes(const ConvProblem&) const override { return false; }
  bool prefers(const ConvProblem&) const override { return false; }
  Result<std::unique_ptr<ConvKernel>> makeConv(const ConvProblem&) const override {
    return makeError("no kernel");
  }
};

std::unique_ptr<Program> compiled(const Engine& engine, const Graph& graph,
                                  std::size_t threads = 1) {
  auto program = engine.compile(graph, {threads});
  EXPECT_TRUE(program.ok()) << (program.ok() ? "" : program.error().message);
  return program.ok() ? std::move(*program) : nullptr;
}

std::unique_ptr<Engine> ownKernels(const KernelTable& table) {
  return makeExecutor(std::make_unique<NoBackend>(), table);
}

std::vector<Tensor> results(Program& program, const std::vector<Tensor>& inputs) {
  auto outputs = runProgram(program, std::vector<TensorView>(inputs.begin(), inputs.end()));
  EXPECT_TRUE(outputs.ok());
  return outputs.ok() ? std::move(*outputs) : std::vector<Tensor>();
}

double difference(TensorView expected, TensorView actual) {
  double range = 1;
  double worst = 0;
  const auto a = expected.as<float>();
  const auto b = actual.as<float>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    range = std::max(range, std::abs(static_cast<double>(a[i])));
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return worst / range;
}

bool sameBits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  bool same = a.size() == b.size();
  for (std::size_t i = 0; same && i < a.size(); ++i) {
    const auto p = a[i].view().bytes();
    const auto q = b[i].view().bytes();
    same = std::equal(p.begin(), p.end(), q.begin(), q.end());
  }
  return same;
}

TEST(Kernels, OfEveryInstructionSetMatchTheReference) {
  const auto reference = *makeEngine("reference");
  for (const KernelTable* table : kernelTables()) {
    const auto engine = ownKernels(*table);
    for (std::uint64_t seed = 1000; seed < 1080; ++seed) {
      RandomGraph random(seed);
      const Graph graph = random.draw(10);
      const std::vector<Tensor> inputs = random.inputs(graph);
      const auto expected = results(*compiled(*reference, graph), inputs);
      const auto actual = results(*compiled(*engine, graph, 1 + seed % 2), inputs);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_LE(difference(expected[i], actual[i]), 2e-5)
            << table->name << ", seed " << seed << ", output " << i;
      }
    }
  }
}

TEST(Kernels, GiveTheSameBitsWithVectorsOfAnyLengthAndOnAnyThreadCount) {
  std::vector<std::unique_ptr<Engine>> engines;
  for (const KernelTable* table : kernelTables()) {
    if (table->name != "generic") engines.push_back(ownKernels(*table));
  }
  if (engines.empty()) GTEST_SKIP() << "this CPU has no vector kernels";
  for (std::uint64_t seed = 2000; seed < 2060; ++seed) {
    RandomGraph random(seed);
    const Graph graph = random.draw(8);
    const std::vector<Tensor> inputs = random.inputs(graph);
    const auto first = results(*compiled(*engines[0], graph), inputs);
    for (const auto& engine : engines) {
      ASSERT_TRUE(sameBits(first, results(*compiled(*engine, graph, 2), inputs)))
          << "seed " << seed;
    }
  }
}

/// conv 3x3 (4 -> 20 channels, 6x5) with ReLU, then the mean of each channel.
Graph smallGraph() {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 4, 6, 5}});
  Tensor weight(DType::f32, Shape{20, 4, 3, 3});
  float next = -0.5F;
  for (float& w : weight.mutableAs<float>()) w = next = next > 0.4F ? -0.5F : next + 0.013F;
  Conv2d conv;
  conv.window.kernel = {3, 3};
  conv.window.pads = {1, 1, 1, 1};
  const auto y = graph.add(conv, {x, graph.addConstant("w", std::move(weight))});
  const auto z = graph.add(Unary{UnaryKind::relu}, {*y});
  const auto mean = graph.add(GlobalPool{GlobalPoolKind::average}, {*z});
  EXPECT_TRUE(graph.setOutputs({*mean}).ok());
  return graph;
}

TEST(Program, CountsItsMemory) {
  const auto program = compiled(*ownKernels(genericTable()), smallGraph());
  const ProgramMemory memory = program->memory();
  // 5 vectors of 4 channels, each with 4 * 9 weights and a bias.
  EXPECT_EQ(memory.weights, 5 * 4 * (4 * 9 + 1) * sizeof(float));
  // The padded copy of the planes: 4 x 8 x 7.
  EXPECT_EQ(memory.scratch, 4 * 8 * 7 * sizeof(float));
  // The map 20 x 6 x 5 in steps of 64 bytes; the input and the output are the caller's.
  EXPECT_EQ(memory.arena, (20 * 6 * 5 * sizeof(float) + 63) / 64 * 64);
}

TEST(Program, AllocatesNothingInARun) {
  const auto engine = ownKernels(*kernelTables()[0]);
  for (std::uint64_t seed = 3000; seed < 3020; ++seed) {
    RandomGraph random(seed);
    const Graph graph = random.draw(15);
    const std::vector<Tensor> inputs = random.inputs(graph);
    const auto program = compiled(*engine, graph, 1 + seed % 2);
    std::vector<Tensor> outputs = results(*program, inputs);
    const std::vector<TensorView> in(inputs.begin(), inputs.end());
    std::vector<MutableTensorView> out;
    out.reserve(outputs.size());
    for (Tensor& output : outputs) out.push_back(output.mutableView());
    const std::size_t before = allocations.load();
    const Status status = program->run(in, out);
    const std::size_t after = allocations.load();
    EXPECT_TRUE(status.ok());
    EXPECT_EQ(after, before) << "seed " << seed;
  }
}

class EveryBackend : public testing::TestWithParam<std::string_view> {};

TEST_P(EveryBackend, TakesTensorsAtAnyAddressOfAFloat) {
  const auto engine = *makeEngine(GetParam());
  for (std::uint64_t seed = 4000; seed < 4020; ++seed) {
    RandomGraph random(seed);
    const Graph graph = random.draw(8);
    const std::vector<Tensor> inputs = random.inputs(graph);
    const auto program = compiled(*engine, graph);
    const auto expected = results(*program, inputs);
    std::vector<std::vector<float>> storage;
    std::vector<TensorView> in;
    std::vector<MutableTensorView> out;
    for (const Tensor& input : inputs) {
      const auto values = input.as<float>();
      storage.emplace_back(values.size() + 1);
      std::copy(values.begin(), values.end(), storage.back().begin() + 1);
      in.emplace_back(input.type(),
                      std::as_bytes(std::span(storage.back())).data() + sizeof(float));
    }
    for (const Tensor& output : expected) {
      storage.emplace_back(static_cast<std::size_t>(output.type().elements()) + 1, NAN);
      out.emplace_back(output.type(),
                       std::as_writable_bytes(std::span(storage.back())).data() + sizeof(float));
    }
    ASSERT_TRUE(program->run(in, out).ok());
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_EQ(difference(expected[i], out[i]), 0) << "seed " << seed;
  }
}

TEST_P(EveryBackend, RunsBesideOthersOfItsEngine) {
  const auto engine = *makeEngine(GetParam());
  constexpr std::size_t kPrograms = 3;
  constexpr int kRuns = 30;
  struct Task {
    std::unique_ptr<Program> program;
    std::vector<Tensor> inputs;
    std::vector<Tensor> expected;
    int wrong = 0;
  };
  std::vector<Task> tasks(kPrograms);
  for (std::size_t i = 0; i < kPrograms; ++i) {
    RandomGraph random(5000 + i);
    const Graph graph = random.draw(15);
    tasks[i].inputs = random.inputs(graph);
    tasks[i].program = compiled(*engine, graph, 1 + i % 2);
    tasks[i].expected = results(*tasks[i].program, tasks[i].inputs);
  }
  std::vector<std::thread> threads;
  threads.reserve(std::size(tasks));
  for (Task& task : tasks) {
    threads.emplace_back([&task] {
      for (int run = 0; run < kRuns; ++run)
        task.wrong += sameBits(task.expected, results(*task.program, task.inputs)) ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Task& task : tasks) EXPECT_EQ(task.wrong, 0);
}

TEST(Program, RefusesTensorsOfOtherTypes) {
  const auto program = compiled(*ownKernels(genericTable()), smallGraph());
  const Tensor wrong(DType::f32, Shape{1, 4, 6, 6});
  Tensor output(DType::f32, Shape{1, 20, 1, 1});
  const std::array<TensorView, 1> in{wrong.view()};
  const std::array<MutableTensorView, 1> out{output.mutableView()};
  const Status status = program->run(in, out);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("1x4x6x5"), std::string::npos) << status.error().message;
}

std::vector<std::string_view> backends() {
  std::vector<std::string_view> names = engineNames();
  std::erase(names, "reference");
  return names;
}

INSTANTIATE_TEST_SUITE_P(Program, EveryBackend, testing::ValuesIn(backends()));

}  // namespace
}  // namespace narrows::executor
