#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "narrows/graph/graph.h"

namespace narrows {

/// What the time of a layer grows with. An operator that an engine computes in the pass of the
/// convolution or product before it is fused: it moves no bytes of its own.
enum class Term : std::uint8_t {
  /// Multiply-accumulates of a convolution that is not depthwise, result channels rounded up to
  /// vectors of 16.
  conv_macs,
  /// The same without the sum over source channels: what each tap of each result costs once.
  conv_taps,
  /// Maps read and written.
  conv_bytes,
  conv_weight_bytes,
  /// Number of such convolutions.
  conv_ops,
  depthwise_macs,
  depthwise_bytes,
  depthwise_ops,
  /// Gemm and MatMul.
  product_macs,
  product_bytes,
  product_ops,
  pool_taps,
  pool_bytes,
  /// Results of fused operators; of those with an exponential, logarithm or the like.
  fused_elements,
  fused_costly_elements,
  /// A second map that is added.
  fused_added_bytes,
  elementwise_bytes,
  elementwise_costly_elements,
  elementwise_ops,
  softmax_elements,
  /// Concatenation, resampling and the like. Reshaping is free.
  moved_bytes,
  moved_ops,
  /// Everything else: selection, sorting, reduction, normalisation.
  other_bytes,
  other_ops,
  /// Maps that enter or leave a piece and change their layout there; not those of 4 channels or
  /// less.
  edge_bytes,
};
inline constexpr std::size_t kTerms = static_cast<std::size_t>(Term::edge_bytes) + 1;

/// One amount (or price) for each term.
class Terms {
 public:
  double& operator[](Term term) { return values_[static_cast<std::size_t>(term)]; }
  double operator[](Term term) const { return values_[static_cast<std::size_t>(term)]; }
  std::array<double, kTerms>& values() { return values_; }
  const std::array<double, kTerms>& values() const { return values_; }
  Terms& operator+=(const Terms& other);

 private:
  std::array<double, kTerms> values_{};
};

/// "conv_macs".
std::string_view toString(Term term);

/// Of each node, by NodeId, without edges.
std::vector<Terms> layerTerms(const Graph& graph);
/// Of this value where it enters or leaves a piece.
Terms edgeTerms(const Graph& graph, ValueId value);

}  // namespace narrows
