#include <algorithm>
#include <cstring>

#include "narrows/engine/executor/steps.h"

namespace narrows::executor {
namespace {

/// Products of matrices neither of which is known before a run. Each part of the team takes some of
/// the rows of all products, and packs the right matrix of each into panels of its own.
class ProductStep final : public Step {
 public:
  ProductStep(const Operand& a, const Operand& b, const Operand& target, const StepTools& tools)
      : a_(a), b_(b), target_(target), tools_(tools) {
    const Shape& left = a.shape();
    const Shape& result = target.shape();
    const std::size_t rank = result.rank();
    rows_ = result[rank - 2];
    columns_ = result[rank - 1];
    depth_ = left[rank - 1];
    stacks_ = rows_ * columns_ == 0 ? 0 : result.elements() / (rows_ * columns_);
    for (std::int64_t stack = 0; stack < stacks_; ++stack) {
      Place place{0, 0, stack * rows_ * columns_};
      std::int64_t rest = stack;
      for (std::size_t axis = rank - 2; axis-- > 0;) {
        const std::int64_t index = rest % result[axis];
        rest /= result[axis];
        place.a += index * a.layout.strides[axis];
        place.b += index * b.layout.strides[axis];
      }
      places_.push_back(place);
    }
    const KernelTable& table = tools.kernels;
    const std::int64_t vectors = (columns_ + table.lanes - 1) / table.lanes;
    const std::int64_t panels = (vectors + table.vectors - 1) / table.vectors;
    for (std::int64_t i = 0; i < panels; ++i) {
      const std::int64_t first = vectors * i / panels;
      const std::int64_t end = vectors * (i + 1) / panels;
      panels_.push_back({first * table.lanes, end - first,
                         std::min(columns_, end * table.lanes) - first * table.lanes});
    }
    constexpr std::int64_t kSmallWork = 100000;  // multiply-adds
    parts_ = stacks_ * rows_ * columns_ * depth_ < kSmallWork ? 1 : tools.team.size();
    floats_per_part_ = vectors * table.lanes * (depth_ + 1);
  }

  std::size_t scratchBytes() const override {
    return static_cast<std::size_t>(floats_per_part_) * parts_ * sizeof(float);
  }

  Status run(const Memory& memory) override {
    const float* a = memory.read<float>(a_);
    const float* b = memory.read<float>(b_);
    float* y = memory.write<float>(target_);
    auto* scratch = reinterpret_cast<float*>(memory.scratch().data());
    tools_.team.run(parts_, [&](std::size_t part) {
      float* packed = scratch + static_cast<std::int64_t>(part) * floats_per_part_;
      const Share share_of_rows = share(stacks_ * rows_, part, parts_);
      std::int64_t row = share_of_rows.begin;
      while (row < share_of_rows.end) {
        const std::int64_t stack = row / rows_;
        const std::int64_t end = std::min(share_of_rows.end, (stack + 1) * rows_);
        const Place& place = places_[static_cast<std::size_t>(stack)];
        pack(b + place.b, packed);
        multiply(a + place.a, packed, y + place.y, {row - stack * rows_, end - stack * rows_});
        row = end;
      }
    });
    return {};
  }

 private:
  /// Where one product's matrices start.
  struct Place {
    std::int64_t a, b, y;
  };
  struct Columns {
    std::int64_t first, vectors, count;
  };

  void pack(const float* b, float* to) const {
    const std::size_t rank = b_.shape().rank();
    const std::int64_t row_step = b_.layout.strides[rank - 2];
    const std::int64_t column_step = b_.layout.strides[rank - 1];
    for (const Columns& panel : panels_) {
      const std::int64_t width = panel.vectors * tools_.kernels.lanes;
      std::fill_n(to, width, 0.0F);  // no bias
      to += width;
      for (std::int64_t k = 0; k < depth_; ++k, to += width) {
        const float* from = b + k * row_step + panel.first * column_step;
        if (column_step == 1) {
          std::copy_n(from, panel.count, to);
        } else {
          for (std::int64_t i = 0; i < panel.count; ++i) to[i] = from[i * column_step];
        }
        std::fill(to + panel.count, to + width, 0.0F);
      }
    }
  }

  void multiply(const float* a, const float* packed, float* y, Share rows) const {
    const std::int64_t pitch = a_.layout.strides[a_.shape().rank() - 2];
    for (const Columns& panel : panels_) {
      const std::int64_t width = panel.vectors * tools_.kernels.lanes;
      PixelRun run;
      run.input = a + rows.begin * pitch;
      run.input_pitch = pitch;
      run.output = y + rows.begin * columns_ + panel.first;
      run.output_pitch = columns_;
      run.count = rows.end - rows.begin;
      tools_.kernels.multiply(run, depth_, {packed + width, packed, panel.vectors, panel.count},
                              {});
      packed += width * (depth_ + 1);
    }
  }

  Operand a_, b_, target_;
  StepTools tools_;
  std::int64_t rows_, columns_, depth_, stacks_;
  std::vector<Place> places_;
  std::vector<Columns> panels_;
  std::int64_t floats_per_part_;
  std::size_t parts_;
};

}  // namespace

std::unique_ptr<Step> makeProduct(const Operand& a, const Operand& b, const Operand& target,
                                  const StepTools& tools) {
  return std::make_unique<ProductStep>(a, b, target, tools);
}

}  // namespace narrows::executor
