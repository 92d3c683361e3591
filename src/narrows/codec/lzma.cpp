#include <lzma.h>

#include <algorithm>
#include <cstdint>

#include "narrows/codec/byte_compressor.h"

namespace narrows {
namespace {

std::string_view reason(lzma_ret result) {
  switch (result) {
    case LZMA_MEM_ERROR:
      return "out of memory";
    case LZMA_MEMLIMIT_ERROR:
      return "memory limit";
    case LZMA_OPTIONS_ERROR:
      return "unsupported options";
    case LZMA_DATA_ERROR:
      return "invalid data";
    case LZMA_OK:
    case LZMA_BUF_ERROR:
      return "it ends early";
    default:
      return "unknown error";
  }
}

class Lzma final : public ByteCompressor {
 public:
  Lzma(const lzma_options_lzma& options, std::size_t length) : options_(options), length_(length) {
    // Ends at the known size: the encoder then writes no end marker and the decoder takes none.
    lzma_set_ext_size(options_, static_cast<std::uint64_t>(length));
    filters_[0] = {LZMA_FILTER_LZMA1EXT, &options_};
    filters_[1] = {LZMA_VLI_UNKNOWN, nullptr};
  }
  ~Lzma() override {
    lzma_end(&encoder_);
    lzma_end(&decoder_);
  }

  Result<bool> compress(ByteSpan bytes, std::size_t limit, ByteVector& out) override {
    // A stream that starts again with the same filters keeps its memory.
    lzma_ret result = lzma_raw_encoder(&encoder_, filters_);
    if (result != LZMA_OK) return makeError("lzma cannot compress: {}", reason(result));
    const std::size_t begin = out.size();
    out.resize(begin + limit);
    result = run(encoder_, bytes, {out.data() + begin, limit});
    const bool fits = result == LZMA_STREAM_END;
    out.resize(fits ? begin + static_cast<std::size_t>(encoder_.total_out) : begin);
    if (!fits && result != LZMA_OK && result != LZMA_BUF_ERROR) {
      return makeError("lzma cannot compress: {}", reason(result));
    }
    return fits;
  }

  Status decompress(ByteSpan code, std::span<std::byte> bytes) override {
    if (bytes.size() != length_) {
      return makeError("the lzma stream holds {} bytes, {} are asked for", length_, bytes.size());
    }
    lzma_ret result = lzma_raw_decoder(&decoder_, filters_);
    if (result != LZMA_OK) return makeError("lzma cannot decompress: {}", reason(result));
    result = run(decoder_, code, bytes);
    if (result != LZMA_STREAM_END || decoder_.total_out != bytes.size()) {
      return makeError("the lzma stream is damaged: {}", reason(result));
    }
    if (decoder_.total_in != code.size()) {
      return makeError("{} bytes follow the lzma stream", code.size() - decoder_.total_in);
    }
    return {};
  }

 private:
  static lzma_ret run(lzma_stream& stream, ByteSpan in, std::span<std::byte> out) {
    stream.next_in = reinterpret_cast<const std::uint8_t*>(in.data());
    stream.avail_in = in.size();
    stream.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    stream.avail_out = out.size();
    return lzma_code(&stream, LZMA_FINISH);
  }

  lzma_options_lzma options_;
  std::size_t length_;
  lzma_filter filters_[2] = {};
  lzma_stream encoder_ = LZMA_STREAM_INIT;
  lzma_stream decoder_ = LZMA_STREAM_INIT;
};

}  // namespace

Result<std::unique_ptr<ByteCompressor>> makeLzma(int level, std::size_t length) {
  const std::uint32_t preset = level < 10
                                   ? static_cast<std::uint32_t>(level)
                                   : static_cast<std::uint32_t>(level - 10) | LZMA_PRESET_EXTREME;
  lzma_options_lzma options{};
  if (lzma_lzma_preset(&options, preset)) return makeError("lzma has no level {}", level);
  // A longer dictionary than the data gains nothing and costs a clearing of memory each frame.
  const auto needed = static_cast<std::uint32_t>(std::min<std::size_t>(length, options.dict_size));
  options.dict_size = std::max<std::uint32_t>(needed, LZMA_DICT_SIZE_MIN);
  return std::unique_ptr<ByteCompressor>(std::make_unique<Lzma>(options, length));
}

}  // namespace narrows
