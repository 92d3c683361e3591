#include "narrows/pipeline/streamed_memory.h"

#include <algorithm>

namespace narrows {

Result<std::size_t> streamedMemory(const Engine& engine, const Graph& graph,
                                   const StreamedRun& how) {
  EngineOptions options;
  options.threads = how.threads;
  options.kept_weights = 0;
  NARROWS_TRY(program, engine.compile(graph, options));
  const ProgramMemory memory = program->memory();
  const std::size_t beyond = std::max(memory.streamed_block, how.window) - how.window;
  return memory.weights + memory.arena + memory.scratch + beyond;
}

}  // namespace narrows
