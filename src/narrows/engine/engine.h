#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/engine/weight_reader.h"
#include "narrows/graph/graph.h"
#include "narrows/tensor/tensor.h"

namespace narrows {

/// Smallest and largest number that a value takes on representative inputs.
struct ValueRange {
  float low = 0;
  float high = 0;
};
/// By the names of values of the simplified graph (RangeFinder in calibration.h).
using ValueRanges = std::unordered_map<std::string, ValueRange>;

struct EngineOptions {
  /// Threads of one run, the caller's included; at least 1.
  std::size_t threads = 1;
  /// Most bytes of packed weights that a program keeps. Those of the layers that do not fit, the
  /// largest ones, are packed anew in every run, a few megabytes at a time, from the graph's
  /// constants; pages of those that lie in a mapped file are given back at once. Such runs
  /// allocate. Absent: all are kept. The reference engine packs none.
  std::optional<std::size_t> kept_weights = {};
  /// Reads weights that are not kept for the program's runs, in place of the mapped file in which
  /// they lie. It outlives the program; null: runs read the constants themselves.
  WeightReader* weight_reader = nullptr;
  /// With ranges, convolutions and products of values that have one multiply 8-bit integers:
  /// weights scaled for each result channel, values for each tensor. The first layer and grouped
  /// convolutions stay in f32. Null: everything does, as on the reference engine always.
  std::shared_ptr<const ValueRanges> int8_ranges = {};
  /// Convolutions and products multiply bf16, numbers of f32 rounded to 8 significant bits, and sum
  /// in f32; grouped convolutions and a first layer of few channels stay in f32. Not with
  /// `int8_ranges`. An error of `compile` where the engine or the processor has no such kernels.
  bool bf16 = false;
};

/// What a program holds, in bytes.
struct ProgramMemory {
  /// Constants, in the form in which the kernels read them.
  std::size_t weights = 0;
  /// Intermediate tensors: the planned arena.
  std::size_t arena = 0;
  /// Work space of kernels, and weights while they are packed for one layer.
  std::size_t scratch = 0;
  /// The largest block of weights that a run holds of a `WeightReader`; part of nothing else here.
  std::size_t streamed_block = 0;
  /// Of the weights, those that programs of this engine held in the same form when this one was
  /// compiled, or that several of its layers have in common: they take no memory of their own.
  std::size_t shared_weights = 0;
};

/// Nodes that an engine computes together, by name.
struct ProgramPart {
  std::vector<std::string> nodes;
};

/// A graph made ready to run. Not safe for two runs at once; programs of one engine run
/// independently, though they share packed weights that are equal.
class Program {
 public:
  virtual ~Program() = default;

  /// Types in the order of the graph's inputs and outputs.
  virtual std::span<const TensorType> inputTypes() const = 0;
  virtual std::span<const TensorType> outputTypes() const = 0;

  /// Computes all outputs. Tensors are in the graph's logical layout (maps: N,C,H,W), owned by the
  /// caller. Fails when a count or type differs from the graph's; what data can make fail (an index
  /// out of range) is an error too.
  virtual Status run(std::span<const TensorView> inputs,
                     std::span<const MutableTensorView> outputs) = 0;

  /// What a run consists of: nodes of the graph, as the engine simplified it, that go together, in
  /// the order of the run. Nodes that take no time (views, what was folded) are in no part.
  virtual std::span<const ProgramPart> parts() const = 0;
  /// `run`; adds how long parts()[i] took to times[i]: with one thread its processor time, so that
  /// other processes do not count. Asserts one time for each part.
  virtual Status runTimed(std::span<const TensorView> inputs,
                          std::span<const MutableTensorView> outputs, std::span<Seconds> times) = 0;

  virtual ProgramMemory memory() const = 0;
};

/// Makes programs of graphs. Safe for use by several threads.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string_view name() const = 0;
  /// Plans all memory and prepares all weights. The program shares the graph's constants and keeps
  /// nothing else of it.
  virtual Result<std::unique_ptr<Program>> compile(const Graph& graph,
                                                   const EngineOptions& options) const = 0;
};

/// `run` with outputs made here.
Result<std::vector<Tensor>> runProgram(Program& program, std::span<const TensorView> inputs);

/// The engines of this build, by name: "reference" always, "xnnpack", "onednn" on x86-64. An
/// unknown name is an error that lists the known ones.
Result<std::unique_ptr<Engine>> makeEngine(std::string_view name);
std::vector<std::string_view> engineNames();
/// The fastest engine of this build.
std::string_view defaultEngineName();

}  // namespace narrows
