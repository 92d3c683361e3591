#include <cstddef>
#include <cstdint>

#include "narrows/base/assert.h"
#include "narrows/base/byte_io.h"
#include "narrows/graph/text.h"

// Parses hostile text. What is accepted must be a valid graph whose text reads back to itself.
namespace narrows {
namespace {

void parseHostile(std::string_view text) {
  const auto graph = parseGraph(text);
  if (!graph.ok()) return;
  NARROWS_ASSERT(verify(*graph).ok());
  // Everything inline, so that the second reading needs no other source.
  const TextOptions all{Shape::kMaxElements};
  const std::string written = formatGraph(*graph, all);
  const auto again = parseGraph(written);
  NARROWS_ASSERT(again.ok());
  NARROWS_ASSERT(formatGraph(*again, all) == written);
}

}  // namespace
}  // namespace narrows

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  narrows::parseHostile(narrows::asText(std::as_bytes(std::span(data, size))));
  return 0;
}
