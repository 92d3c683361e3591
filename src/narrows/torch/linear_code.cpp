#include "narrows/torch/linear_code.h"

#include <random>

#include "narrows/torch/convert.h"
#include "narrows/torch/module.h"

namespace narrows {

using torched::fromAten;
using torched::guarded;
using torched::toAten;

namespace {

/// Share of the largest variance below which a direction counts as rounding noise of f32.
constexpr double kNoise = 1e-9;
/// That of f64.
constexpr double kRounding = 1e-13;
/// Variance that each channel is given beside what it was seen with, as a share of the mean one.
constexpr double kOwnShare = 1e-4;

/// A map as rows of channels, one for each sample and position, f64.
at::Tensor rowsOf(const at::Tensor& map) {
  return map.detach().transpose(0, 1).flatten(1).t().to(at::kDouble);
}

/// The symmetric square root of a positive semidefinite matrix.
at::Tensor squareRoot(const at::Tensor& matrix) {
  const auto [values, vectors] = at::linalg_eigh(matrix);
  return vectors.mul(values.clamp_min(0).sqrt()).matmul(vectors.t());
}

}  // namespace

struct LinearCodeFinder::State {
  torched::GraphModule module;
  ValueId value;
  std::mt19937_64 signs;
  double rows = 0;
  at::Tensor leaf;         // the value of the last pictures
  at::Tensor sum;          // channels
  at::Tensor products;     // channels x channels, of the values
  at::Tensor sensitivity;  // channels x channels, of the gradients

  at::Tensor mean() const { return sum / rows; }
  at::Tensor covariance() const { return products / rows - at::outer(mean(), mean()); }

  at::Tensor randomSigns(const at::Tensor& like) {
    std::vector<double> drawn(static_cast<std::size_t>(like.numel()));
    for (double& sign : drawn) sign = (signs() >> 63) != 0 ? 1 : -1;
    return torched::column(drawn, like).reshape(like.sizes());
  }

