#pragma once

namespace narrows {

/// Prints the place and the condition on stderr and ends the process.
[[noreturn]] void assertionFailed(const char* condition, const char* file, int line);

}  // namespace narrows

/// Guards against programmer errors; on in every build. Bad input returns an Error instead.
#define NARROWS_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::narrows::assertionFailed(#condition, __FILE__, __LINE__))
