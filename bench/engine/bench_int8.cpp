// Times the fast engine in 8-bit integers against itself in f32, run by run in turn, and prints the
// ratio of the medians. Ranges come from random inputs: time does not depend on them.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>

#include "narrows/engine/calibration.h"
#include "narrows/formats/model_file.h"
#include "narrows/zoo/zoo.h"

namespace narrows::bench {
namespace {

constexpr int kRounds = 20;

Result<Graph> read(const std::string& name) {
  if (!name.starts_with("zoo:")) return readModel(name);
  NARROWS_TRY(model, buildZooModel(name, 1));
  return std::move(model.graph);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Status compare(const Engine& engine, const std::string& name, std::size_t threads) {
  NARROWS_TRY(graph, read(name));
  std::mt19937_64 random(1);
  std::uniform_real_distribution<float> draw(0, 1);
  std::vector<Tensor> inputs;
  for (ValueId id : graph.inputs()) {
    inputs.emplace_back(graph.type(id));
    for (float& value : inputs.back().mutableAs<float>()) value = draw(random);
  }
  const std::vector<TensorView> views(inputs.begin(), inputs.end());
  EngineOptions options;
  options.threads = threads;
  NARROWS_TRY(floats, engine.compile(graph, options));
  {
    NARROWS_TRY(finder, RangeFinder::create(engine, graph, threads));
    NARROWS_CHECK(finder.observe(views));
    options.int8_ranges = std::make_shared<const ValueRanges>(finder.ranges());
  }
  NARROWS_TRY(integers, engine.compile(graph, options));
  std::vector<double> times[2];
  Program* programs[2] = {floats.get(), integers.get()};
  for (int round = -2; round < kRounds; ++round) {
    for (int which = 0; which < 2; ++which) {
      const auto before = std::chrono::steady_clock::now();
      NARROWS_TRY(outputs, runProgram(*programs[which], views));
      const std::chrono::duration<double, std::milli> time =
          std::chrono::steady_clock::now() - before;
      if (round >= 0 && !outputs.empty()) times[which].push_back(time.count());
    }
  }
  const double f32 = median(times[0]);
  const double i8 = median(times[1]);
  fmt::print(stderr, "{:<26} {} threads: f32 {:8.3f} ms, int8 {:8.3f} ms, ratio {:.3f}\n", name,
             threads, f32, i8, i8 / f32);
  fmt::print(
      "{{\"name\": \"int8_ratio\", \"value\": {:.4f}, \"unit\": \"ratio\", \"origin\": "
      "\"measured\", \"model\": \"{}\", \"threads\": {}}}\n",
      i8 / f32, name, threads);
  return {};
}

Status run(std::span<char* const> models) {
  NARROWS_TRY(engine, makeEngine("onednn"));
  for (const char* model : models) {
    for (const std::size_t threads : {1, 2})
      NARROWS_CHECK(compare(*engine, model, threads).within(model));
  }
  return {};
}

}  // namespace
}  // namespace narrows::bench

int main(int count, char** values) {
  if (count < 2) {
    fmt::print(stderr, "bench_int8 MODEL...\n");
    return 2;
  }
  const auto status = narrows::bench::run(std::span(values + 1, values + count));
  if (!status.ok()) {
    fmt::print(stderr, "bench_int8: {}\n", status.error().message);
    return 1;
  }
  return 0;
}
