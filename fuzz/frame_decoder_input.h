#pragma once

#include <cstddef>
#include <vector>

#include "narrows/base/byte_io.h"
#include "narrows/codec/feature_codec.h"

/// Layout of an input of the frame decoder's fuzz targets: one byte that names an interface (its
/// value modulo the number of interfaces) and one that says what follows: 255 for a whole frame,
/// any other for a payload of form `value % 6`, which the targets frame itself so that the checksum
/// does not keep it from the coders; 5 is form 4 (temporal) behind the name of a frame that the
/// decoder has.
namespace narrows::fuzz {

inline constexpr unsigned kWholeFrame = 255;
inline constexpr unsigned kNamedTemporal = 5;
inline constexpr unsigned kShapes = 6;
inline constexpr std::uint32_t kKeySequence = 3;

/// Small maps of every coder at its default level, and of several widths, granularities and types.
std::vector<FeatureInterface> frameDecoderInterfaces();

/// The same maps of the context coder at maximum effort alone: it fills large tables for each
/// frame, and would slow the search among the others.
std::vector<FeatureInterface> maximumEffortInterfaces();

/// Coders of some interfaces, made once and used for one input after the other, as a server does:
/// nothing of a hostile frame may stay in them.
class HostileDecoder {
 public:
  explicit HostileDecoder(std::vector<FeatureInterface> interfaces);

  /// Decodes a hostile input. What is accepted must be well-formed: levels of the quantizer only,
  /// and the map it gives must encode and decode to itself.
  void decode(ByteSpan input);

 private:
  struct Link {
    FeatureInterface interface;
    FeatureEncoder encoder;
    FeatureDecoder decoder;
    Tensor map;
    Tensor again;
    /// A frame of zeros that stands alone, number kKeySequence.
    ByteVector key;
  };

  static void checkMap(Link& link);

  std::vector<Link> links_;
};

}  // namespace narrows::fuzz
