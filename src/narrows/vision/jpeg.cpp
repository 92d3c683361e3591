#include "narrows/vision/jpeg.h"

// jpeglib.h needs FILE and size_t declared before it.
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <jpeglib.h>

#include <jerror.h>

namespace narrows::jpeg {
namespace {

// libjpeg reports errors by a callback that must not return; it jumps to the last `setjmp`. The
// functions that hold a `setjmp` therefore own nothing with a destructor: buffers belong to their
// callers.
struct ErrorTrap {
  jpeg_error_mgr manager;  // first member, so that libjpeg's pointer to it finds the whole
  std::jmp_buf return_point;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void onError(j_common_ptr codec) {
  auto* trap = reinterpret_cast<ErrorTrap*>(codec->err);
  codec->err->format_message(codec, trap->message);
  std::longjmp(trap->return_point, 1);
}

// A warning says that data is damaged and the rest is invented; no picture is better than that. The
// exceptions are faults beside the data that every decoder reads past.
void onMessage(j_common_ptr codec, int level) {
  const int code = codec->err->msg_code;
  if (level >= 0 || code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM) return;
  onError(codec);
}

void onOutput(j_common_ptr) {}

jpeg_error_mgr* arm(ErrorTrap& trap) {
  jpeg_error_mgr* manager = jpeg_std_error(&trap.manager);
  manager->error_exit = onError;
  manager->emit_message = onMessage;
  manager->output_message = onOutput;
  trap.message[0] = '\0';
  return manager;
}

Error libraryError(const ErrorTrap& trap) {
  return Error{std::string(trap.message)};
}

/// A decompressor with its memory; the codec is created once and destroyed once.
class Decompressor {
 public:
  Decompressor() { codec_.err = arm(trap_); }
  ~Decompressor() {
    if (created_) jpeg_destroy_decompress(&codec_);
  }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  const ErrorTrap& trap() const { return trap_; }
  ImageSize size() const { return {codec_.image_width, codec_.image_height}; }
  J_COLOR_SPACE outputSpace() const { return codec_.out_color_space; }
  int scans() const { return codec_.input_scan_number; }

  /// False when the library complained; the reason is in `trap`.
  bool readHeader(ByteSpan file) {
    if (setjmp(trap_.return_point) != 0) return false;
    jpeg_create_decompress(&codec_);
    created_ = true;
    codec_.mem->max_memory_to_use = kCodecMemory;
    jpeg_mem_src(&codec_, reinterpret_cast<const unsigned char*>(file.data()), file.size());
    jpeg_read_header(&codec_, TRUE);
    return true;
  }

  /// Starts the output as RGB, or as CMYK where the file has four inks.
  bool start() {
    if (setjmp(trap_.return_point) != 0) return false;
    const bool inks = codec_.jpeg_color_space == JCS_CMYK || codec_.jpeg_color_space == JCS_YCCK;
    codec_.out_color_space = inks ? JCS_CMYK : JCS_RGB;
    // A progressive file can repeat scans without end; each costs a pass over the whole picture.
    codec_.buffered_image = jpeg_has_multiple_scans(&codec_);
    jpeg_start_decompress(&codec_);
    return !codec_.buffered_image || consumeScans();
  }

  /// Reads one row of `width * output_components` samples.
  bool readRow(std::uint8_t* row) {
    if (setjmp(trap_.return_point) != 0) return false;
    JSAMPROW rows[1] = {row};
    return jpeg_read_scanlines(&codec_, rows, 1) == 1;
  }

  bool finish() {
    if (setjmp(trap_.return_point) != 0) return false;
    if (codec_.buffered_image) jpeg_finish_output(&codec_);
    jpeg_finish_decompress(&codec_);
    return true;
  }

  /// Adobe files store inks inverted: 255 is no ink.
  bool invertedInks() const { return codec_.saw_Adobe_marker; }

 private:
  // libjpeg holds the coefficients of progressive files: 16-bit for up to four components.
  static constexpr long kCodecMemory = 768L << 20;
  static constexpr int kMaxScans = 200;

  bool consumeScans() {
    while (!jpeg_input_complete(&codec_)) {
      if (codec_.input_scan_number > kMaxScans) {
        std::snprintf(trap_.message, sizeof(trap_.message), "more than %d scans", kMaxScans);
        return false;
      }
      jpeg_consume_input(&codec_);
    }
    jpeg_start_output(&codec_, codec_.input_scan_number);
    return true;
  }

