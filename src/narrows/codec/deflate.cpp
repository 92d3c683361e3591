#include <libdeflate.h>

#include "narrows/codec/byte_compressor.h"

namespace narrows {
namespace {

struct CompressorDeleter {
  void operator()(libdeflate_compressor* c) const { libdeflate_free_compressor(c); }
};
struct DecompressorDeleter {
  void operator()(libdeflate_decompressor* d) const { libdeflate_free_decompressor(d); }
};
using Compressor = std::unique_ptr<libdeflate_compressor, CompressorDeleter>;
using Decompressor = std::unique_ptr<libdeflate_decompressor, DecompressorDeleter>;

class Deflate final : public ByteCompressor {
 public:
  Deflate(Compressor compressor, Decompressor decompressor)
      : compressor_(std::move(compressor)), decompressor_(std::move(decompressor)) {}

  Result<bool> compress(ByteSpan bytes, std::size_t limit, ByteVector& out) override {
    const std::size_t begin = out.size();
    out.resize(begin + limit);
    const std::size_t size = libdeflate_deflate_compress(compressor_.get(), bytes.data(),
                                                         bytes.size(), out.data() + begin, limit);
    out.resize(begin + size);
    return size > 0;
  }

  Status decompress(ByteSpan code, std::span<std::byte> bytes) override {
    std::size_t read = 0;
    const libdeflate_result result = libdeflate_deflate_decompress_ex(
        decompressor_.get(), code.data(), code.size(), bytes.data(), bytes.size(), &read, nullptr);
    switch (result) {
      case LIBDEFLATE_SUCCESS:
        break;
      case LIBDEFLATE_BAD_DATA:
        return makeError("the deflate stream is damaged");
      case LIBDEFLATE_SHORT_OUTPUT:
        return makeError("the deflate stream holds fewer than the {} bytes expected", bytes.size());
      case LIBDEFLATE_INSUFFICIENT_SPACE:
        return makeError("the deflate stream holds more than the {} bytes expected", bytes.size());
    }
    if (read != code.size()) {
      return makeError("{} bytes follow the deflate stream", code.size() - read);
    }
    return {};
  }

 private:
  Compressor compressor_;
  Decompressor decompressor_;
};

}  // namespace

Result<std::unique_ptr<ByteCompressor>> makeDeflate(int level) {
  Compressor compressor(libdeflate_alloc_compressor(level));
  Decompressor decompressor(libdeflate_alloc_decompressor());
  if (!compressor || !decompressor) {
    return makeError("libdeflate has no memory or no level {}", level);
  }
  return std::unique_ptr<ByteCompressor>(
      std::make_unique<Deflate>(std::move(compressor), std::move(decompressor)));
}

}  // namespace narrows
