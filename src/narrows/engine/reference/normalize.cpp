#include <algorithm>
#include <cmath>

#include "narrows/engine/reference/element.h"
#include "narrows/engine/reference/kernels.h"

namespace narrows::reference {
namespace {

/// Elements of one map of an N,C,... tensor.
std::int64_t mapSize(const Shape& shape) {
  std::int64_t size = 1;
  for (std::size_t axis = 2; axis < shape.rank(); ++axis) size *= shape[axis];
  return size;
}

template <class T>
void batchNorm(double epsilon, const KernelTensors& t) {
  const Shape& shape = t.inputs[0].shape();
  const std::int64_t size = mapSize(shape);
  const T* x = elements<T>(t.inputs[0]);
  const T* scale = elements<T>(t.inputs[1]);
  const T* bias = elements<T>(t.inputs[2]);
  const T* mean = elements<T>(t.inputs[3]);
  const T* variance = elements<T>(t.inputs[4]);
  T* y = elements<T>(t.outputs[0]);
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    for (std::int64_t c = 0; c < shape[1]; ++c) {
      const T factor = static_cast<T>(static_cast<double>(scale[c]) /
                                      std::sqrt(static_cast<double>(variance[c]) + epsilon));
      const std::int64_t begin = (n * shape[1] + c) * size;
      for (std::int64_t i = begin; i < begin + size; ++i)
        y[i] = (x[i] - mean[c]) * factor + bias[c];
    }
  }
}

template <class T>
void localResponseNorm(const LocalResponseNorm& op, const KernelTensors& t) {
  const Shape& shape = t.inputs[0].shape();
  const std::int64_t size = mapSize(shape);
  const T* x = elements<T>(t.inputs[0]);
  T* y = elements<T>(t.outputs[0]);
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    const std::int64_t picture = n * shape[1] * size;
    for (std::int64_t c = 0; c < shape[1]; ++c) {
      // An even size reaches one channel further up than down, as ONNX defines it.
      const std::int64_t first = std::max<std::int64_t>(0, c - (op.size - 1) / 2);
      const std::int64_t last = std::min(shape[1] - 1, c + op.size / 2);
      for (std::int64_t i = 0; i < size; ++i) {
        double squares = 0;
        for (std::int64_t k = first; k <= last; ++k) {
          const auto v = static_cast<double>(x[picture + k * size + i]);
          squares += v * v;
        }
        const double base = op.bias + op.alpha / static_cast<double>(op.size) * squares;
        const std::int64_t at = picture + c * size + i;
        y[at] = static_cast<T>(static_cast<double>(x[at]) / std::pow(base, op.beta));
      }
    }
  }
}

/// Over `count` elements that lie `step` apart.
template <class T>
void softmaxLine(bool log, std::int64_t count, std::int64_t step, const T* x, T* y) {
  T peak = lowest<T>();
  for (std::int64_t i = 0; i < count; ++i) peak = larger(peak, x[i * step]);
  double total = 0;
  for (std::int64_t i = 0; i < count; ++i)
    total += std::exp(static_cast<double>(x[i * step] - peak));
  const double log_total = std::log(total);
  for (std::int64_t i = 0; i < count; ++i) {
    const double shifted = static_cast<double>(x[i * step] - peak);
    y[i * step] = static_cast<T>(log ? shifted - log_total : std::exp(shifted) / total);
  }
}

}  // namespace

Result<Kernel> prepare(const BatchNorm& op, const KernelTypes& types) {
  return forFloating(types.inputs[0].dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return [epsilon = op.epsilon](const KernelTensors& t) -> Status {
      batchNorm<T>(epsilon, t);
      return {};
    };
  });
}

Result<Kernel> prepare(const LocalResponseNorm& op, const KernelTypes& types) {
  return forFloating(types.inputs[0].dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return [op](const KernelTensors& t) -> Status {
      localResponseNorm<T>(op, t);
      return {};
    };
  });
}

Result<Kernel> prepare(const Softmax& op, const KernelTypes& types) {
  const Shape& shape = types.inputs[0].shape;
  const auto axis = static_cast<std::size_t>(op.axis);
  const std::int64_t count = shape[axis];
  const std::int64_t step = shape.strides()[axis];
  const std::int64_t lines = shape.elements() == 0 ? 0 : shape.elements() / count / step;
  return forFloating(types.inputs[0].dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return [log = op.log, lines, count, step](const KernelTensors& t) -> Status {
      const T* x = elements<T>(t.inputs[0]);
      T* y = elements<T>(t.outputs[0]);
      for (std::int64_t block = 0; block < lines; ++block) {
        for (std::int64_t i = 0; i < step; ++i) {
          const std::int64_t at = block * count * step + i;
          softmaxLine(log, count, step, x + at, y + at);
        }
      }
      return {};
    };
  });
}

}  // namespace narrows::reference
