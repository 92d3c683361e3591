#pragma once

#include <memory>

#include "narrows/codec/lossless.h"

/// General compressors at their strongest setting over the packed map, each in the smallest form
/// that its library offers. zstd is that of `makeCoder`.
namespace narrows::bench {

/// zlib's DEFLATE at level 9, without header and checksum.
std::unique_ptr<LosslessCoder> makeZlibCoder(const SymbolLayout& layout);
/// Brotli at quality 11.
std::unique_ptr<LosslessCoder> makeBrotliCoder(const SymbolLayout& layout);
/// LZMA with liblzma's preset 9 | EXTREME as it is (what xz -9e and Python's lzma take), for each
/// map anew: a dictionary of 64 MiB and hash tables for it. That of `makeCoder` gives the same
/// bytes from a dictionary no longer than the map, whose tables are many times smaller and stay
/// allotted.
std::unique_ptr<LosslessCoder> makeLzmaPresetCoder(const SymbolLayout& layout);
/// The stage that Sanchez Leal et al. (SAS 2023) send: packed, then a ZIP file of one entry, made
/// with the default level.
std::unique_ptr<LosslessCoder> makeZipCoder(const SymbolLayout& layout);

}  // namespace narrows::bench
