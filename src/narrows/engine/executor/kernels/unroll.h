#pragma once

/// In front of a loop of a few iterations whose blocks of vectors are to stay in registers.
#if defined(__clang__)
#define NARROWS_UNROLL _Pragma("unroll")
#else
#define NARROWS_UNROLL _Pragma("GCC unroll 16")
#endif
