#include "narrows/torch/fake_quantizer.h"

#include <cmath>

#include "narrows/codec/quantizer.h"
#include "narrows/torch/convert.h"

namespace narrows::torched {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Position among the levels, clamped; the same f32 operations in the same order as the codec's.
at::Tensor symbolsOf(const at::Tensor& x, const at::Tensor& low, const at::Tensor& step,
                     double top) {
  const at::Tensor t = (x - low) / step + 0.5;
  return at::floor(at::clamp(at::nan_to_num(t, 0.0), 0.0, top));
}

struct UniformStep : torch::autograd::Function<UniformStep> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& low,
                            const at::Tensor& step, double top, double gradient_scale) {
    const at::Tensor q = symbolsOf(x, low, step, top);
    context->save_for_backward({x, low, step, q});
    context->saved_data["top"] = top;
    context->saved_data["scale"] = gradient_scale;
    return low + step * q;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& low = saved[1];
    const at::Tensor& step = saved[2];
    const at::Tensor& q = saved[3];
    const double top = context->saved_data["top"].toDouble();
    const double scale = context->saved_data["scale"].toDouble();
    const at::Tensor position = (saved[0] - low) / step;
    const at::Tensor inside = (position >= -0.5).logical_and(position <= top + 0.5);
    const at::Tensor& g = gradients[0];
    at::Tensor by_low;
    at::Tensor by_step;
    if (context->needs_input_grad(1)) {
      by_low = at::where(inside, at::zeros_like(g), g).sum_to_size(low.sizes()) * scale;
    }
    if (context->needs_input_grad(2)) {
      by_step = (g * at::where(inside, q - position, q)).sum_to_size(step.sizes()) * scale;
    }
    return {g * inside, by_low, by_step, at::Tensor(), at::Tensor()};
  }
};

struct TwoLevels : torch::autograd::Function<TwoLevels> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& low,
                            const at::Tensor& step) {
    const at::Tensor threshold = low + step;
    context->save_for_backward({x, threshold, step});
    return low + step * (x >= threshold).to(x.scalar_type());
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor near = (saved[0] - saved[1]).abs() <= saved[2];
    return {gradients[0] * near, at::Tensor(), at::Tensor()};
  }
};

/// Position of the nearest of ascending levels; the same f32 operations as the codec's.
at::Tensor tableSymbols(const at::Tensor& x, const at::Tensor& levels) {
  const std::int64_t count = levels.numel();
  const at::Tensor thresholds = (levels.slice(0, 0, count - 1) + levels.slice(0, 1)) * 0.5;
  at::Tensor q = at::zeros(x.sizes(), x.options().dtype(at::kLong));
  for (std::int64_t i = 0; i + 1 < count; ++i) q += x >= thresholds[i];
  return q;
}

struct LevelTable : torch::autograd::Function<LevelTable> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& levels,
                            double gradient_scale) {
    const at::Tensor q = tableSymbols(x, levels);
    context->save_for_backward({x, levels, q});
    context->saved_data["scale"] = gradient_scale;
    return levels.index_select(0, q.reshape({-1})).reshape(x.sizes());
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& levels = saved[1];
    const at::Tensor& g = gradients[0];
    const std::int64_t top = levels.numel() - 1;
    const at::Tensor lowest = levels[0] - (levels[1] - levels[0]) * 0.5;
    const at::Tensor highest = levels[top] + (levels[top] - levels[top - 1]) * 0.5;
    at::Tensor by_level;
    if (context->needs_input_grad(1)) {
      by_level = at::zeros_like(levels).index_add(0, saved[2].reshape({-1}), g.reshape({-1})) *
                 context->saved_data["scale"].toDouble();
    }
    return {g * (x >= lowest).logical_and(x <= highest), by_level, at::Tensor()};
  }
};

/// How much longer the code gets with each symbol at each place, its neighbours as they are: place
/// x symbol.
std::vector<float> lengthChanges(const RateTable& table, const MapRate& rate) {
  const ContextGrid& grid = table.grid();
  const SymbolLayout& layout = grid.layout();
  const std::size_t levels = std::size_t{1} << layout.bits;
  const auto in_unit = static_cast<std::size_t>(grid.symbolsPerUnit());
  const std::size_t units = grid.unitsPerPlane();
  const auto lengthOf = [&](std::size_t k, std::size_t unit) {
    return std::min(table.lengths()[rate.rows[k] * kUnitSymbols + unit],
                    static_cast<float>(kContextPrecision));
  };
  std::vector<float> result(layout.symbols() * levels, 0.0F);
  std::size_t place = 0;
  for (std::size_t p = 0; p < layout.planes; ++p) {
    for (std::size_t y = 0; y < layout.height; ++y) {
      for (std::size_t x = 0; x < layout.width; ++x, ++place) {
        const std::size_t k = p * units + y * grid.columns() + x / in_unit;
        if (rate.rows[k] == RateTable::kNoRow) continue;
        // The first symbol of a unit has its lowest bits.
        const std::size_t shift = x % in_unit * static_cast<std::size_t>(layout.bits);
        const std::size_t others = rate.units[k] & ~((levels - 1) << shift);
        const float now = lengthOf(k, rate.units[k]);
        for (std::size_t s = 0; s < levels; ++s) {
          result[place * levels + s] = lengthOf(k, others | (s << shift)) - now;
        }
      }
    }
  }
  return result;
}

}  // namespace

