#include "narrows/eval/piece_runner.h"

#include <numeric>

#include "narrows/graph/extract.h"

namespace narrows {

Result<PieceRunner> PieceRunner::create(const Engine& engine, const Graph& graph,
                                        std::size_t threads) {
  EngineOptions options;
  options.threads = threads;
  return create(engine, graph, options);
}

Result<PieceRunner> PieceRunner::create(const Engine& engine, const Graph& graph,
                                        const EngineOptions& options) {
  PieceRunner runner;
  NARROWS_TRY(program, engine.compile(graph, options));
  runner.program_ = std::move(program);
  for (const TensorType& type : runner.program_->outputTypes()) {
    Tensor& tensor = runner.outputs_.emplace_back(type);
    runner.targets_.push_back(tensor.mutableView());
    runner.views_.push_back(tensor.view());
  }
  return runner;
}

Result<std::span<const TensorView>> PieceRunner::run(std::span<const TensorView> inputs) {
  NARROWS_CHECK(program_->run(inputs, targets_));
  return std::span<const TensorView>(views_);
}

Result<CutPieces> cutPieces(const Graph& graph, const Cut& cut) {
  NARROWS_TRY(node, extractPiece(graph, graph.inputs(), cut.values, "node"));
  NARROWS_TRY(server, extractPiece(graph, cut.values, graph.outputs(), "server"));
  return CutPieces{std::move(node), std::move(server)};
}

Result<std::vector<std::size_t>> headOutputs(const Graph& graph,
                                             std::span<const std::string> names) {
  std::vector<std::size_t> positions;
  if (names.empty()) {
    positions.resize(graph.outputs().size());
    std::iota(positions.begin(), positions.end(), std::size_t{0});
    return positions;
  }
  for (const std::string& name : names) {
    std::size_t position = 0;
    while (position < graph.outputs().size() && graph.value(graph.outputs()[position]).name != name)
      ++position;
    if (position == graph.outputs().size()) {
      return makeError("the head reads \"{}\", which is no output of the graph", name);
    }
    positions.push_back(position);
  }
  return positions;
}

}  // namespace narrows
