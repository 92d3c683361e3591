#include "narrows/vision/png.h"

#include <png.h>

#include <array>
#include <csetjmp>
#include <cstring>
#include <span>
#include <string>

namespace narrows::png {
namespace {

constexpr std::size_t kSignatureBytes = 8;

// libpng reports errors by a callback that must not return; it jumps to the last `setjmp`. The
// functions that hold a `setjmp` therefore own nothing with a destructor.
struct Trap {
  std::jmp_buf return_point;
  std::array<char, 256> message{};
};

[[noreturn]] void onError(png_structp codec, png_const_charp text) {
  auto* trap = static_cast<Trap*>(png_get_error_ptr(codec));
  std::strncpy(trap->message.data(), text, trap->message.size() - 1);
  std::longjmp(trap->return_point, 1);
}
void onWarning(png_structp, png_const_charp) {}

struct Source {
  ByteSpan rest;
};
void onRead(png_structp codec, png_bytep target, std::size_t count) {
  auto* source = static_cast<Source*>(png_get_io_ptr(codec));
  if (count > source->rest.size()) png_error(codec, "file ends early");
  std::memcpy(target, source->rest.data(), count);
  source->rest = source->rest.subspan(count);
}

class Reader {
 public:
  explicit Reader(ByteSpan file) : source_{file} {
    codec_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &trap_, onError, onWarning);
    NARROWS_ASSERT(codec_ != nullptr);
    info_ = png_create_info_struct(codec_);
    NARROWS_ASSERT(info_ != nullptr);
  }
  ~Reader() { png_destroy_read_struct(&codec_, &info_, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Error error() const { return Error{std::string(trap_.message.data())}; }
  ImageSize size() const {
    return {png_get_image_width(codec_, info_), png_get_image_height(codec_, info_)};
  }

  bool readHeader() {
    if (setjmp(trap_.return_point) != 0) return false;
    png_set_read_fn(codec_, &source_, onRead);
    // Text and profile chunks are compressed: without a bound a small file unpacks to gigabytes.
    png_set_chunk_malloc_max(codec_, 4U << 20);
    png_set_chunk_cache_max(codec_, 64);
    png_read_info(codec_, info_);
    return true;
  }

  /// Reads all rows as 8-bit RGB; `rows` point into the caller's picture.
  bool readRows(std::span<png_bytep> rows) {
    if (setjmp(trap_.return_point) != 0) return false;
    png_set_expand(codec_);
    png_set_strip_16(codec_);
    png_set_strip_alpha(codec_);
    png_set_gray_to_rgb(codec_);
    png_set_interlace_handling(codec_);
    png_read_update_info(codec_, info_);
    if (png_get_rowbytes(codec_, info_) != png_get_image_width(codec_, info_) * std::size_t{3}) {
      png_error(codec_, "samples do not convert to 8-bit RGB");
    }
    png_read_image(codec_, rows.data());
    png_read_end(codec_, nullptr);
    return true;
  }

 private:
  Trap trap_{};
  Source source_;
  png_structp codec_ = nullptr;
  png_infop info_ = nullptr;
};

class Writer {
 public:
  Writer() {
    codec_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, &trap_, onError, onWarning);
    NARROWS_ASSERT(codec_ != nullptr);
    info_ = png_create_info_struct(codec_);
    NARROWS_ASSERT(info_ != nullptr);
  }
  ~Writer() { png_destroy_write_struct(&codec_, &info_); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  Error error() const { return Error{std::string(trap_.message.data())}; }

  bool write(const Image& image, ByteVector& file) {
    if (setjmp(trap_.return_point) != 0) return false;
    png_set_write_fn(codec_, &file, append, nullptr);
    png_set_IHDR(codec_, info_, static_cast<png_uint_32>(image.width),
                 static_cast<png_uint_32>(image.height), 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(codec_, info_);
    const std::size_t row_bytes = static_cast<std::size_t>(image.width) * 3;
    for (std::size_t y = 0; y < static_cast<std::size_t>(image.height); ++y) {
      png_write_row(codec_, image.rgb.data() + y * row_bytes);
    }
    png_write_end(codec_, info_);
    return true;
  }

 private:
  static void append(png_structp codec, png_bytep bytes, std::size_t count) {
    auto* file = static_cast<ByteVector*>(png_get_io_ptr(codec));
    const auto* begin = reinterpret_cast<const std::byte*>(bytes);
    file->insert(file->end(), begin, begin + count);
  }

  Trap trap_{};
  png_structp codec_ = nullptr;
  png_infop info_ = nullptr;
};

Status checkSize(ImageSize size) {
  if (size.width <= 0 || size.height <= 0 || size.width > kMaxPixels / size.height) {
    return makeError("{}x{} pixels; expected 1 to {}", size.width, size.height, kMaxPixels);
  }
  return {};
}

}  // namespace

bool isPng(ByteSpan file) {
  return file.size() >= kSignatureBytes &&
         png_sig_cmp(reinterpret_cast<png_const_bytep>(file.data()), 0, kSignatureBytes) == 0;
}

Result<ImageSize> readSize(ByteSpan file) {
  Reader reader(file);
  if (!reader.readHeader()) return reader.error();
  NARROWS_CHECK(checkSize(reader.size()));
  return reader.size();
}

Result<Image> decode(ByteSpan file) {
  Reader reader(file);
  if (!reader.readHeader()) return reader.error();
  NARROWS_CHECK(checkSize(reader.size()));
  Image image = makeImage(reader.size());
  std::vector<png_bytep> rows(static_cast<std::size_t>(image.height));
  const std::size_t row_bytes = static_cast<std::size_t>(image.width) * 3;
  for (std::size_t y = 0; y < rows.size(); ++y) rows[y] = image.rgb.data() + y * row_bytes;
  if (!reader.readRows(rows)) return reader.error();
  return image;
}

Result<ByteVector> encode(const Image& image) {
  Writer writer;
  ByteVector file;
  if (!writer.write(image, file)) return writer.error();
  return file;
}

}  // namespace narrows::png
