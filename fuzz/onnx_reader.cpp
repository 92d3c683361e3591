#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "narrows/base/assert.h"
#include "narrows/formats/onnx_reader.h"
#include "narrows/formats/onnx_writer.h"

// Reads hostile models. A graph that is accepted is verified, and what the writer makes of it is
// read again with the same inputs and outputs.
namespace narrows {
namespace {

constexpr std::int64_t kMostElements = 1 << 16;
constexpr std::int64_t kMostKernel = 64;

OnnxReadOptions options() {
  OnnxReadOptions bounded;
  bounded.max_computed_bytes = std::size_t{1} << 20;
  return bounded;
}

/// Whether writing the graph stays small: an average pool may become a convolution with as many
/// weights as the pool has window elements.
bool isSmall(const Graph& graph) {
  const auto small_value = [](const Value& value) {
    return value.type.elements() <= kMostElements;
  };
  const auto small_node = [](const Node& node) {
    const auto* pool = std::get_if<AveragePool2d>(&node.op);
    return pool == nullptr || std::max(pool->window.kernel.h, pool->window.kernel.w) <= kMostKernel;
  };
  return std::all_of(graph.values().begin(), graph.values().end(), small_value) &&
         std::all_of(graph.nodes().begin(), graph.nodes().end(), small_node);
}

void readHostile(ByteSpan input) {
  auto graph = readOnnx(input, options());
  if (!graph.ok()) {
    NARROWS_ASSERT(!graph.error().message.empty());
    return;
  }
  NARROWS_ASSERT(verify(*graph).ok());
  if (!isSmall(*graph)) return;
  auto written = serializeOnnx(*graph);
  if (!written.ok()) return;  // a few operators have no form in the opset that is written
  auto again = readOnnx(*written);
  NARROWS_ASSERT(again.ok());
  NARROWS_ASSERT(again->inputs().size() == graph->inputs().size());
  NARROWS_ASSERT(again->outputs().size() == graph->outputs().size());
  for (std::size_t i = 0; i < graph->outputs().size(); ++i) {
    NARROWS_ASSERT(again->type(again->outputs()[i]) == graph->type(graph->outputs()[i]));
  }
}

}  // namespace
}  // namespace narrows

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  narrows::readHostile(std::as_bytes(std::span(data, size)));
  return 0;
}
