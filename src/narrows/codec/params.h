#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"
#include "narrows/tensor/tensor.h"

/// What both sides of an interface must agree on. Calibrated with the cut, stored in the bundle,
/// never sent with a frame.
namespace narrows {

/// Widest symbol, in bits.
inline constexpr int kMaxBits = 8;
/// Largest serialized tables of a coder.
inline constexpr std::size_t kMaxTableBytes = std::size_t{1} << 24;
/// Largest map, in bytes of its tensor, that an interface carries.
inline constexpr std::size_t kMaxMapBytes = std::size_t{1} << 31;
/// Smallest limit that can be set on the bytes of a frame.
inline constexpr std::size_t kSmallestFrameLimit = 16;

enum class QuantizerKind : std::uint8_t {
  /// Elements travel as they are (f32, or any dtype): no loss.
  none,
  // In both quantizers NaN gives q = 0, and infinities the lowest or highest level. The arithmetic
  // is f32 in the order written, one rounding an operation, so q and x' are equal on all machines.
  /// q = clamp(floor((x - low) / step + 0.5), 0, 2^bits - 1), x' = low + step * q.
  uniform,
  /// One bit: q = (x >= mean), x' = q ? mean : mean - range (Sanchez Leal et al., SAS 2023,
  /// equations 5 and 6, with the code -1 of equation 5 written as 0). `low` holds mean - range and
  /// `step` holds range; the threshold is low + step, not the middle.
  two_level,
  /// One table of 2^bits ascending levels for the tensor: q counts the thresholds t with x >= t,
  /// where threshold i is 0.5 (levels[i] + levels[i + 1]), x' = levels[q]. So q is the nearest
  /// level, halfway the higher one, and of equal levels the last.
  levels,
};

enum class Granularity : std::uint8_t { tensor, channel };

struct QuantizerParams {
  QuantizerKind kind = QuantizerKind::none;
  /// 1 to 8; 1 for two_level; ignored for none.
  int bits = 8;
  /// Of the tensor for `levels`.
  Granularity granularity = Granularity::tensor;
  /// One entry for the tensor or one for each channel (axis 1). Steps are positive and finite.
  /// Empty for `levels`.
  std::vector<float> low;
  std::vector<float> step;
  /// For `levels` alone: 2^bits finite values, none below the one before it.
  std::vector<float> levels = {};

  friend bool operator==(const QuantizerParams&, const QuantizerParams&) = default;
};

enum class CoderKind : std::uint8_t {
  raw = 0,
  deflate = 1,
  lzma = 2,
  zstd = 3,
  /// Our own, for quantized maps: contexts of neighbouring symbols, tables from calibration.
  context = 4,
};

/// Level of `context` where a byte costs more than a microsecond.
inline constexpr int kMaximumEffort = 1;

inline constexpr std::uint32_t kMaxKeyInterval = 1U << 16;

struct CoderParams {
  CoderKind kind = CoderKind::raw;
  /// The library's own scale, see `levelRange`; -1 is its default. Only the encoder heeds it. For
  /// `context` 0 is fast and kMaximumEffort small.
  int level = -1;
  /// For `context`: what `ContextTables::serialize` gave, or nothing for the tables that serve any
  /// map. Empty for the others.
  ByteVector tables = {};

  friend bool operator==(const CoderParams&, const CoderParams&) = default;
};

/// A tensor that crosses a link: quantized, packed, coded.
struct FeatureInterface {
  /// Type of the tensor on both sides.
  TensorType type;
  QuantizerParams quantizer;
  CoderParams coder;
  /// Most bytes of a frame, its header included; 0 sets no limit, other values are at least
  /// kSmallestFrameLimit. A map whose frame would be longer travels with fewer bits a symbol, and
  /// is refused when one bit is too much. Only the encoder heeds it.
  std::size_t max_frame_bytes = 0;
  /// Frames of a stream may refer to earlier ones that the receiver has: at most this many from one
  /// that stands alone to the next, at most kMaxKeyInterval. 0: every frame stands alone. Either
  /// side then keeps the maps of its last frames.
  std::uint32_t key_interval = 0;

  friend bool operator==(const FeatureInterface&, const FeatureInterface&) = default;
};

enum class ImageCoding : std::uint8_t {
  /// 8-bit samples after resizing, as they enter normalisation.
  raw,
  /// The same, as baseline JPEG.
  jpeg,
  /// The file as the camera wrote it.
  original,
};

/// The picture itself crosses the link; the receiving side does all pre-processing that is left.
struct ImageInterface {
  ImageCoding coding = ImageCoding::raw;
  /// 1 to 100, for jpeg.
  int quality = 90;

  friend bool operator==(const ImageInterface&, const ImageInterface&) = default;
};

using InterfaceParams = std::variant<FeatureInterface, ImageInterface>;

std::string_view toString(QuantizerKind kind);
std::string_view toString(Granularity granularity);
std::string_view toString(CoderKind kind);
std::string_view toString(ImageCoding coding);
/// The inverse of `toString`; the error lists the known names.
Result<QuantizerKind> parseQuantizerKind(std::string_view name);
Result<Granularity> parseGranularity(std::string_view name);
Result<CoderKind> parseCoderKind(std::string_view name);
Result<ImageCoding> parseImageCoding(std::string_view name);

/// Levels a coder accepts, both ends included, and what -1 stands for. The scales are libdeflate's,
/// liblzma's (10 to 19 are presets 0 to 9 with its "extreme" flag), zstd's, and for `context` 0 and
/// kMaximumEffort.
struct LevelRange {
  int lowest = 0;
  int highest = 0;
  int standard = 0;
};
LevelRange levelRange(CoderKind kind);

/// How many entries `low` and `step` have: one, or one for each channel; an error for channels of a
/// tensor without axis 1.
Result<std::size_t> parameterCount(const TensorType& type, Granularity granularity);

/// Checks ranges and counts against the tensor's type: bits, finite positive steps, one entry or
/// one for each channel, ascending levels, f32 for quantizers other than none.
Status validate(const InterfaceParams& params);

}  // namespace narrows
