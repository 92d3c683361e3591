// Times the fast engine against ONNX Runtime on the same models, inputs and thread counts, run by
// run in turn, and prints the ratio of the medians.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <numeric>
#include <random>
#include <thread>

#include "bench/engine/onnx_runtime.h"
#include "narrows/base/file.h"
#include "narrows/base/median.h"
#include "narrows/engine/calibration.h"
#include "narrows/engine/engine.h"
#include "narrows/formats/model_file.h"
#include "narrows/formats/onnx_writer.h"
#include "narrows/graph/passes.h"
#include "narrows/zoo/zoo.h"

namespace narrows::bench {
namespace {

constexpr std::string_view kUsage =
    "bench_engine [--threads N[,N]] [--rounds R] [--seed S] [--ort LIBRARY] MODEL...\n"
    "  MODEL      .onnx, .cfg with its .weights beside it, or zoo:NAME[@SIZE][,...]\n"
    "  --threads  thread counts to measure, default 1,2\n"
    "  --rounds   runs of each engine that count, default 30\n"
    "  --seed     of the inputs and of the order of runs, default 1\n"
    "  --ort      libonnxruntime.so.1; default $NARROWS_ORT_LIBRARY\n"
    "  --profile  no ONNX Runtime: only ours, and the least time of each of its parts\n"
    "  --int8     with --profile: in 8-bit integers, ranges from the inputs\n"
    "  --bf16     with --profile: in bf16\n";

struct Options {
  std::vector<std::size_t> threads{1, 2};
  std::size_t rounds = 30;
  std::uint64_t seed = 1;
  std::string library;
  bool profile = false;
  bool int8 = false;
  bool bf16 = false;
  std::vector<std::string> models;
};

Result<std::size_t> parseNumber(std::string_view text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    return makeError("\"{}\" is not a number", text);
  return number;
}

Result<Options> parseOptions(std::span<const std::string_view> arguments) {
  Options options;
  if (const char* library = std::getenv("NARROWS_ORT_LIBRARY")) options.library = library;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view name = arguments[i];
    if (!name.starts_with("--")) {
      options.models.emplace_back(name);
      continue;
    }
    if (name == "--profile") {
      options.profile = true;
      continue;
    }
    if (name == "--int8" || name == "--bf16") {
      (name == "--int8" ? options.int8 : options.bf16) = true;
      continue;
    }
    if (++i == arguments.size()) return makeError("{} needs a value", name);
    std::string_view value = arguments[i];
    if (name == "--ort") {
      options.library = value;
    } else if (name == "--rounds") {
      NARROWS_TRY(rounds, parseNumber(value));
      options.rounds = rounds;
    } else if (name == "--seed") {
      NARROWS_TRY(seed, parseNumber(value));
      options.seed = seed;
    } else if (name == "--threads") {
      options.threads.clear();
      while (!value.empty()) {
        const std::size_t comma = std::min(value.find(','), value.size());
        NARROWS_TRY(threads, parseNumber(value.substr(0, comma)));
        options.threads.push_back(threads);
        value.remove_prefix(std::min(comma + 1, value.size()));
      }
    } else {
      return makeError("unknown option {}", name);
    }
  }
  if (options.models.empty()) return makeError("no model given");
  if ((options.int8 || options.bf16) && !options.profile)
    return makeError("--int8 and --bf16 go with --profile");
  if (options.rounds == 0) return makeError("--rounds must be 1 or more");
  return options;
}

/// One model at one thread count, in both engines.
struct Contest {
  std::string name;
  std::size_t threads = 1;
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  std::unique_ptr<Program> ours;
  std::unique_ptr<OnnxRuntime::Session> theirs;
  std::vector<double> our_ms;
  std::vector<double> their_ms;
  std::vector<double> our_cpu_ms;
  std::vector<double> their_cpu_ms;
  double difference = 0;
};

/// Of runs that others disturb, the fastest is the least disturbed.
double least(const std::vector<double>& values) {
  return *std::min_element(values.begin(), values.end());
}

double cpuMilliseconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

Status runOurs(Contest& contest) {
  const std::vector<TensorView> inputs(contest.inputs.begin(), contest.inputs.end());
  std::vector<MutableTensorView> outputs;
  for (Tensor& output : contest.outputs) outputs.push_back(output.mutableView());
  return contest.ours->run(inputs, outputs);
}

/// Returns when no thread of the process computes any more. Workers of the runtime that ran before
/// watch for more work, up to 2^20 pauses in ONNX Runtime's pool, and hold cores meanwhile.
void awaitSilence() {
  constexpr std::chrono::milliseconds kNap{5};
  constexpr double kSilent = 0.5;  // milliseconds of processor time in one nap
  constexpr int kNaps = 200;
  for (int i = 0; i < kNaps; ++i) {
    const double before = cpuMilliseconds();
    std::this_thread::sleep_for(kNap);
    if (cpuMilliseconds() - before < kSilent) return;
  }
}

/// One run, timed, after one that does not count: it wakes the engine's own threads and warms the
/// caches.
template <class Run>
Status timed(const Run& run, std::vector<double>& wall, std::vector<double>& cpu) {
  awaitSilence();
  NARROWS_CHECK(run());
  const double cpu_before = cpuMilliseconds();
  const auto before = std::chrono::steady_clock::now();
  NARROWS_CHECK(run());
  const auto after = std::chrono::steady_clock::now();
  wall.push_back(std::chrono::duration<double, std::milli>(after - before).count());
  cpu.push_back(cpuMilliseconds() - cpu_before);
  return {};
}

/// A network of the zoo with its normalisation folded, as a deployed one has it; the same graph
/// goes to both runtimes.
Result<Graph> readContestant(const std::string& path, std::uint64_t seed) {
  if (!path.starts_with("zoo:")) return readModel(path);
  NARROWS_TRY(model, buildZooModel(path, seed));
  return simplify(model.graph);
}

Result<Contest> prepare(const Engine& engine, OnnxRuntime* runtime, const std::string& path,
                        std::size_t threads, const Options& options) {
  const std::uint64_t seed = options.seed;
  NARROWS_TRY(graph, readContestant(path, seed));
  const bool file = !path.starts_with("zoo:");
  Contest contest;
  contest.name = file ? std::filesystem::path(path).stem().string() : path;
  contest.threads = threads;
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> draw(0, 1);
  std::vector<std::string> input_names;
  for (ValueId id : graph.inputs()) {
    Tensor input(graph.type(id));
    for (float& value : input.mutableAs<float>()) value = draw(random);
    contest.inputs.push_back(std::move(input));
    input_names.push_back(graph.value(id).name);
  }
  std::vector<std::string> output_names;
  for (ValueId id : graph.outputs()) {
    contest.outputs.emplace_back(graph.type(id));
    output_names.push_back(graph.value(id).name);
  }
  EngineOptions engine_options;
  engine_options.threads = threads;
  engine_options.bf16 = options.bf16;
  const std::vector<TensorView> views(contest.inputs.begin(), contest.inputs.end());
  if (options.int8) {
    NARROWS_TRY(finder, RangeFinder::create(engine, graph, threads));
    NARROWS_CHECK(finder.observe(views));
    engine_options.int8_ranges = std::make_shared<const ValueRanges>(finder.ranges());
  }
  NARROWS_TRY(program, engine.compile(graph, engine_options));
  contest.ours = std::move(program);
  if (runtime == nullptr) return contest;
  const bool onnx = path.ends_with(".onnx");
  NARROWS_TRY(bytes, onnx ? readFile(path) : serializeOnnx(graph));
  NARROWS_TRY(session, runtime->open(bytes, threads, input_names, views, output_names));
  contest.theirs = std::move(session);
  return contest;
}

/// Runs both a few times and compares their outputs.
Status warmUp(Contest& contest) {
  constexpr int kRuns = 3;
  for (int i = 0; i < kRuns; ++i) {
    NARROWS_CHECK(contest.theirs->run());
    NARROWS_CHECK(runOurs(contest));
  }
  for (std::size_t i = 0; i < contest.outputs.size(); ++i) {
    NARROWS_TRY(theirs, contest.theirs->output(i));
    const auto ours = contest.outputs[i].as<float>();
    if (theirs.size() != ours.size()) return makeError("output {} has another size", i);
    double range = 0;
    double worst = 0;
    for (std::size_t k = 0; k < ours.size(); ++k) {
      range = std::max(range, std::abs(static_cast<double>(theirs[k])));
      worst = std::max(worst, std::abs(static_cast<double>(theirs[k]) - ours[k]));
    }
    contest.difference = std::max(contest.difference, range > 0 ? worst / range : worst);
  }
  return {};
}

Status measure(std::vector<Contest>& contests, const Options& options) {
  for (Contest& contest : contests) NARROWS_CHECK(warmUp(contest).within(contest.name));
  std::mt19937_64 random(options.seed);
  std::vector<std::size_t> order(contests.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t round = 0; round < options.rounds; ++round) {
    std::shuffle(order.begin(), order.end(), random);
    for (std::size_t index : order) {
      Contest& contest = contests[index];
      const auto ours = [&] { return runOurs(contest); };
      const auto theirs = [&] { return contest.theirs->run(); };
      const bool ours_first = random() % 2 == 0;
      for (int turn = 0; turn < 2; ++turn) {
        if ((turn == 0) == ours_first) {
          NARROWS_CHECK(timed(ours, contest.our_ms, contest.our_cpu_ms));
        } else {
          NARROWS_CHECK(timed(theirs, contest.their_ms, contest.their_cpu_ms));
        }
      }
    }
  }
  return {};
}

void report(const std::vector<Contest>& contests, const std::string& version, std::size_t rounds) {
  fmt::print(stderr, "ONNX Runtime {}, medians of up to {} runs\n", version, rounds);
  fmt::print(stderr, "{:<34} {:>7} {:>9} {:>9} {:>6} {:>13} {:>10} {:>11}\n", "model", "threads",
             "ours ms", "ort ms", "ratio", "fastest ratio", "cpu ratio", "difference");
  double log_sum = 0;
  double greatest = 0;
  for (const Contest& c : contests) {
    const double ours = median(c.our_ms);
    const double theirs = median(c.their_ms);
    const double ratio = ours / theirs;
    const double cpu_ratio = median(c.our_cpu_ms) / median(c.their_cpu_ms);
    log_sum += std::log(ratio);
    greatest = std::max(greatest, ratio);
    fmt::print(stderr, "{:<34} {:>7} {:>9.3f} {:>9.3f} {:>6.2f} {:>13.2f} {:>10.2f} {:>11.2g}\n",
               c.name, c.threads, ours, theirs, ratio, least(c.our_ms) / least(c.their_ms),
               cpu_ratio, c.difference);
    fmt::print(
        "{{\"name\": \"engine_ratio\", \"value\": {:.4f}, \"unit\": \"ratio\", \"origin\": "
        "\"measured\", \"model\": \"{}\", \"threads\": {}, \"ours_ms\": {:.4f}, \"ort_ms\": "
        "{:.4f}}}\n",
        ratio, c.name, c.threads, ours, theirs);
  }
  const double mean = std::exp(log_sum / static_cast<double>(contests.size()));
  fmt::print(stderr, "geometric mean {:.3f}, greatest {:.3f}\n", mean, greatest);
  constexpr const char* kFigure =
      "{{\"name\": \"{}\", \"value\": {:.4f}, \"unit\": \"ratio\", \"origin\": \"measured\"}}\n";
  fmt::print(kFigure, "engine_ratio_geomean", mean);
  fmt::print(kFigure, "engine_ratio_max", greatest);
}

Status profile(std::vector<Contest>& contests, std::size_t rounds) {
  for (Contest& contest : contests) {
    Program& program = *contest.ours;
    const std::vector<TensorView> inputs(contest.inputs.begin(), contest.inputs.end());
    std::vector<MutableTensorView> outputs;
    for (Tensor& output : contest.outputs) outputs.push_back(output.mutableView());
    std::vector<double> least_ms(program.parts().size(), std::numeric_limits<double>::infinity());
    for (std::size_t round = 0; round < rounds; ++round) {
      std::vector<Seconds> times(program.parts().size());
      NARROWS_CHECK(program.runTimed(inputs, outputs, times));
      for (std::size_t i = 0; i < times.size(); ++i)
        least_ms[i] = std::min(least_ms[i], toMilliseconds(times[i]));
    }
    for (std::size_t i = 0; i < least_ms.size(); ++i)
      fmt::print("{:9.3f} ms  {}\n", least_ms[i], fmt::join(program.parts()[i].nodes, " "));
    fmt::print("{:9.3f} ms  {} with {} threads\n",
               std::accumulate(least_ms.begin(), least_ms.end(), 0.0), contest.name,
               contest.threads);
  }
  return {};
}

Status run(const Options& options) {
  NARROWS_TRY(engine, makeEngine("onednn"));
  std::unique_ptr<OnnxRuntime> runtime;
  if (!options.profile) {
    NARROWS_TRY(loaded, OnnxRuntime::load(options.library));
    runtime = std::move(loaded);
  }
  std::vector<Contest> contests;
  for (std::size_t threads : options.threads) {
    for (const std::string& model : options.models) {
      NARROWS_TRY(contest, prepare(*engine, runtime.get(), model, threads, options).within(model));
      contests.push_back(std::move(contest));
    }
  }
  if (options.profile) return profile(contests, options.rounds);
  NARROWS_CHECK(measure(contests, options));
  report(contests, runtime->version(), options.rounds);
  return {};
}

}  // namespace
}  // namespace narrows::bench

int main(int count, char** values) {
  const std::vector<std::string_view> arguments(values + 1, values + count);
  auto options = narrows::bench::parseOptions(arguments);
  if (!options.ok()) {
    fmt::print(stderr, "bench_engine: {}\n{}", options.error().message, narrows::bench::kUsage);
    return 2;
  }
  const narrows::Status status = narrows::bench::run(*options);
  if (!status.ok()) {
    fmt::print(stderr, "bench_engine: {}\n", status.error().message);
    return 1;
  }
  return 0;
}
