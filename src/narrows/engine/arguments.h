#pragma once

#include "narrows/engine/engine.h"

namespace narrows {

namespace detail {

template <class View>
Status checkTensors(std::string_view what, std::span<const TensorType> types,
                    std::span<const View> tensors) {
  if (tensors.size() != types.size()) {
    return makeError("{} {}s, the program has {}", tensors.size(), what, types.size());
  }
  for (std::size_t i = 0; i < types.size(); ++i) {
    const TensorType& given = tensors[i].type();
    if (given == types[i]) continue;
    return makeError("{} {} is {} {}, the program's is {} {}", what, i, toString(given.dtype),
                     toString(given.shape), toString(types[i].dtype), toString(types[i].shape));
  }
  return {};
}

}  // namespace detail

/// Fails unless the tensors of a run have the count and the types of the program's.
inline Status checkArguments(const Program& program, std::span<const TensorView> inputs,
                             std::span<const MutableTensorView> outputs) {
  NARROWS_CHECK(detail::checkTensors("input", program.inputTypes(), inputs));
  return detail::checkTensors("output", program.outputTypes(), outputs);
}

}  // namespace narrows
