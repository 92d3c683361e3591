#include "narrows/pipeline/streamed_memory.h"

#include <algorithm>

namespace narrows {

Result<std::size_t> streamedMemory(const Engine& engine, const Graph& graph) {
  EngineOptions options;
  options.kept_weights = 0;
  NARROWS_TRY(program, engine.compile(graph, options));
  const ProgramMemory memory = program->memory();
  std::size_t largest = 0;
  for (const Node& node : graph.nodes()) {
    for (const ValueId input : node.inputs) {
      if (!input.valid() || graph.value(input).constant == nullptr) continue;
      largest = std::max(largest, graph.type(input).bytes());
    }
  }
  // Packed weights, which are part of the work space, are about as many bytes as those that are
  // read for them.
  return memory.weights + memory.arena + memory.scratch + std::min(largest, memory.scratch);
}

}  // namespace narrows
