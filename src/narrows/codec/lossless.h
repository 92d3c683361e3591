#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"
#include "narrows/codec/packing.h"
#include "narrows/codec/params.h"

namespace narrows {

/// The map of symbols that a coder codes: `planes` planes of `height` rows of `width` symbols, one
/// byte each, row-major. Planes are channels, of every batch entry in turn.
struct SymbolLayout {
  std::size_t planes = 0;
  std::size_t height = 0;
  std::size_t width = 0;
  /// 1 to 8; symbols are below 2^bits.
  int bits = 8;

  std::size_t symbols() const { return planes * height * width; }
  std::size_t packedBytes() const { return packedSize(symbols(), bits); }
  friend bool operator==(const SymbolLayout&, const SymbolLayout&) = default;
};

/// The symbols of an interface. Axes after the second but the last are rows. Without a quantizer
/// the symbols are the tensor's bytes, one row of 8 bits each.
SymbolLayout symbolLayout(const FeatureInterface& interface);

/// Codes maps of one layout without loss, each alone. Keeps its buffers from map to map; one thread
/// at a time.
class LosslessCoder {
 public:
  virtual ~LosslessCoder() = default;
  LosslessCoder(const LosslessCoder&) = delete;
  LosslessCoder& operator=(const LosslessCoder&) = delete;

  const SymbolLayout& layout() const { return layout_; }

  /// Appends the code of `symbols` to `out`. False, with `out` as it was, when the code would take
  /// more than `limit` bytes. `symbols` fits the layout; asserted.
  virtual Result<bool> encode(std::span<const std::uint8_t> symbols, std::size_t limit,
                              ByteVector& out) = 0;

  /// Writes the map of exactly this code. Any bytes may come: the error says what was wrong, and
  /// `symbols`, which fits the layout, then holds unspecified symbols below 2^bits.
  virtual Status decode(ByteSpan code, std::span<std::uint8_t> symbols) = 0;

 protected:
  explicit LosslessCoder(const SymbolLayout& layout) : layout_(layout) {}

 private:
  SymbolLayout layout_;
};

/// Fails on a level out of range, a layout above kMaxMapBytes symbols (or what `context` takes),
/// tables that do not fit the layout, and exhausted memory.
Result<std::unique_ptr<LosslessCoder>> makeCoder(const CoderParams& params,
                                                 const SymbolLayout& layout);

}  // namespace narrows
