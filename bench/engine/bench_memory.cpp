// What a program takes of the process's memory against what it says, and a run with weights that
// stay in a mapped file. One measurement for each process, since a process does not give all of its
// memory back.
//
//   bench_memory growth MODEL [ENGINE] growth of resident memory by compiling and running
//   bench_memory again MODEL [ENGINE]  what a second program of the same model takes
//   bench_memory write MODEL FILE      the model as FILE with its weights beside it
//   bench_memory run FILE [KEPT]       compiles and runs FILE, keeping KEPT bytes of weights

#include <fmt/format.h>
#include <malloc.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>

#include "narrows/base/median.h"
#include "narrows/engine/engine.h"
#include "narrows/formats/model_file.h"
#include "narrows/formats/onnx_writer.h"
#include "narrows/graph/passes.h"
#include "narrows/zoo/zoo.h"

namespace narrows::bench {
namespace {

/// A line of /proc/self/status ("VmRSS", "VmHWM"), MB of 10^6 bytes.
double statusMegabytes(std::string_view field) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(field) && line[field.size()] == ':')
      return std::stod(line.substr(field.size() + 1)) * 1024 / 1e6;
  }
  return 0;
}

void figure(std::string_view name, double value, std::string_view unit, std::string_view model) {
  fmt::print(
      "{{\"name\": \"{}\", \"value\": {:.4f}, \"unit\": \"{}\", \"origin\": \"measured\", "
      "\"model\": \"{}\"}}\n",
      name, value, unit, model);
}

Result<Graph> read(const std::string& name) {
  if (!name.starts_with("zoo:")) return readModel(name);
  NARROWS_TRY(model, buildZooModel(name, 1));
  return simplify(model.graph);
}

struct Run {
  std::vector<Tensor> inputs, outputs;

  explicit Run(const Program& program) {
    for (const TensorType& type : program.inputTypes()) inputs.emplace_back(type);
    for (const TensorType& type : program.outputTypes()) outputs.emplace_back(type);
    // Touched, so that they are resident.
    for (Tensor& tensor : inputs) {
      if (tensor.dtype() == DType::f32)
        std::fill(tensor.mutableAs<float>().begin(), tensor.mutableAs<float>().end(), 0.5F);
    }
  }
  Status once(Program& program) {
    std::vector<MutableTensorView> views;
    for (Tensor& tensor : outputs) views.push_back(tensor.mutableView());
    return program.run(std::vector<TensorView>(inputs.begin(), inputs.end()), views);
  }
};

Status growth(const std::string& name, std::string_view engine_name) {
  NARROWS_TRY(engine, makeEngine(engine_name));
  {
    // What the library takes once, whatever it computes.
    NARROWS_TRY(first, buildZooModel("zoo:squeezenet@64,width=0.25", 1));
    NARROWS_TRY(program, engine->compile(first.graph, {}));
    NARROWS_CHECK(Run(*program).once(*program));
  }
  NARROWS_TRY(graph, read(name));
  malloc_trim(0);
  const double before = statusMegabytes("VmRSS");
  NARROWS_TRY(program, engine->compile(graph, {}));
  Run run(*program);
  double borders = 0;
  for (const auto* tensors : {&run.inputs, &run.outputs}) {
    for (const Tensor& tensor : *tensors)
      borders += static_cast<double>(tensor.type().bytes()) / 1e6;
  }
  for (int i = 0; i < 3; ++i) NARROWS_CHECK(run.once(*program));
  malloc_trim(0);
  const double grown = statusMegabytes("VmRSS") - before - borders;
  const ProgramMemory memory = program->memory();
  const double said =
      static_cast<double>(memory.weights - memory.shared_weights + memory.arena + memory.scratch) /
      1e6;
  const double error = std::abs(said - grown);
  fmt::print(stderr,
             "{:<26} says {:8.2f} MB (weights {:.2f}, arena {:.2f}, scratch {:.2f}), grew by "
             "{:8.2f} MB\n",
             name, said, static_cast<double>(memory.weights) / 1e6,
             static_cast<double>(memory.arena) / 1e6, static_cast<double>(memory.scratch) / 1e6,
             grown);
  figure("memory_said_mb", said, "MB", name);
  figure("memory_grown_mb", grown, "MB", name);
  figure("memory_error_mb", error, "MB", name);
  figure("memory_error_percent", 100 * error / grown, "%", name);
  return {};
}

