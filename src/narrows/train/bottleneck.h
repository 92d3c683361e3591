#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/graph/graph.h"
#include "narrows/torch/linear_code.h"

/// Layers put into a network at one value. Weights are normal with variance 2 / fan-in (He et al.
/// 2015), the same for the same seed.
namespace narrows {

struct Inserted {
  Graph graph;
  /// Constants of the new layers.
  std::vector<std::string> constants;
  /// What crosses the cut now.
  std::string cut;
  /// What the rest of the network reads in the place of the value.
  std::string restored;
};

struct AutoencoderShape {
  /// Channels between encoder and decoder.
  std::int64_t channels = 8;
  /// 1: the encoder ends in a 1x1 convolution; 2: in a 3x3 one of stride 2.
  std::int64_t stride = 1;
  /// Convolutions of the encoder. 1: the map is projected as it is; 2: a 3x3 one with the channels
  /// of the map and a leaky ReLU come first.
  std::int64_t encoder_layers = 1;
};

/// What an autoencoder of one layer computes at first.
struct AutoencoderStart {
  LinearCode code;
  /// A ReLU follows the encoder; its results are what is decoded.
  bool rectified = false;
  /// What the ReLU lets pass is cut off here; 0: nowhere.
  double highest = 0;
};

/// The rectified start with each number in parts, so that few bits resolve small values finely:
/// with a base b of 64^(1/m), part j of m holds what lies between b^(j-m) and b^(j+1-m) of the
/// number's highest value (part 0: from 0 on), each part in a channel of its own and all channels
/// with the same range, as the segments of logarithmic companding do (ITU-T G.711). The parts' sum
/// is the number up to its highest value, of which there is one for each. (Of the bases tried for 2
/// to 6 parts of 3 bits, this one is near the best for SqueezeNet's outputs.)
AutoencoderStart segmented(const AutoencoderStart& start, std::span<const double> highest,
                           std::int64_t parts);

/// Encoder behind the value, decoder before everybody that reads it: a 3x3 convolution (after
/// nearest upsampling for stride 2), leaky ReLU, a 3x3 convolution. The value is a map.
///
/// With a start, whose code has as many numbers as the shape has channels, both compute that code:
/// two channels of the decoder's inner map hold a number and its opposite, whose difference passes
/// a leaky ReLU as it is; a rectified number passes it in one. Such an encoder has one layer and
/// stride 1, and at most half of the map's channels, rectified all of them.
Result<Inserted> insertAutoencoder(const Graph& graph, const std::string& value,
                                   const AutoencoderShape& shape, std::uint64_t seed,
                                   const AutoencoderStart* start = nullptr);

/// A 1x1 convolution of stride 1.
struct PointwiseReader {
  Tensor weight;  // outputs x channels
  Tensor bias;    // outputs
  /// What it computes is read by a ReLU alone.
  bool rectified = false;
};

/// The layer that alone reads the value, if it is of that kind.
std::optional<PointwiseReader> pointwiseReader(const Graph& graph, const std::string& value);

struct EngineShape {
  std::int64_t blocks = 2;
  /// Of the blocks' inner map; 0: those of the value.
  std::int64_t channels = 0;
};

/// A reconstruction engine before everybody that reads the value: residual blocks of two 3x3
/// convolutions with leaky ReLU between them, the second one zero at first, so that the network is
/// unchanged. The cut stays at the value.
Result<Inserted> insertReconstruction(const Graph& graph, const std::string& value,
                                      const EngineShape& shape, std::uint64_t seed);

/// Constants that the value is computed from.
Result<std::vector<std::string>> constantsBefore(const Graph& graph, const std::string& value);

}  // namespace narrows
