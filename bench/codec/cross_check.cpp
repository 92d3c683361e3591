// Whether another machine codes and decodes alike: `write FILE` stores the codes of a fixed set of
// maps by the context coder with the standard tables, `read FILE` decodes them and codes the maps
// again. Maps come from integer arithmetic alone.

#include <fmt/format.h>

#include <limits>
#include <vector>

#include "narrows/codec/context_coder.h"

namespace narrows::bench {
namespace {

/// Runs of symbols, the shorter the busier the map.
std::vector<std::uint8_t> makeMap(const SymbolLayout& layout, std::uint32_t state) {
  std::vector<std::uint8_t> symbols(layout.symbols());
  const std::uint32_t busy = state % 5;
  std::uint32_t symbol = 0;
  for (std::uint8_t& value : symbols) {
    state = state * 1664525U + 1013904223U;
    if (state >> 28 <= busy) symbol = state >> 27 & 1 ? state >> 16 & ((1U << layout.bits) - 1) : 0;
    value = static_cast<std::uint8_t>(symbol);
  }
  return symbols;
}

std::vector<SymbolLayout> layouts() {
  std::vector<SymbolLayout> all;
  for (int bits = 1; bits <= 8; ++bits) {
    all.push_back({3, 6, 7, bits});
    all.push_back({40, 13, 13, bits});
    all.push_back({17, 32, 30, bits});
    all.push_back({64, 1, 1, bits});
  }
  return all;
}

std::vector<std::byte> encode(const SymbolLayout& layout, const std::vector<std::uint8_t>& map,
                              UnitSearch search) {
  const auto coder = makeContextCoder(layout, ContextTables::standard(layout), search);
  ByteVector code;
  const auto fits = coder->encode(map, std::numeric_limits<std::size_t>::max(), code);
  NARROWS_ASSERT(fits.ok() && *fits);
  return code;
}

/// Length of each code in four bytes, then the code.
int write(std::FILE* file) {
  std::uint32_t seed = 1;
  for (const SymbolLayout& layout : layouts()) {
    const auto code = encode(layout, makeMap(layout, seed++), UnitSearch::vector);
    const auto size = static_cast<std::uint32_t>(code.size());
    if (std::fwrite(&size, sizeof(size), 1, file) != 1) return 1;
    if (std::fwrite(code.data(), 1, code.size(), file) != code.size()) return 1;
  }
  return 0;
}

int read(std::FILE* file) {
  std::uint32_t seed = 1;
  int wrong = 0;
  for (const SymbolLayout& layout : layouts()) {
    const auto map = makeMap(layout, seed++);
    std::uint32_t size = 0;
    if (std::fread(&size, sizeof(size), 1, file) != 1 || size > (1U << 24)) return 1;
    ByteVector code(size);
    if (std::fread(code.data(), 1, size, file) != size) return 1;
    for (const UnitSearch search : {UnitSearch::scalar, UnitSearch::vector}) {
      std::vector<std::uint8_t> decoded(map.size());
      const auto coder = makeContextCoder(layout, ContextTables::standard(layout), search);
      const bool same = coder->decode(code, decoded).ok() && decoded == map;
      if (same && encode(layout, map, search) == code) continue;
      fmt::print(stderr, "{}x{}x{} of {} bits: another {}\n", layout.planes, layout.height,
                 layout.width, layout.bits, same ? "code" : "map");
      ++wrong;
    }
  }
  fmt::print("{} maps, {} differ\n", layouts().size(), wrong);
  return wrong == 0 ? 0 : 1;
}

int main(int count, char** values) {
  const std::string_view mode = count == 3 ? values[1] : "";
  if (mode != "write" && mode != "read") {
    fmt::print(stderr, "cross_check write FILE | read FILE\n");
    return 2;
  }
  std::FILE* file = std::fopen(values[2], mode == "write" ? "wb" : "rb");
  if (file == nullptr) {
    fmt::print(stderr, "cross_check: cannot open {}\n", values[2]);
    return 1;
  }
  const int result = mode == "write" ? write(file) : read(file);
  return std::fclose(file) == 0 ? result : 1;
}

}  // namespace
}  // namespace narrows::bench

int main(int count, char** values) {
  return narrows::bench::main(count, values);
}
