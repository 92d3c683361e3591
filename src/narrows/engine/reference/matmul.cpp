#include <algorithm>

#include "narrows/engine/reference/element.h"
#include "narrows/engine/reference/kernels.h"
#include "narrows/engine/reference/walk.h"

namespace narrows::reference {
namespace {

/// A matrix inside a tensor: element (i, j) lies at i * row + j * column.
struct Strides {
  std::int64_t row = 0;
  std::int64_t column = 0;
};

/// y (m,n) = a (m,k) * b (k,n); y is contiguous. Each element is summed in the order of k.
template <class T>
void multiply(std::int64_t m, std::int64_t k, std::int64_t n, const T* a, Strides at_a, const T* b,
              Strides at_b, T* y) {
  for (std::int64_t i = 0; i < m; ++i) {
    T* row = y + i * n;
    if (at_b.column == 1) {
      std::fill(row, row + n, T{0});
      for (std::int64_t l = 0; l < k; ++l) {
        const T factor = a[i * at_a.row + l * at_a.column];
        const T* line = b + l * at_b.row;
        for (std::int64_t j = 0; j < n; ++j) row[j] = sum(row[j], product(factor, line[j]));
      }
    } else {
      for (std::int64_t j = 0; j < n; ++j) {
        T total{0};
        for (std::int64_t l = 0; l < k; ++l) {
          total = sum(
              total, product(a[i * at_a.row + l * at_a.column], b[l * at_b.row + j * at_b.column]));
        }
        row[j] = total;
      }
    }
  }
}

template <class T>
void gemm(const Gemm& op, const BroadcastWalk<1>& addend, const KernelTensors& t) {
  const Shape& shape = t.inputs[0].shape();
  const Shape& other = t.inputs[1].shape();
  const Shape& result = t.outputs[0].shape();
  const std::int64_t k = shape[op.transpose_a ? 0 : 1];
  T* y = elements<T>(t.outputs[0]);
  multiply(result[0], k, result[1], elements<T>(t.inputs[0]),
           op.transpose_a ? Strides{1, shape[1]} : Strides{shape[1], 1}, elements<T>(t.inputs[1]),
           op.transpose_b ? Strides{1, other[1]} : Strides{other[1], 1}, y);
  const T alpha = convert<T>(op.alpha);
  if (op.alpha != 1) {
    for (std::int64_t i = 0; i < result.elements(); ++i) y[i] = product(alpha, y[i]);
  }
  if (!t.has(2)) return;
  const T* c = elements<T>(t.inputs[2]);
  const T beta = convert<T>(op.beta);
  const std::int64_t step = addend.rowSteps()[0];
  addend.forEachRow([&](std::int64_t to, const std::array<std::int64_t, 1>& from) {
    for (std::int64_t i = 0; i < addend.rowLength(); ++i) {
      y[to + i] = sum(y[to + i], product(beta, c[from[0] + i * step]));
    }
  });
}

/// Extents of a stack of matrices and its leading axes; a vector is a row or a column.
struct Stack {
  std::int64_t rows, columns;
  Shape batch;
};

Stack stackOf(const Shape& shape, bool vector_is_row) {
  const std::size_t rank = shape.rank();
  if (rank == 1) return vector_is_row ? Stack{1, shape[0], {}} : Stack{shape[0], 1, {}};
  return {shape[rank - 2], shape[rank - 1], *Shape::create(shape.extents().first(rank - 2))};
}

}  // namespace

Result<Kernel> prepare(const Gemm& op, const KernelTypes& types) {
  const Shape& y = types.outputs[0].shape;
  const Shape c = types.inputs.size() > 2 ? types.inputs[2].shape : Shape();
  // An absent c has any shape; its walk is not used.
  const auto joint = broadcast(c, y);
  const BroadcastWalk<1> addend(y, {joint.ok() && *joint == y ? c : Shape()});
  return forNumber(types.inputs[0].dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return [op, addend](const KernelTensors& t) -> Status {
      gemm<T>(op, addend, t);
      return {};
    };
  });
}

Result<Kernel> prepare(const MatMul&, const KernelTypes& types) {
  const Stack a = stackOf(types.inputs[0].shape, true);
  const Stack b = stackOf(types.inputs[1].shape, false);
  NARROWS_TRY(batch, broadcast(a.batch, b.batch));
  const BroadcastWalk<2> walk(batch, {a.batch, b.batch});
  return forNumber(types.inputs[0].dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return [a, b, walk](const KernelTensors& t) -> Status {
      const T* left = elements<T>(t.inputs[0]);
      const T* right = elements<T>(t.inputs[1]);
      T* y = elements<T>(t.outputs[0]);
      walk.forEachRow([&](std::int64_t to, const std::array<std::int64_t, 2>& from) {
        for (std::int64_t i = 0; i < walk.rowLength(); ++i) {
          const std::int64_t at_a = from[0] + i * walk.rowSteps()[0];
          const std::int64_t at_b = from[1] + i * walk.rowSteps()[1];
          multiply(a.rows, a.columns, b.columns, left + at_a * a.rows * a.columns,
                   Strides{a.columns, 1}, right + at_b * b.rows * b.columns, Strides{b.columns, 1},
                   y + (to + i) * a.rows * b.columns);
        }
      });
      return {};
    };
  });
}

}  // namespace narrows::reference
