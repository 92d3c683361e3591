#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "narrows/base/assert.h"
#include "narrows/formats/darknet_reader.h"

// Reads a hostile cfg. Behind a zero byte the input goes on with a weights file; without one the
// network gets random weights.
namespace narrows {
namespace {

constexpr std::int64_t kMostParameters = 1 << 16;

Result<DarknetModel> readInput(ByteSpan input) {
  const auto end = std::find(input.begin(), input.end(), std::byte{0});
  const auto length = static_cast<std::size_t>(end - input.begin());
  const std::string_view cfg = asText(input.first(length));
  if (end == input.end()) return parseDarknet(cfg, DarknetRandomWeights{1, kMostParameters});
  return parseDarknet(cfg, input.subspan(length + 1));
}

void readHostile(ByteSpan input) {
  auto model = readInput(input);
  if (!model.ok()) {
    NARROWS_ASSERT(!model.error().message.empty());
    return;
  }
  const Graph& graph = model->graph;
  NARROWS_ASSERT(verify(graph).ok());
  NARROWS_ASSERT(graph.outputs().size() == std::max<std::size_t>(1, model->heads.size()));
  for (const DarknetHead& head : model->heads) {
    const ValueId output = graph.findValue(head.output);
    NARROWS_ASSERT(output.valid() && graph.isOutput(output));
    const auto boxes = static_cast<std::int64_t>(head.anchors.size());
    NARROWS_ASSERT(graph.shape(output)[1] == boxes * (5 + head.classes));
  }
}

}  // namespace
}  // namespace narrows

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  narrows::readHostile(std::as_bytes(std::span(data, size)));
  return 0;
}
