#pragma once

#include <memory>

#include "narrows/codec/lossless.h"

/// General compressors at their strongest setting over the packed map, each in the smallest form
/// that its library offers. LZMA and zstd are those of `makeCoder`.
namespace narrows::bench {

/// zlib's DEFLATE at level 9, without header and checksum.
std::unique_ptr<LosslessCoder> makeZlibCoder(const SymbolLayout& layout);
/// Brotli at quality 11.
std::unique_ptr<LosslessCoder> makeBrotliCoder(const SymbolLayout& layout);
/// The stage that Sanchez Leal et al. (SAS 2023) send: packed, then a ZIP file of one entry, made
/// with the default level.
std::unique_ptr<LosslessCoder> makeZipCoder(const SymbolLayout& layout);

}  // namespace narrows::bench
