#pragma once

#include <functional>
#include <span>

#include "narrows/base/result.h"
#include "narrows/graph/ops.h"
#include "narrows/tensor/tensor.h"

namespace narrows::reference {

/// Types of the tensors of one operation. An absent optional input has any type.
struct KernelTypes {
  std::span<const TensorType> inputs;
  std::span<const TensorType> outputs;
};

/// Tensors of one operation, of the types that the kernel was prepared for, row-major, without
/// gaps. An absent optional input is a default view. No output overlaps an input or another output.
struct KernelTensors {
  std::span<const TensorView> inputs;
  std::span<const MutableTensorView> outputs;

  bool has(std::size_t input) const {
    return input < inputs.size() && inputs[input].bytes().data() != nullptr;
  }
};

/// Computes the outputs of one operation. Allocates nothing and keeps no state between calls, so it
/// may run on several threads at once. Fails on what only the data can tell: an index out of range,
/// an integer division by zero.
using Kernel = std::function<Status(const KernelTensors&)>;

/// The plain-loop kernel of an operation whose types `inferTypes` has accepted. Fails when the
/// kernel is not written for these dtypes.
Result<Kernel> prepareKernel(const Op& op, const KernelTypes& types);

}  // namespace narrows::reference
