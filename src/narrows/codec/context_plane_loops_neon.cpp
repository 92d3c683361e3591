#include "narrows/codec/context_plane_loops.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#include "narrows/codec/context_symbols.h"
#endif

namespace narrows::context {

#if defined(__aarch64__)
namespace {

constexpr std::size_t kUnits = 16;

void splitFours(const std::uint8_t* symbols, std::size_t count, std::uint8_t* units) {
  std::size_t j = 0;
  for (; j + kUnits <= count; j += kUnits) {
    // The n-th symbols of all units are vector n.
    const uint8x16x4_t in = vld4q_u8(symbols + 4 * j);
    const uint8x16_t lower = vsliq_n_u8(in.val[0], in.val[1], 1);
    const uint8x16_t upper = vsliq_n_u8(in.val[2], in.val[3], 1);
    vst1q_u8(units + j, vsliq_n_u8(lower, upper, 2));
  }
  splitFoursFrom(j, symbols, count, units);
}

void splitTwos(const std::uint8_t* symbols, std::size_t count, std::uint8_t* units) {
  std::size_t j = 0;
  for (; j + kUnits <= count; j += kUnits) {
    const uint8x16x2_t in = vld2q_u8(symbols + 2 * j);
    vst1q_u8(units + j, vsliq_n_u8(in.val[0], in.val[1], 2));
  }
  splitTwosFrom(j, symbols, count, units);
}

void joinFours(const std::uint8_t* units, std::size_t count, std::uint8_t* symbols) {
  const uint8x16_t one = vdupq_n_u8(1);
  std::size_t j = 0;
  for (; j + kUnits <= count; j += kUnits) {
    const uint8x16_t in = vld1q_u8(units + j);
    uint8x16x4_t out;
    out.val[0] = vandq_u8(in, one);
    out.val[1] = vandq_u8(vshrq_n_u8(in, 1), one);
    out.val[2] = vandq_u8(vshrq_n_u8(in, 2), one);
    out.val[3] = vshrq_n_u8(in, 3);
    vst4q_u8(symbols + 4 * j, out);
  }
  joinFoursFrom(j, units, count, symbols);
}

void joinTwos(const std::uint8_t* units, std::size_t count, std::uint8_t* symbols) {
  std::size_t j = 0;
  for (; j + kUnits <= count; j += kUnits) {
    const uint8x16_t in = vld1q_u8(units + j);
    uint8x16x2_t out;
    out.val[0] = vandq_u8(in, vdupq_n_u8(3));
    out.val[1] = vshrq_n_u8(in, 2);
    vst2q_u8(symbols + 2 * j, out);
  }
  joinTwosFrom(j, units, count, symbols);
}

}  // namespace

PlaneLoops neonPlaneLoops() {
  // The other scalar loops are vectorised as they stand: compilers may use NEON without asking.
  PlaneLoops loops = scalarPlaneLoops();
  loops.split_fours = splitFours;
  loops.split_twos = splitTwos;
  loops.join_fours = joinFours;
  loops.join_twos = joinTwos;
  return loops;
}

#else

PlaneLoops neonPlaneLoops() {
  return scalarPlaneLoops();
}

#endif

PlaneLoops fastestPlaneLoops() {
#if defined(__aarch64__)
  return neonPlaneLoops();
#else
  return avx2PlaneLoops();
#endif
}

}  // namespace narrows::context