  ErrorTrap trap_{};
  jpeg_decompress_struct codec_{};
  bool created_ = false;
};

Status checkSize(ImageSize size) {
  if (size.width <= 0 || size.height <= 0 || size.width > kMaxPixels / size.height) {
    return makeError("{}x{} pixels; expected 1 to {}", size.width, size.height, kMaxPixels);
  }
  return {};
}

void inksToRgb(std::span<const std::uint8_t> cmyk, bool inverted, std::uint8_t* rgb) {
  for (std::size_t i = 0; i < cmyk.size(); i += 4) {
    const int light = inverted ? cmyk[i + 3] : 255 - cmyk[i + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      const int channel = inverted ? cmyk[i + c] : 255 - cmyk[i + c];
      *rgb++ = static_cast<std::uint8_t>((channel * light + 127) / 255);
    }
  }
}

/// Runs the compressor; `buffer` is libjpeg's and the caller frees it in every case.
bool compress(const Image& image, int quality, ErrorTrap& trap, jpeg_compress_struct& codec,
              unsigned char** buffer, unsigned long* bytes) {
  if (setjmp(trap.return_point) != 0) return false;
  jpeg_create_compress(&codec);
  jpeg_mem_dest(&codec, buffer, bytes);
  codec.image_width = static_cast<JDIMENSION>(image.width);
  codec.image_height = static_cast<JDIMENSION>(image.height);
  codec.input_components = 3;
  codec.in_color_space = JCS_RGB;
  jpeg_set_defaults(&codec);
  jpeg_set_quality(&codec, quality, TRUE);
  jpeg_start_compress(&codec, TRUE);
  const std::size_t row_bytes = static_cast<std::size_t>(image.width) * 3;
  while (codec.next_scanline < codec.image_height) {
    JSAMPROW rows[1] = {const_cast<JSAMPROW>(image.rgb.data()) + row_bytes * codec.next_scanline};
    jpeg_write_scanlines(&codec, rows, 1);
  }
  jpeg_finish_compress(&codec);
  return true;
}

}  // namespace

bool isJpeg(ByteSpan file) {
  return file.size() >= 3 && file[0] == std::byte{0xFF} && file[1] == std::byte{0xD8} &&
         file[2] == std::byte{0xFF};
}

Result<ImageSize> readSize(ByteSpan file) {
  Decompressor decompressor;
  if (!decompressor.readHeader(file)) return libraryError(decompressor.trap());
  NARROWS_CHECK(checkSize(decompressor.size()));
  return decompressor.size();
}

Result<Image> decode(ByteSpan file) {
  Decompressor decompressor;
  if (!decompressor.readHeader(file)) return libraryError(decompressor.trap());
  NARROWS_CHECK(checkSize(decompressor.size()));
  if (!decompressor.start()) return libraryError(decompressor.trap());
  Image image = makeImage(decompressor.size());
  const bool inks = decompressor.outputSpace() == JCS_CMYK;
  const auto width = static_cast<std::size_t>(image.width);
  std::vector<std::uint8_t> ink_row(inks ? width * 4 : 0);
  for (std::int64_t y = 0; y < image.height; ++y) {
    std::uint8_t* row = image.rgb.data() + static_cast<std::size_t>(y) * width * 3;
    if (!decompressor.readRow(inks ? ink_row.data() : row))
      return libraryError(decompressor.trap());
    if (inks) inksToRgb(ink_row, decompressor.invertedInks(), row);
  }
  if (!decompressor.finish()) return libraryError(decompressor.trap());
  return image;
}

Result<ByteVector> encode(const Image& image, int quality) {
  ErrorTrap trap{};
  jpeg_compress_struct codec{};
  codec.err = arm(trap);
  unsigned char* buffer = nullptr;
  unsigned long bytes = 0;
  const bool ok = compress(image, quality, trap, codec, &buffer, &bytes);
  jpeg_destroy_compress(&codec);
  ByteVector file;
  if (ok) {
    const auto* begin = reinterpret_cast<const std::byte*>(buffer);
    file.assign(begin, begin + bytes);
  }
  std::free(buffer);
  if (!ok) return libraryError(trap);
  return file;
}

}  // namespace narrows::jpeg
