// Times the fast engine in 8-bit integers or bf16 against itself in f32, run by run in turn, and
// prints the ratio of the medians. Ranges come from random inputs: time does not depend on them.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>

#include "narrows/base/median.h"
#include "narrows/engine/calibration.h"
#include "narrows/engine/precision.h"
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

Status compare(const Engine& engine, Precision precision, const std::string& name,
               std::size_t threads) {
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
  options.bf16 = precision == Precision::bf16;
  if (precision == Precision::int8) {
    NARROWS_TRY(finder, RangeFinder::create(engine, graph, threads));
    NARROWS_CHECK(finder.observe(views));
    options.int8_ranges = std::make_shared<const ValueRanges>(finder.ranges());
  }
  NARROWS_TRY(narrower, engine.compile(graph, options));
  std::vector<double> times[2];
  Program* programs[2] = {floats.get(), narrower.get()};
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
  const double other = median(times[1]);
  fmt::print(stderr, "{:<26} {} threads: f32 {:8.3f} ms, {} {:8.3f} ms, ratio {:.3f}\n", name,
             threads, f32, toString(precision), other, other / f32);
  fmt::print(
      "{{\"name\": \"{}_ratio\", \"value\": {:.4f}, \"unit\": \"ratio\", \"origin\": "
      "\"measured\", \"model\": \"{}\", \"threads\": {}}}\n",
      toString(precision), other / f32, name, threads);
  return {};
}

Status run(Precision precision, std::span<char* const> models) {
  NARROWS_TRY(engine, makeEngine("onednn"));
  for (const char* model : models) {
    for (const std::size_t threads : {1, 2})
      NARROWS_CHECK(compare(*engine, precision, model, threads).within(model));
  }
  return {};
}

}  // namespace
}  // namespace narrows::bench

int main(int count, char** values) {
  const auto precision = narrows::parsePrecision(count < 2 ? "" : values[1]);
  if (count < 3 || !precision || *precision == narrows::Precision::f32) {
    fmt::print(stderr, "bench_precision int8|bf16 MODEL...\n");
    return 2;
  }
  const auto status = narrows::bench::run(*precision, std::span(values + 2, values + count));
  if (!status.ok()) {
    fmt::print(stderr, "bench_precision: {}\n", status.error().message);
    return 1;
  }
  return 0;
}
