#include "bench/codec/byte_coders.h"

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <lzma.h>
#include <zlib.h>

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

namespace narrows::bench {
namespace {

const std::uint8_t* octets(ByteSpan bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}
std::uint8_t* octets(std::span<std::byte> bytes) {
  return reinterpret_cast<std::uint8_t*>(bytes.data());
}

/// DEFLATE without a wrapper (window bits below zero).
Result<ByteVector> deflateBytes(ByteSpan bytes, int level) {
  z_stream stream{};
  if (deflateInit2(&stream, level, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
    return makeError("zlib cannot start");
  }
  ByteVector code(deflateBound(&stream, static_cast<uLong>(bytes.size())));
  stream.next_in = const_cast<Bytef*>(octets(bytes));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = octets(std::span(code));
  stream.avail_out = static_cast<uInt>(code.size());
  const int result = deflate(&stream, Z_FINISH);
  code.resize(stream.total_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) return makeError("zlib cannot compress: {}", result);
  return code;
}

Status inflateBytes(ByteSpan code, std::span<std::byte> bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, -15) != Z_OK) return makeError("zlib cannot start");
  stream.next_in = const_cast<Bytef*>(octets(code));
  stream.avail_in = static_cast<uInt>(code.size());
  stream.next_out = octets(bytes);
  stream.avail_out = static_cast<uInt>(bytes.size());
  const int result = inflate(&stream, Z_FINISH);
  const bool whole = stream.avail_in == 0 && stream.avail_out == 0;
  inflateEnd(&stream);
  if (result != Z_STREAM_END || !whole) return makeError("the deflate stream is damaged");
  return {};
}

Result<ByteVector> brotliBytes(ByteSpan bytes) {
  ByteVector code(BrotliEncoderMaxCompressedSize(bytes.size()) + 16);
  std::size_t size = code.size();
  if (!BrotliEncoderCompress(BROTLI_MAX_QUALITY, BROTLI_MAX_WINDOW_BITS, BROTLI_MODE_GENERIC,
                             bytes.size(), octets(bytes), &size, octets(std::span(code)))) {
    return makeError("brotli cannot compress");
  }
  code.resize(size);
  return code;
}

Status unbrotliBytes(ByteSpan code, std::span<std::byte> bytes) {
  std::size_t size = bytes.size();
  if (BrotliDecoderDecompress(code.size(), octets(code), &size, octets(bytes)) !=
          BROTLI_DECODER_RESULT_SUCCESS ||
      size != bytes.size()) {
    return makeError("the brotli stream is damaged");
  }
  return {};
}

/// The preset and its filter for `length` bytes without header and end marker.
struct LzmaPreset {
  lzma_options_lzma options{};
  lzma_filter filters[2]{};
  bool usable = false;

