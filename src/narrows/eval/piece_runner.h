#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/engine/engine.h"
#include "narrows/graph/cuts.h"

namespace narrows {

/// A program with room for its outputs.
class PieceRunner {
 public:
  static Result<PieceRunner> create(const Engine& engine, const Graph& graph, std::size_t threads);
  static Result<PieceRunner> create(const Engine& engine, const Graph& graph,
                                    const EngineOptions& options);

  /// The outputs are valid until the next run.
  Result<std::span<const TensorView>> run(std::span<const TensorView> inputs);
  ProgramMemory memory() const { return program_->memory(); }

 private:
  PieceRunner() = default;

  std::unique_ptr<Program> program_;
  std::vector<Tensor> outputs_;
  std::vector<MutableTensorView> targets_;
  std::vector<TensorView> views_;
};

/// The two pieces of a cut, as `split` ships them.
struct CutPieces {
  Graph node;
  Graph server;
};
Result<CutPieces> cutPieces(const Graph& graph, const Cut& cut);

/// Positions in the graph's outputs of the outputs that a head reads, in its order; all of them
/// when it names none. Fails on a name that is no output.
Result<std::vector<std::size_t>> headOutputs(const Graph& graph,
                                             std::span<const std::string> names);

}  // namespace narrows