Result<FakeQuantizer> FakeQuantizer::create(const TensorType& type, const QuantizerParams& params,
                                            bool learned, const at::TensorOptions& place) {
  if (params.kind == QuantizerKind::none) return makeError("no quantizer to train with");
  if (learned && params.kind == QuantizerKind::two_level) {
    return makeError("a quantizer of kind {} does not learn its levels", toString(params.kind));
  }
  FakeQuantizer quantizer(type, params.kind, params.bits, params.granularity, learned);
  const auto entries = static_cast<std::int64_t>(params.low.size());
  std::vector<std::int64_t> extents(type.shape.rank(), 1);
  if (params.granularity == Granularity::channel) extents[1] = entries;
  quantizer.low_ = at::zeros(extents, place);
  quantizer.step_ = at::ones(extents, place);
  quantizer.levels_ = at::zeros({static_cast<std::int64_t>(params.levels.size())}, place);
  NARROWS_CHECK(quantizer.setParams(params));
  if (learned) {
    for (Part& part : quantizer.parts()) part.tensor.set_requires_grad(true);
  }
  return quantizer;
}

std::vector<FakeQuantizer::Part> FakeQuantizer::parts() const {
  if (kind_ == QuantizerKind::levels) return {{"levels", levels_}};
  return {{"low", low_}, {"step", step_}};
}

at::Tensor FakeQuantizer::quantized(const at::Tensor& x) const {
  if (kind_ == QuantizerKind::two_level) return TwoLevels::apply(x, low_, step_);
  const double top = (1 << bits_) - 1;
  if (kind_ == QuantizerKind::levels) {
    const double scale = 1.0 / std::sqrt(static_cast<double>(type_.elements()) * top);
    return LevelTable::apply(x, levels_, scale);
  }
  const double elements = static_cast<double>(type_.elements()) / static_cast<double>(low_.numel());
  return UniformStep::apply(x, low_, step_, top, 1.0 / std::sqrt(elements * top));
}

at::Tensor FakeQuantizer::nearestLevel(const at::Tensor& x) const {
  if (kind_ == QuantizerKind::levels) {
    const at::Tensor levels = levels_.detach();
    return levels.index_select(0, tableSymbols(x, levels).reshape({-1})).reshape(x.sizes());
  }
  const at::Tensor low = low_.detach();
  const at::Tensor step = step_.detach();
  return low + step * symbolsOf(x, low, step, (1 << bits_) - 1);
}

at::Tensor FakeQuantizer::clustering(const at::Tensor& x) const {
  const at::Tensor nearest = nearestLevel(x.detach());
  return at::mean((x - nearest) * (x - nearest));
}

at::Tensor FakeQuantizer::expectedBits(const at::Tensor& x, const RateTable& table) const {
  const std::int64_t levels = std::int64_t{1} << bits_;
  const std::int64_t samples = x.size(0);
  std::vector<float> all;
  double bits = 0;
  for (std::int64_t n = 0; n < samples; ++n) {
    const MapRate rate = table.rate(symbols(x[n]));
    bits += rate.bits;
    const auto of_sample = lengthChanges(table, rate);
    all.insert(all.end(), of_sample.begin(), of_sample.end());
  }
  const at::Tensor changes =
      at::from_blob(all.data(), {x.numel(), levels}, at::kFloat).clone().to(x.options());
  at::Tensor distance;
  if (kind_ == QuantizerKind::levels) {
    const at::Tensor ladder = levels_.detach();
    const at::Tensor span = (ladder[levels - 1] - ladder[0]).clamp_min(1e-6);
    distance = (x.reshape({-1, 1}) - ladder) * (static_cast<double>(levels - 1) / span);
  } else {
    const at::Tensor position = ((x - low_.detach()) / step_.detach()).reshape({-1, 1});
    distance = position - at::arange(levels, x.options());
  }
  const at::Tensor share = at::softmax(distance * distance * (-1.0 / kTemperature), 1);
  return (share * changes).sum() + bits;
}

std::vector<std::uint8_t> FakeQuantizer::symbols(const at::Tensor& sample) const {
  const at::Tensor plain = sample.detach().to(at::kCPU).to(at::kFloat).contiguous();
  const TensorView view(type_, reinterpret_cast<const std::byte*>(plain.data_ptr<float>()));
  std::vector<std::uint8_t> result(static_cast<std::size_t>(type_.elements()));
  quantize(view, params(), result);
  return result;
}

QuantizerParams FakeQuantizer::params() const {
  QuantizerParams params{kind_, bits_, granularity_, {}, {}};
  const auto floats = [](const at::Tensor& tensor) {
    const Tensor plain = fromAten(tensor.reshape({-1}), DType::f32);
    return std::vector<float>(plain.as<float>().begin(), plain.as<float>().end());
  };
  if (kind_ == QuantizerKind::levels) {
    params.levels = floats(levels_);
  } else {
    params.low = floats(low_);
    params.step = floats(step_);
  }
  return params;
}

Status FakeQuantizer::setParams(const QuantizerParams& params) {
  NARROWS_CHECK(validate(FeatureInterface{type_, params, {}}));
  if (params.kind != kind_ || params.bits != bits_ || params.granularity != granularity_) {
    return makeError("other quantizer: {} of {} bits", toString(params.kind), params.bits);
  }
  const at::NoGradGuard no_gradients;
  const auto copyTo = [](const std::vector<float>& values, at::Tensor& target) {
    const Tensor tensor =
        Tensor::from<float>(Shape{static_cast<std::int64_t>(values.size())}, values);
    target.copy_(toAten(tensor, target.options())->reshape(target.sizes()));
  };
  if (kind_ == QuantizerKind::levels) {
    copyTo(params.levels, levels_);
  } else {
    copyTo(params.low, low_);
    copyTo(params.step, step_);
  }
  return {};
}

void FakeQuantizer::keepValid() {
  const at::NoGradGuard no_gradients;
  if (kind_ == QuantizerKind::levels) {
    levels_.copy_(std::get<0>(at::sort(levels_)));
  } else {
    step_.clamp_min_(1e-6);
  }
}

}  // namespace narrows::torched