  explicit LzmaPreset(std::size_t length) {
    usable = !lzma_lzma_preset(&options, 9 | LZMA_PRESET_EXTREME);
    lzma_set_ext_size(options, static_cast<std::uint64_t>(length));
    filters[0] = {LZMA_FILTER_LZMA1EXT, &options};
    filters[1] = {LZMA_VLI_UNKNOWN, nullptr};
  }
};

Result<ByteVector> lzmaBytes(ByteSpan bytes) {
  LzmaPreset preset(bytes.size());
  ByteVector code(bytes.size() + bytes.size() / 8 + 256);
  std::size_t size = 0;
  if (!preset.usable ||
      lzma_raw_buffer_encode(preset.filters, nullptr, octets(bytes), bytes.size(),
                             octets(std::span(code)), &size, code.size()) != LZMA_OK) {
    return makeError("lzma cannot compress");
  }
  code.resize(size);
  return code;
}

Status unlzmaBytes(ByteSpan code, std::span<std::byte> bytes) {
  LzmaPreset preset(bytes.size());
  std::size_t read = 0;
  std::size_t written = 0;
  if (!preset.usable ||
      lzma_raw_buffer_decode(preset.filters, nullptr, octets(code), &read, code.size(),
                             octets(bytes), &written, bytes.size()) != LZMA_OK ||
      written != bytes.size()) {
    return makeError("the lzma stream is damaged");
  }
  return {};
}

constexpr std::string_view kEntryName = "map";
constexpr std::size_t kLocalHeader = 30 + kEntryName.size();
constexpr std::size_t kDirectory = 46 + kEntryName.size();

/// One entry, its directory and the end record (PKWARE APPNOTE 6.3, sections 4.3.7, 4.3.12 and
/// 4.3.16).
Result<ByteVector> zipBytes(ByteSpan bytes) {
  NARROWS_TRY(code, deflateBytes(bytes, Z_DEFAULT_COMPRESSION));
  const auto crc =
      static_cast<std::uint32_t>(crc32(0, octets(bytes), static_cast<uInt>(bytes.size())));
  const auto common = [&](ByteWriter& out) {
    out.write(std::uint16_t{20});  // version needed
    out.write(std::uint16_t{0});   // flags
    out.write(std::uint16_t{8});   // deflate
    out.write(std::uint32_t{0});   // time and date
    out.write(crc);
    out.write(static_cast<std::uint32_t>(code.size()));
    out.write(static_cast<std::uint32_t>(bytes.size()));
    out.write(static_cast<std::uint16_t>(kEntryName.size()));
    out.write(std::uint16_t{0});  // extra field
  };
  ByteWriter out;
  out.write(std::uint32_t{0x04034B50});
  common(out);
  out.append(asBytes(kEntryName));
  out.append(code);
  const auto directory = static_cast<std::uint32_t>(out.size());
  out.write(std::uint32_t{0x02014B50});
  out.write(std::uint16_t{20});  // made by
  common(out);
  out.write(std::uint16_t{0});  // comment
  out.write(std::uint16_t{0});  // disk
  out.write(std::uint16_t{0});  // attributes
  out.write(std::uint32_t{0});
  out.write(std::uint32_t{0});  // offset of the entry
  out.append(asBytes(kEntryName));
  out.write(std::uint32_t{0x06054B50});
  out.write(std::uint32_t{0});  // disks
  out.write(std::uint16_t{1});
  out.write(std::uint16_t{1});
  out.write(static_cast<std::uint32_t>(out.size() - 12 - directory));
  out.write(directory);
  out.write(std::uint16_t{0});  // comment
  return std::move(out).take();
}

Status unzipBytes(ByteSpan file, std::span<std::byte> bytes) {
  constexpr std::size_t kFraming = kLocalHeader + kDirectory + 22;
  if (file.size() < kFraming) return makeError("the ZIP file ends early");
  return inflateBytes(file.subspan(kLocalHeader, file.size() - kFraming), bytes);
}

using Compress = std::function<Result<ByteVector>(ByteSpan)>;
using Decompress = std::function<Status(ByteSpan, std::span<std::byte>)>;

class PackedCoder final : public LosslessCoder {
 public:
  PackedCoder(const SymbolLayout& layout, Compress compress, Decompress decompress)
      : LosslessCoder(layout),
        compress_(std::move(compress)),
        decompress_(std::move(decompress)),
        packed_(layout.packedBytes()) {}

  Result<bool> encode(std::span<const std::uint8_t> symbols, std::size_t limit,
                      ByteVector& out) override {
    packSymbols(symbols, layout().bits, packed_);
    NARROWS_TRY(code, compress_(packed_));
    if (code.size() > limit) return false;
    out.insert(out.end(), code.begin(), code.end());
    return true;
  }
  Status decode(ByteSpan code, std::span<std::uint8_t> symbols) override {
    NARROWS_CHECK(decompress_(code, packed_));
    return unpackSymbols(packed_, layout().bits, symbols);
  }

 private:
  Compress compress_;
  Decompress decompress_;
  ByteVector packed_;
};

}  // namespace

std::unique_ptr<LosslessCoder> makeZlibCoder(const SymbolLayout& layout) {
  return std::make_unique<PackedCoder>(
      layout, [](ByteSpan bytes) { return deflateBytes(bytes, 9); }, inflateBytes);
}

std::unique_ptr<LosslessCoder> makeBrotliCoder(const SymbolLayout& layout) {
  return std::make_unique<PackedCoder>(layout, brotliBytes, unbrotliBytes);
}

std::unique_ptr<LosslessCoder> makeLzmaPresetCoder(const SymbolLayout& layout) {
  return std::make_unique<PackedCoder>(layout, lzmaBytes, unlzmaBytes);
}

std::unique_ptr<LosslessCoder> makeZipCoder(const SymbolLayout& layout) {
  return std::make_unique<PackedCoder>(layout, zipBytes, unzipBytes);
}

}  // namespace narrows::bench
