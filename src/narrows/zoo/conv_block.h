#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "narrows/graph/graph.h"

namespace narrows {

/// Adds layers with seeded random weights to a graph. The engine's numbers are used directly, not
/// through a distribution of the standard library, whose results differ between implementations.
class LayerBuilder {
 public:
  LayerBuilder(Graph& graph, std::uint64_t seed) : graph_(&graph), random_(seed) {}

  /// Convolution without bias, batch normalisation, leaky ReLU of slope 0.1; padding keeps the
  /// extents at stride 1.
  Result<ValueId> convBlock(ValueId x, std::int64_t channels, std::int64_t kernel,
                            const std::string& name);
  /// 1 x 1 convolution with this bias for each channel.
  Result<ValueId> pointwise(ValueId x, std::span<const float> bias, const std::string& name,
                            const std::string& output_name);
  /// 2 x 2 maximum; stride 1 pads below and right.
  Result<ValueId> maxPool(ValueId x, std::int64_t stride, const std::string& name);
  Result<ValueId> upsample(ValueId x, std::int64_t factor, const std::string& name);

  /// In [0, 1).
  double uniform();
  /// Standard normal (Box and Muller 1958).
  double normal();

 private:
  ValueId weights(std::int64_t channels, std::int64_t inputs, std::int64_t kernel,
                  double variance_gain, const std::string& name);

  Graph* graph_;
  std::mt19937_64 random_;
};

}  // namespace narrows
