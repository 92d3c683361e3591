#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/graph/graph.h"
#include "narrows/tensor/tensor.h"

namespace narrows {

struct EngineOptions {
  /// Threads of one run, the caller's included; at least 1.
  std::size_t threads = 1;
};

/// What a program holds, in bytes.
struct ProgramMemory {
  /// Constants, in the form in which the kernels read them.
  std::size_t weights = 0;
  /// Intermediate tensors: the planned arena.
  std::size_t arena = 0;
  /// Work space of kernels.
  std::size_t scratch = 0;
};

/// A graph made ready to run. Not safe for two runs at once; programs of one engine are
/// independent.
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

/// The engines of this build, by name: "reference" always, "onednn" on x86-64. An unknown name is
/// an error that lists the known ones.
Result<std::unique_ptr<Engine>> makeEngine(std::string_view name);
std::vector<std::string_view> engineNames();
/// The fastest engine of this build.
std::string_view defaultEngineName();

}  // namespace narrows
