#pragma once

#include <memory>
#include <vector>

#include "narrows/engine/engine.h"
#include "narrows/engine/executor/backend.h"
#include "narrows/engine/executor/kernels/table.h"
#include "narrows/engine/executor/step.h"
#include "narrows/graph/graph.h"

namespace narrows::executor {

enum class BufferKind : std::uint8_t { input, output, constant, arena };

/// Memory that steps read and write.
struct Buffer {
  BufferKind kind = BufferKind::arena;
  std::size_t index = 0;                   // of the graph's input or output
  std::shared_ptr<const Tensor> constant;  // of a constant
  std::size_t bytes = 0;
  std::size_t first = 0;  // steps that use it, both included
  std::size_t last = 0;
  bool used = false;
};

/// A step that reads each element of `source` before it writes the same one of `result`, and
/// nothing else of either.
struct Overwrite {
  std::size_t step = 0;
  BufferId source;
  BufferId result;
};

/// A graph turned into calls of kernels on buffers. The steps keep the team they were made for.
struct ProgramParts {
  std::vector<TensorType> input_types;
  std::vector<TensorType> output_types;
  std::vector<Buffer> buffers;
  std::vector<std::unique_ptr<Step>> steps;
  std::vector<Overwrite> overwrites;  // in the order of the steps
  std::size_t overread = 0;           // bytes that steps may read behind a buffer of the arena
  std::vector<ProgramPart> parts;
  std::vector<std::size_t> part_of_step;
};

/// `store`: read while the kernels are made.
Result<ProgramParts> lower(const Graph& graph, std::shared_ptr<const Backend> backend,
                           WeightStore& store, const KernelTable& kernels, Team& team,
                           const EngineOptions& options);

}  // namespace narrows::executor
