#include "narrows/codec/context_plane_loops.h"

#include "narrows/codec/context_neighbours.h"
#include "narrows/codec/context_symbols.h"

namespace narrows::context {
namespace {

void contexts(int bits, const ContextTask& task) {
  contextsOf<true>(bits, task);
}

void parts(int bits, const ContextTask& task) {
  contextsOf<false>(bits, task);
}

void addGuess(const ContextTask& task) {
  addGuessOf(task);
}

void splitFours(const std::uint8_t* symbols, std::size_t count, std::uint8_t* units) {
  splitFoursFrom(0, symbols, count, units);
}

void splitTwos(const std::uint8_t* symbols, std::size_t count, std::uint8_t* units) {
  splitTwosFrom(0, symbols, count, units);
}

void joinFours(const std::uint8_t* units, std::size_t count, std::uint8_t* symbols) {
  joinFoursFrom(0, units, count, symbols);
}

void joinTwos(const std::uint8_t* units, std::size_t count, std::uint8_t* symbols) {
  joinTwosFrom(0, units, count, symbols);
}

void addBytes(const std::uint8_t* a, const std::uint8_t* b, std::size_t count, std::uint8_t* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<std::uint8_t>(a[i] + b[i]);
}

}  // namespace

PlaneLoops scalarPlaneLoops() {
  return {contexts, parts, addGuess, splitFours, splitTwos, joinFours, joinTwos, addBytes};
}

}  // namespace narrows::context
