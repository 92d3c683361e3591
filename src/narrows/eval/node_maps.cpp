#include "narrows/eval/node_maps.h"

#include <algorithm>

namespace narrows {

Tensor copyOf(TensorView map) {
  Tensor copy(map.type());
  std::copy(map.bytes().begin(), map.bytes().end(), copy.mutableView().bytes().begin());
  return copy;
}

void NodeMaps::keep(std::size_t picture, std::span<const TensorView> maps) {
  NARROWS_ASSERT(!has(picture));
  for (const TensorView& map : maps) maps_[picture].push_back(copyOf(map));
  for (const Tensor& map : maps_[picture]) views_[picture].push_back(map.view());
}

}  // namespace narrows
