// The parameters for frames without magic number are outside the library's stable part.
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

#include "narrows/codec/byte_compressor.h"

namespace narrows {
namespace {

struct CompressorDeleter {
  void operator()(ZSTD_CCtx* c) const { ZSTD_freeCCtx(c); }
};
struct DecompressorDeleter {
  void operator()(ZSTD_DCtx* d) const { ZSTD_freeDCtx(d); }
};
using Compressor = std::unique_ptr<ZSTD_CCtx, CompressorDeleter>;
using Decompressor = std::unique_ptr<ZSTD_DCtx, DecompressorDeleter>;

class Zstd final : public ByteCompressor {
 public:
  Zstd(Compressor compressor, Decompressor decompressor)
      : compressor_(std::move(compressor)), decompressor_(std::move(decompressor)) {}

  Result<bool> compress(ByteSpan bytes, std::size_t limit, ByteVector& out) override {
    const std::size_t begin = out.size();
    out.resize(begin + limit);
    const std::size_t size =
        ZSTD_compress2(compressor_.get(), out.data() + begin, limit, bytes.data(), bytes.size());
    if (ZSTD_isError(size) != 0) {
      out.resize(begin);
      if (ZSTD_getErrorCode(size) == ZSTD_error_dstSize_tooSmall) return false;
      return makeError("zstd cannot compress: {}", ZSTD_getErrorName(size));
    }
    out.resize(begin + size);
    return true;
  }

  Status decompress(ByteSpan code, std::span<std::byte> bytes) override {
    const std::size_t size = ZSTD_decompressDCtx(decompressor_.get(), bytes.data(), bytes.size(),
                                                 code.data(), code.size());
    if (ZSTD_isError(size) != 0) {
      return makeError("the zstd stream is damaged: {}", ZSTD_getErrorName(size));
    }
    if (size != bytes.size()) {
      return makeError("the zstd stream holds {} bytes, expected {}", size, bytes.size());
    }
    return {};
  }

 private:
  Compressor compressor_;
  Decompressor decompressor_;
};

}  // namespace

Result<std::unique_ptr<ByteCompressor>> makeZstd(int level) {
  Compressor compressor(ZSTD_createCCtx());
  Decompressor decompressor(ZSTD_createDCtx());
  if (!compressor || !decompressor) return makeError("zstd has no memory");
  const std::size_t results[] = {
      ZSTD_CCtx_setParameter(compressor.get(), ZSTD_c_compressionLevel, level),
      ZSTD_CCtx_setParameter(compressor.get(), ZSTD_c_format, ZSTD_f_zstd1_magicless),
      ZSTD_CCtx_setParameter(compressor.get(), ZSTD_c_contentSizeFlag, 0),
      ZSTD_CCtx_setParameter(compressor.get(), ZSTD_c_checksumFlag, 0),
      ZSTD_CCtx_setParameter(compressor.get(), ZSTD_c_dictIDFlag, 0),
      ZSTD_DCtx_setParameter(decompressor.get(), ZSTD_d_format, ZSTD_f_zstd1_magicless)};
  for (const std::size_t result : results) {
    if (ZSTD_isError(result) != 0) {
      return makeError("zstd refuses level {}: {}", level, ZSTD_getErrorName(result));
    }
  }
  return std::unique_ptr<ByteCompressor>(
      std::make_unique<Zstd>(std::move(compressor), std::move(decompressor)));
}

}  // namespace narrows
