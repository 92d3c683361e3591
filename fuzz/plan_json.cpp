#include <cstddef>
#include <cstdint>

#include "narrows/base/assert.h"
#include "narrows/base/byte_io.h"
#include "narrows/plan/json.h"

// Parses hostile plans. What is accepted must pass the checker and read back to the same text.
namespace narrows {
namespace {

void parseHostile(std::string_view text) {
  const auto plan = parsePlan(text);
  if (!plan.ok()) return;
  NARROWS_ASSERT(checkPlan(*plan).ok());
  const std::string written = formatPlan(*plan);
  const auto again = parsePlan(written);
  NARROWS_ASSERT(again.ok());
  NARROWS_ASSERT(formatPlan(*again) == written);
}

}  // namespace
}  // namespace narrows

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  narrows::parseHostile(narrows::asText(std::as_bytes(std::span(data, size))));
  return 0;
}
