#include "narrows/codec/lossless.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "narrows/codec/byte_compressor.h"
#include "narrows/codec/context_coder.h"
#include "narrows/codec/context_mixing.h"

namespace narrows {
namespace {

/// Copies; the floor that other coders are measured against.
class StoredBytes final : public ByteCompressor {
 public:
  Result<bool> compress(ByteSpan bytes, std::size_t limit, ByteVector& out) override {
    if (bytes.size() > limit) return false;
    out.insert(out.end(), bytes.begin(), bytes.end());
    return true;
  }
  Status decompress(ByteSpan code, std::span<std::byte> bytes) override {
    if (code.size() != bytes.size()) {
      return makeError("{} bytes, expected {}", code.size(), bytes.size());
    }
    std::copy(code.begin(), code.end(), bytes.begin());
    return {};
  }
};

/// Packs symbols to a bit string and compresses it as bytes.
class PackingCoder final : public LosslessCoder {
 public:
  PackingCoder(const SymbolLayout& layout, std::unique_ptr<ByteCompressor> compressor)
      : LosslessCoder(layout), compressor_(std::move(compressor)), packed_(layout.packedBytes()) {}

  Result<bool> encode(std::span<const std::uint8_t> symbols, std::size_t limit,
                      ByteVector& out) override {
    NARROWS_ASSERT(symbols.size() == layout().symbols());
    if (packed_.empty()) return true;
    packSymbols(symbols, layout().bits, packed_);
    // No coder needs the limit to be out of proportion to the data.
    return compressor_->compress(packed_, std::min(limit, 2 * packed_.size() + 1024), out);
  }

  Status decode(ByteSpan code, std::span<std::uint8_t> symbols) override {
    NARROWS_ASSERT(symbols.size() == layout().symbols());
    if (packed_.empty() && !code.empty()) {
      return makeError("{} bytes for a map without symbols, expected none", code.size());
    }
    if (packed_.empty()) return {};
    NARROWS_CHECK(compressor_->decompress(code, packed_));
    return unpackSymbols(packed_, layout().bits, symbols);
  }

 private:
  std::unique_ptr<ByteCompressor> compressor_;
  ByteVector packed_;
};

Result<std::unique_ptr<ByteCompressor>> makeCompressor(CoderKind kind, int level,
                                                       std::size_t length) {
  switch (kind) {
    case CoderKind::raw:
      return std::unique_ptr<ByteCompressor>(std::make_unique<StoredBytes>());
    case CoderKind::deflate:
      return makeDeflate(level);
    case CoderKind::lzma:
      return makeLzma(level, length);
    case CoderKind::zstd:
      return makeZstd(level);
    case CoderKind::context:
      break;
  }
  return makeError("no compressor of bytes for coder {}", static_cast<int>(kind));
}

/// The context coder of either level: the parity of a code's length tells which one wrote it.
class ContextCoderOfLevel final : public LosslessCoder {
 public:
  ContextCoderOfLevel(const SymbolLayout& layout, const ContextTables& tables, int level)
      : LosslessCoder(layout),
        tables_(tables),
        level_(level),
        normal_(makeContextCoder(layout, tables)) {}

  Result<bool> encode(std::span<const std::uint8_t> symbols, std::size_t limit,
                      ByteVector& out) override {
    return (level_ == 0 ? *normal_ : mixing()).encode(symbols, limit, out);
  }
  Status decode(ByteSpan code, std::span<std::uint8_t> symbols) override {
    return (code.size() % 2 == 0 ? *normal_ : mixing()).decode(code, symbols);
  }

 private:
  /// Made when it is first needed: it is large.
  LosslessCoder& mixing() {
    if (mixing_ == nullptr) mixing_ = makeMixingCoder(layout(), tables_);
    return *mixing_;
  }

  ContextTables tables_;
  int level_;
  std::unique_ptr<LosslessCoder> normal_;
  std::unique_ptr<LosslessCoder> mixing_;
};

Result<std::unique_ptr<LosslessCoder>> makeContext(ByteSpan tables, const SymbolLayout& layout,
                                                   int level) {
  if (layout.symbols() > kMaxContextSymbols) {
    return makeError("map of {} symbols, coder context takes at most {}", layout.symbols(),
                     kMaxContextSymbols);
  }
  const auto make = [&](const ContextTables& parsed) -> std::unique_ptr<LosslessCoder> {
    return std::make_unique<ContextCoderOfLevel>(layout, parsed, level);
  };
  if (tables.empty()) return make(ContextTables::standard(layout));
  NARROWS_TRY(parsed, ContextTables::parse(tables, layout));
  return make(parsed);
}

/// Whether planes * height * width is at most `limit`; the product itself could overflow.
bool productWithin(const SymbolLayout& layout, std::size_t limit) {
  std::size_t product = 1;
  for (const std::size_t factor : {layout.planes, layout.height, layout.width}) {
    if (factor != 0 && product > limit / factor) return false;
    product *= factor;
  }
  return true;
}

}  // namespace

SymbolLayout symbolLayout(const FeatureInterface& interface) {
  const Shape& shape = interface.type.shape;
  if (interface.quantizer.kind == QuantizerKind::none) {
    return {1, 1, interface.type.bytes(), 8};
  }
  SymbolLayout layout{1, 1, 1, interface.quantizer.bits};
  const std::size_t rank = shape.rank();
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const auto extent = static_cast<std::size_t>(shape[axis]);
    if (axis + 1 == rank && axis != 1) {
      layout.width *= extent;
    } else if (axis < 2) {
      layout.planes *= extent;
    } else {
      layout.height *= extent;
    }
  }
  return layout;
}

Result<std::unique_ptr<LosslessCoder>> makeCoder(const CoderParams& params,
                                                 const SymbolLayout& layout) {
  if (layout.bits < 1 || layout.bits > kMaxBits) {
    return makeError("symbols of {} bits, expected 1 to {}", layout.bits, kMaxBits);
  }
  if (!productWithin(layout, kMaxMapBytes)) {
    return makeError("{} planes of {}x{} symbols, at most {} symbols in all", layout.planes,
                     layout.height, layout.width, kMaxMapBytes);
  }
  const LevelRange range = levelRange(params.kind);
  const int level = params.level == -1 ? range.standard : params.level;
  if (level < range.lowest || level > range.highest) {
    return makeError("level {} of coder {}, expected {} to {}", level, toString(params.kind),
                     range.lowest, range.highest);
  }
  if (params.kind == CoderKind::context) return makeContext(params.tables, layout, level);
  NARROWS_TRY(compressor, makeCompressor(params.kind, level, layout.packedBytes()));
  return std::unique_ptr<LosslessCoder>(
      std::make_unique<PackingCoder>(layout, std::move(compressor)));
}

}  // namespace narrows