  /// A random combination of all outputs, as it depends on `leaf`.
  at::Tensor combine(const at::Tensor& pictures) {
    const std::vector<ValueId> wanted(module.graph().outputs().begin(),
                                      module.graph().outputs().end());
    at::Tensor total = at::zeros({}, module.place());
    for (const at::Tensor& output : module.run({pictures}, {}, wanted)) {
      if (at::isFloatingType(output.scalar_type())) {
        total = total + (output * randomSigns(output)).sum();
      }
    }
    return total;
  }
};

LinearCodeFinder::LinearCodeFinder(std::unique_ptr<State> state) : state_(std::move(state)) {}
LinearCodeFinder::LinearCodeFinder(LinearCodeFinder&&) noexcept = default;
LinearCodeFinder& LinearCodeFinder::operator=(LinearCodeFinder&&) noexcept = default;
LinearCodeFinder::~LinearCodeFinder() = default;

Result<LinearCodeFinder> LinearCodeFinder::create(const Graph& graph, const std::string& value,
                                                  std::uint64_t seed, const std::string& device) {
  NARROWS_TRY(id, torched::findValue(graph, value));
  if (graph.shape(id).rank() != 4) {
    return makeError("{} is {}, expected a map", value, toString(graph.shape(id)));
  }
  NARROWS_TRY(found, torched::findDevice(device));
  const auto place = at::TensorOptions(found).dtype(at::kFloat);
  return guarded([&]() -> Result<LinearCodeFinder> {
    NARROWS_TRY(module, torched::GraphModule::create(graph, place));
    for (const ValueId parameter : std::vector<ValueId>(module.parameters())) {
      module.freeze(parameter);
    }
    const std::int64_t channels = graph.shape(id)[1];
    const auto exact = place.dtype(at::kDouble);
    std::unique_ptr<State> state(new State{std::move(module),
                                           id,
                                           std::mt19937_64(seed),
                                           0,
                                           {},
                                           at::zeros({channels}, exact),
                                           at::zeros({channels, channels}, exact),
                                           at::zeros({channels, channels}, exact)});
    state->module.replace(id, [&leaf = state->leaf](const at::Tensor& x) {
      leaf = x.detach().set_requires_grad(true);
      return leaf;
    });
    return LinearCodeFinder(std::move(state));
  });
}

Status LinearCodeFinder::add(TensorView pictures) {
  return guarded([&]() -> Status {
    State& state = *state_;
    NARROWS_TRY(input, toAten(pictures, state.module.place()));
    const at::Tensor total = state.combine(input);
    if (!total.requires_grad()) {
      return makeError("the outputs do not depend on {} in a way that has a gradient",
                       state.module.graph().value(state.value).name);
    }
    const at::Tensor gradient = torch::autograd::grad({total}, {state.leaf})[0];
    const at::Tensor rows = rowsOf(state.leaf);
    const at::Tensor slopes = rowsOf(gradient);
    state.rows += static_cast<double>(rows.size(0));
    state.sum += rows.sum(0);
    state.products += rows.t().matmul(rows);
    state.sensitivity += slopes.t().matmul(slopes);
    return {};
  });
}

Result<LinearCode> LinearCodeFinder::find(std::int64_t k) const {
  const State& state = *state_;
  if (state.rows == 0) return makeError("no picture was added");
  if (k < 1 || k > state.sum.size(0)) {
    return makeError("a code of {} numbers for {} channels", k, state.sum.size(0));
  }
  return guarded([&]() -> Result<LinearCode> {
    const at::Tensor mean = state.mean();
    const at::Tensor covariance = state.covariance();
    const at::Tensor root = squareRoot(state.sensitivity / state.rows);
    const auto [values, vectors] = at::linalg_eigh(root.matmul(covariance).matmul(root));
    const std::int64_t channels = values.size(0);
    const at::Tensor variances = values.slice(0, channels - k).flip(0);
    const at::Tensor axes = vectors.slice(1, channels - k).flip(1);
    const at::Tensor told = variances.gt(variances[0].clamp_min(1e-300) * kNoise);
    const at::Tensor scales =
        at::where(told, variances.clamp_min(1e-300).rsqrt(), at::zeros_like(variances));
    // The regression C E' (E C E')^-1 with E C E' = 1 where something is told, else 0.
    const at::Tensor unit = axes.mul(scales).t().matmul(root);
    const at::Tensor deviation = covariance.diagonal().mean().sqrt();
    const at::Tensor encode = unit * deviation;
    const at::Tensor decode = covariance.matmul(unit.t()) / deviation;
    return LinearCode{fromAten(encode, DType::f32), fromAten(-encode.matmul(mean), DType::f32),
                      fromAten(decode, DType::f32), fromAten(mean, DType::f32)};
  });
}

Result<LinearCode> LinearCodeFinder::decoderFor(TensorView encode, TensorView encode_bias) const {
  const State& state = *state_;
  if (state.rows == 0) return makeError("no picture was added");
  const Shape& shape = encode.shape();
  if (shape.rank() != 2 || shape[1] != state.sum.size(0) ||
      !(encode_bias.shape() == Shape{shape[0]})) {
    return makeError("an encoder of {} and {} for {} channels", toString(shape),
                     toString(encode_bias.shape()), state.sum.size(0));
  }
  return guarded([&]() -> Result<LinearCode> {
    NARROWS_TRY(matrix, toAten(encode, state.sum.options()));
    NARROWS_TRY(bias, toAten(encode_bias, state.sum.options()));
    const at::Tensor mean = state.mean();
    // With a little of every channel for itself, encoding what was decoded gives it back however
    // few pictures there were.
    at::Tensor covariance = state.covariance();
    covariance.diagonal().add_(covariance.diagonal().mean() * kOwnShare);
    const at::Tensor shared = covariance.matmul(matrix.t());
    const at::Tensor decode =
        shared.matmul(at::linalg_pinv(matrix.matmul(shared), kRounding, true));
    const at::Tensor at_mean = matrix.matmul(mean) + bias;
    return LinearCode{fromAten(matrix, DType::f32), fromAten(bias, DType::f32),
                      fromAten(decode, DType::f32),
                      fromAten(mean - decode.matmul(at_mean), DType::f32)};
  });
}

}  // namespace narrows
