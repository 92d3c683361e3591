#pragma once

#include <vector>

#include "narrows/engine/executor/backend.h"
#include "narrows/engine/executor/kernels/table.h"
#include "narrows/engine/executor/weight_store.h"
#include "narrows/tensor/tensor.h"

namespace narrows::executor {

/// Order in which the input numbers of a result are visited.
enum class DepthOrder : std::uint8_t {
  tap_channel,  // row of the window, column, channel
  channel_tap,  // channel, row, column
};

/// Weights and biases of a convolution as panels for `KernelTable::multiply` and its kin.
class PackedWeights final : public WeightStore::Item {
 public:
  PackedWeights(const ConvProblem& problem, const KernelTable& table, DepthOrder order);

  /// Numbers that those of a problem take.
  static std::size_t floats(const ConvProblem& problem, const KernelTable& table);

  /// Panels of one group; `first` is the panel's first channel within the group.
  struct Part {
    Panel panel;
    std::int64_t first = 0;
  };
  std::span<const Part> group(std::int64_t index) const {
    return std::span(parts_).subspan(static_cast<std::size_t>(index) * parts_per_group_,
                                     parts_per_group_);
  }
  std::size_t partsPerGroup() const { return parts_per_group_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::vector<Part> parts_;
  std::size_t parts_per_group_ = 0;
  std::size_t bytes_ = 0;
  Tensor storage_;  // empty where the problem has room
};

/// Those of a problem, which its store may hold already.
WeightStore::Found<PackedWeights> packWeights(const ConvProblem& problem, const KernelTable& table,
                                              DepthOrder order);

}  // namespace narrows::executor