/// A second program of the same weights, read anew: its time to compile, and what it adds.
Status again(const std::string& name, std::string_view engine_name) {
  NARROWS_TRY(engine, makeEngine(engine_name));
  const auto compile = [&](const Graph& graph, double& ms) -> Result<std::unique_ptr<Program>> {
    const auto before = std::chrono::steady_clock::now();
    NARROWS_TRY(program, engine->compile(graph, {}));
    ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - before)
             .count();
    return std::move(program);
  };
  NARROWS_TRY(graph, read(name));
  NARROWS_TRY(copy, read(name));
  double first_ms = 0;
  double second_ms = 0;
  NARROWS_TRY(first, compile(graph, first_ms));
  Run run(*first);
  NARROWS_CHECK(run.once(*first));
  malloc_trim(0);
  const double before = statusMegabytes("VmRSS");
  NARROWS_TRY(second, compile(copy, second_ms));
  for (int i = 0; i < 3; ++i) NARROWS_CHECK(run.once(*second));
  malloc_trim(0);
  const double grown = statusMegabytes("VmRSS") - before;
  const ProgramMemory memory = second->memory();
  const double said =
      static_cast<double>(memory.weights - memory.shared_weights + memory.arena + memory.scratch) /
      1e6;
  fmt::print(stderr,
             "{:<26} {:.2f} of {:.2f} MB of weights shared; says {:.2f} MB, grew by {:.2f} MB; "
             "compiled in {:.1f} and {:.1f} ms\n",
             name, static_cast<double>(memory.shared_weights) / 1e6,
             static_cast<double>(memory.weights) / 1e6, said, grown, first_ms, second_ms);
  figure("second_said_mb", said, "MB", name);
  figure("second_grown_mb", grown, "MB", name);
  figure("first_compile_ms", first_ms, "ms", name);
  figure("second_compile_ms", second_ms, "ms", name);
  return {};
}

Status write(const std::string& name, const std::filesystem::path& path) {
  NARROWS_TRY(graph, read(name));
  std::filesystem::path weights = path;
  weights += ".weights";
  return writeOnnx(graph, path, weights);
}

Status stream(const std::string& path, std::optional<std::size_t> kept) {
  NARROWS_TRY(engine, makeEngine("onednn"));
  NARROWS_TRY(graph, readModel(path));
  EngineOptions options;
  options.kept_weights = kept;
  NARROWS_TRY(program, engine->compile(graph, options));
  Run run(*program);
  NARROWS_CHECK(run.once(*program));
  std::vector<double> times;
  for (int i = 0; i < 5; ++i) {
    const auto before = std::chrono::steady_clock::now();
    NARROWS_CHECK(run.once(*program));
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - before)
            .count());
  }
  figure("peak_rss_mb", statusMegabytes("VmHWM"), "MB", path);
  figure("run_ms", median(times), "ms", path);
  return {};
}

Status run(std::span<const std::string> arguments) {
  if (arguments.size() == 2 && arguments[0] == "growth")
    return growth(arguments[1], defaultEngineName());
  if (arguments.size() == 3 && arguments[0] == "growth") return growth(arguments[1], arguments[2]);
  if (arguments.size() == 2 && arguments[0] == "again")
    return again(arguments[1], defaultEngineName());
  if (arguments.size() == 3 && arguments[0] == "again") return again(arguments[1], arguments[2]);
  if (arguments.size() == 3 && arguments[0] == "write") return write(arguments[1], arguments[2]);
  if (arguments.size() == 2 && arguments[0] == "run") return stream(arguments[1], std::nullopt);
  if (arguments.size() == 3 && arguments[0] == "run")
    return stream(arguments[1], std::stoull(arguments[2]));
  return makeError("growth MODEL, again MODEL, write MODEL FILE, or run FILE [KEPT]");
}

}  // namespace
}  // namespace narrows::bench

int main(int count, char** values) {
  const std::vector<std::string> arguments(values + 1, values + count);
  const auto status = narrows::bench::run(arguments);
  if (!status.ok()) {
    fmt::print(stderr, "bench_memory: {}\n", status.error().message);
    return 1;
  }
  return 0;
}
