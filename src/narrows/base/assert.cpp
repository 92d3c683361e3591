#include "narrows/base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace narrows {

void assertionFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: internal error: %s does not hold\n", file, line, condition);
  std::abort();
}

}  // namespace narrows
