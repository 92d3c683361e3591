#include <algorithm>

#include "narrows/engine/reference/element.h"
#include "narrows/engine/reference/kernels.h"
#include "narrows/engine/reference/walk.h"
#include "narrows/graph/box_selection.h"

namespace narrows::reference {
namespace {

/// The best `count` elements of a line of a tensor, kept in the two outputs: a heap with the worst
/// on top while the line is read, sorted at the end.
template <class T>
class BestOf {
 public:
  BestOf(T* values, std::int64_t* indices, std::int64_t step, std::int64_t count, bool largest)
      : values_(values), indices_(indices), step_(step), count_(count), largest_(largest) {}

  void offer(T value, std::int64_t index) {
    if (held_ < count_) {
      put(held_++, value, index);
      for (std::int64_t child = held_ - 1; child > 0 && worse(child, (child - 1) / 2);
           child = (child - 1) / 2) {
        exchange(child, (child - 1) / 2);
      }
    } else if (count_ > 0 && isBetter(value, index, 0)) {
      put(0, value, index);
      sink(count_);
    }
  }

  void sort() {
    for (std::int64_t left = held_; left-- > 1;) {
      exchange(0, left);
      sink(left);
    }
  }

 private:
  void put(std::int64_t at, T value, std::int64_t index) {
    values_[at * step_] = value;
    indices_[at * step_] = index;
  }
  void exchange(std::int64_t a, std::int64_t b) {
    std::swap(values_[a * step_], values_[b * step_]);
    std::swap(indices_[a * step_], indices_[b * step_]);
  }
  bool isBetter(T value, std::int64_t index, std::int64_t than) const {
    const T other = values_[than * step_];
    if (value == other) return index < indices_[than * step_];
    return largest_ ? value > other : value < other;
  }
  bool worse(std::int64_t a, std::int64_t b) const {
    return isBetter(values_[b * step_], indices_[b * step_], a);
  }
  void sink(std::int64_t size) {
    std::int64_t parent = 0;
    while (2 * parent + 1 < size) {
      std::int64_t child = 2 * parent + 1;
      if (child + 1 < size && worse(child + 1, child)) ++child;
      if (!worse(child, parent)) return;
      exchange(child, parent);
      parent = child;
    }
  }

  T* values_;
  std::int64_t* indices_;
  std::int64_t step_, count_;
  bool largest_;
  std::int64_t held_ = 0;
};

}  // namespace

Result<Kernel> prepare(const TopK& op, const KernelTypes& types) {
  const Shape& x = types.inputs[0].shape;
  const auto axis = static_cast<std::size_t>(op.axis);
  AxisWalk outer;
  for (std::size_t i = 0; i < axis; ++i) outer.append(x[i], x.strides()[i]);
  const std::int64_t lines = x.strides()[axis];  // adjacent lines, and the step within one
  return forNumber(types.inputs[0].dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return [op, outer, lines, extent = x[axis]](const KernelTensors& t) -> Status {
      const T* from = elements<T>(t.inputs[0]);
      T* values = elements<T>(t.outputs[0]);
      auto* indices = elements<std::int64_t>(t.outputs[1]);
      std::int64_t block = 0;
      outer.forEach([&](std::int64_t offset) {
        for (std::int64_t line = 0; line < lines; ++line) {
          const std::int64_t to = block * op.count * lines + line;
          BestOf<T> best(values + to, indices + to, lines, op.count, op.largest);
          for (std::int64_t i = 0; i < extent; ++i) best.offer(from[offset + line + i * lines], i);
          best.sort();
        }
        ++block;
      });
      return {};
    };
  });
}

Result<Kernel> prepare(const NonMaxSuppression& op, const KernelTypes&) {
  return Kernel([op](const KernelTensors& t) -> Status {
    const auto rows = t.outputs[0].as<std::int64_t>();
    const std::int64_t found = selectBoxes(op, t.inputs[0], t.inputs[1], rows);
    std::fill(rows.begin() + 3 * found, rows.end(), -1);
    return {};
  });
}

}  // namespace narrows::reference
