#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "narrows/tensor/tensor.h"

namespace narrows {

Tensor copyOf(TensorView map);

/// What the node piece of a cut gives for each picture of a set, kept from one measurement of the
/// cut to the next. Threads may share it while no two of them are at the same picture.
class NodeMaps {
 public:
  explicit NodeMaps(std::size_t pictures) : maps_(pictures), views_(pictures) {}

  bool has(std::size_t picture) const { return !views_[picture].empty(); }
  std::span<const TensorView> of(std::size_t picture) const { return views_[picture]; }
  /// Copies the maps of a picture that it does not have.
  void keep(std::size_t picture, std::span<const TensorView> maps);

 private:
  std::vector<std::vector<Tensor>> maps_;
  std::vector<std::vector<TensorView>> views_;
};

}  // namespace narrows
