#include "tests/support/figure.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "narrows/base/assert.h"

namespace narrows::test {

void recordFigure(std::string_view name, double value, std::string_view unit,
                  std::string_view origin) {
  NARROWS_ASSERT(std::isfinite(value));
  const char* path = std::getenv("NARROWS_FIGURES");
  if (path == nullptr) return;
  std::FILE* file = std::fopen(path, "a");
  NARROWS_ASSERT(file != nullptr);
  fmt::print(file, "{{\"name\":\"{}\",\"value\":{},\"unit\":\"{}\",\"origin\":\"{}\"}}\n", name,
             value, unit, origin);
  std::fclose(file);
}

}  // namespace narrows::test
