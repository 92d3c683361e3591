#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "narrows/base/units.h"
#include "narrows/codec/feature_codec.h"
#include "narrows/codec/params.h"
#include "narrows/tensor/tensor.h"

namespace narrows {

/// Wall-clock seconds since an arbitrary moment.
struct FrameClock {
  static Seconds now() {
    return Seconds(
        std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count());
  }
};

/// Sizes of frames, and the processor time of the thread that coded them.
struct FrameStatistics {
  std::size_t frames = 0;
  double total_bytes = 0;
  double total_squares = 0;  // of bytes
  std::size_t worst_bytes = 0;
  Seconds encode_time;
  Seconds decode_time;

  void add(std::size_t bytes, Seconds encode, Seconds decode) {
    ++frames;
    total_bytes += static_cast<double>(bytes);
    total_squares += static_cast<double>(bytes) * static_cast<double>(bytes);
    worst_bytes = std::max(worst_bytes, bytes);
    encode_time += encode;
    decode_time += decode;
  }
  void add(const FrameStatistics& other) {
    frames += other.frames;
    total_bytes += other.total_bytes;
    total_squares += other.total_squares;
    worst_bytes = std::max(worst_bytes, other.worst_bytes);
    encode_time += other.encode_time;
    decode_time += other.decode_time;
  }
  /// Means are 0 without frames.
  double meanBytes() const { return frames == 0 ? 0 : total_bytes / static_cast<double>(frames); }
  /// Sample standard deviation of a frame's bytes; 0 for less than two frames.
  double bytesDeviation() const {
    if (frames < 2) return 0;
    const auto count = static_cast<double>(frames);
    const double squares = total_squares - total_bytes * total_bytes / count;
    return std::sqrt(std::max(squares, 0.0) / (count - 1));
  }
  Seconds meanEncodeTime() const {
    return frames == 0 ? Seconds() : encode_time / static_cast<double>(frames);
  }
  Seconds meanDecodeTime() const {
    return frames == 0 ? Seconds() : decode_time / static_cast<double>(frames);
  }
};

/// Sends the tensors of a cut through their interfaces and back, and keeps count.
class FrameMeter {
 public:
  static Result<FrameMeter> create(std::span<const FeatureInterface> interfaces);

  /// Encodes and decodes one picture's maps, one frame each.
  Status measure(std::span<const TensorView> maps, std::uint32_t sequence);

  /// The maps as the receiver of the last frames holds them.
  std::span<const TensorView> decoded() const { return views_; }
  bool sameMaps(const FrameMeter& other) const;
  const FrameStatistics& statistics() const { return statistics_; }

 private:
  FrameMeter() = default;

  std::vector<FeatureEncoder> encoders_;
  std::vector<FeatureDecoder> decoders_;
  std::vector<ByteVector> frames_;
  std::vector<Tensor> maps_;
  std::vector<TensorView> views_;
  FrameStatistics statistics_;
};

}  // namespace narrows
