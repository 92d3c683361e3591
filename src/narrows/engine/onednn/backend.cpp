#include "narrows/engine/onednn/backend.h"

#include <omp.h>

#include <oneapi/dnnl/dnnl.hpp>

#include <cstring>
#include <unordered_map>
#include <vector>

namespace narrows::onednn {
namespace {

using executor::Activation;
using executor::ActivationKind;
using executor::ConvProblem;
using executor::Layout;
using Dims = dnnl::memory::dims;
using Tag = dnnl::memory::format_tag;
constexpr auto kF32 = dnnl::memory::data_type::f32;

Dims dimsOf(const Shape& shape) {
  return Dims(shape.extents().begin(), shape.extents().end());
}

dnnl::memory::desc mapDesc(const Layout& map) {
  const std::int64_t pixel = pixelPitch(map);
  return {dimsOf(map.shape), kF32, Dims{imagePitch(map), 1, rowPitch(map), pixel}};
}

void appendActivation(dnnl::post_ops& ops, const Activation& activation) {
  using dnnl::algorithm;
  switch (activation.kind) {
    case ActivationKind::none:
      return;
    case ActivationKind::clip:
      if (activation.alpha == 0 && activation.beta == std::numeric_limits<float>::infinity()) {
        ops.append_eltwise(1.0F, algorithm::eltwise_relu, 0.0F, 0.0F);
      } else {
        ops.append_eltwise(1.0F, algorithm::eltwise_clip, activation.alpha, activation.beta);
      }
      return;
    case ActivationKind::leaky:
      ops.append_eltwise(1.0F, algorithm::eltwise_relu, activation.alpha, 0.0F);
      return;
    case ActivationKind::sigmoid:
      ops.append_eltwise(1.0F, algorithm::eltwise_logistic, 0.0F, 0.0F);
      return;
    case ActivationKind::silu:
      ops.append_eltwise(1.0F, algorithm::eltwise_swish, 1.0F, 0.0F);
      return;
    case ActivationKind::tanh:
      ops.append_eltwise(1.0F, algorithm::eltwise_tanh, 0.0F, 0.0F);
      return;
    case ActivationKind::hard_sigmoid:
      ops.append_eltwise(1.0F, algorithm::eltwise_linear, activation.alpha, activation.beta);
      ops.append_eltwise(1.0F, algorithm::eltwise_clip, 0.0F, 1.0F);
      return;
    case ActivationKind::hard_swish:
      ops.append_eltwise(1.0F, algorithm::eltwise_hardswish, 0.0F, 0.0F);
      return;
  }
}

struct WeightShape {
  Dims dims;
  Tag tag;
};

WeightShape weightShape(const ConvProblem& p) {
  const std::int64_t inputs = p.input.shape[1] / p.groups;
  const std::int64_t outputs = p.output.shape[1];
  const Extent2d& kernel = p.window.kernel;
  if (p.groups == 1) return {{outputs, inputs, kernel.h, kernel.w}, Tag::oihw};
  return {{p.groups, outputs / p.groups, inputs, kernel.h, kernel.w}, Tag::goihw};
}

/// For its life, bounds the teams of threads that oneDNN opens from this thread.
class TeamSize {
 public:
  explicit TeamSize(std::size_t threads) : before_(omp_get_max_threads()) {
    omp_set_num_threads(static_cast<int>(threads));
  }
  TeamSize(const TeamSize&) = delete;
  TeamSize& operator=(const TeamSize&) = delete;
  ~TeamSize() { omp_set_num_threads(before_); }

 private:
  int before_;
};

class Conv final : public executor::ConvKernel {
 public:
  Conv(const dnnl::engine& engine, const ConvProblem& p) : stream_(engine), threads_(p.threads) {
    const TeamSize team(threads_);
    const WeightShape shape = weightShape(p);
    const auto src = mapDesc(p.input);
    const auto dst = mapDesc(p.output);
    const dnnl::memory::desc any_weights(shape.dims, kF32, Tag::any);
    const Dims strides{p.window.stride.h, p.window.stride.w};
    const Dims dilates{p.window.dilation.h - 1, p.window.dilation.w - 1};
    const Dims before{p.window.pads.top, p.window.pads.left};
    const Dims after{p.window.pads.bottom, p.window.pads.right};
    const auto bias_desc = p.bias.empty() ? dnnl::memory::desc()
                                          : dnnl::memory::desc({p.output.shape[1]}, kF32, Tag::a);
    const auto desc =
        p.bias.empty()
            ? dnnl::convolution_forward::desc(dnnl::prop_kind::forward_inference,
                                              dnnl::algorithm::convolution_direct, src, any_weights,
                                              dst, strides, dilates, before, after)
            : dnnl::convolution_forward::desc(dnnl::prop_kind::forward_inference,
                                              dnnl::algorithm::convolution_direct, src, any_weights,
                                              bias_desc, dst, strides, dilates, before, after);
    dnnl::post_ops ops;
    if (p.residual && !p.residual_after_activation) ops.append_sum(1.0F);
    appendActivation(ops, p.activation);
    if (p.residual && p.residual_after_activation) ops.append_sum(1.0F);
    dnnl::primitive_attr attr;
    attr.set_post_ops(ops);
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::convolution_forward::primitive_desc pd(desc, attr, engine);
    primitive_ = dnnl::convolution_forward(pd);
    src_ = dnnl::memory(src, engine, nullptr);
    dst_ = dnnl::memory(dst, engine, nullptr);
    weights_ = dnnl::memory(pd.weights_desc(), engine);
    weight_bytes_ = pd.weights_desc().get_size();
    packWeights(engine, p, shape);
    scratch_bytes_ = pd.scratchpad_desc().get_size();
    scratch_ = dnnl::memory(pd.scratchpad_desc(), engine, nullptr);
    arguments_ = {{DNNL_ARG_SRC, src_},
                  {DNNL_ARG_DST, dst_},
                  {DNNL_ARG_WEIGHTS, weights_},
                  {DNNL_ARG_SCRATCHPAD, scratch_}};
    if (!p.bias.empty()) {
      bias_ = dnnl::memory(bias_desc, engine);
      std::memcpy(bias_.get_data_handle(), p.bias.data(), p.bias.size_bytes());
      weight_bytes_ += p.bias.size_bytes();
      arguments_.emplace(DNNL_ARG_BIAS, bias_);
    }
    if (p.residual) copied_floats_ = static_cast<std::size_t>(p.output.shape.elements());
  }

  Status run(const float* input, const float* residual, float* output, std::span<std::byte> scratch,
             executor::Team&) override {
    const TeamSize team(threads_);
    try {
      // The `sum` post-op reads what the destination holds.
      if (copied_floats_ > 0 && residual != output)
        std::memcpy(output, residual, copied_floats_ * sizeof(float));
      src_.set_data_handle(const_cast<float*>(input));
      dst_.set_data_handle(output);
      scratch_.set_data_handle(scratch.data());
      primitive_.execute(stream_, arguments_);
      stream_.wait();
    } catch (const dnnl::error& error) {
      return makeError("oneDNN convolution: {}", error.what());
    }
    return {};
  }

  std::size_t weightBytes() const override { return weight_bytes_; }
  std::size_t scratchBytes() const override { return scratch_bytes_; }

 private:
  void packWeights(const dnnl::engine& engine, const ConvProblem& p, const WeightShape& shape) {
    const dnnl::memory plain({shape.dims, kF32, shape.tag}, engine,
                             const_cast<float*>(p.weights.data()));
    dnnl::reorder(plain, weights_).execute(stream_, const_cast<dnnl::memory&>(plain), weights_);
    stream_.wait();
  }

  dnnl::stream stream_;
  dnnl::primitive primitive_;
  dnnl::memory src_, dst_, weights_, bias_, scratch_;
  std::unordered_map<int, dnnl::memory> arguments_;
  std::size_t threads_;
  std::size_t weight_bytes_ = 0;
  std::size_t scratch_bytes_ = 0;
  std::size_t copied_floats_ = 0;
};

class OneDnn final : public executor::Backend {
 public:
  explicit OneDnn(dnnl::engine engine) : engine_(std::move(engine)) {}

  std::string_view name() const override { return "onednn"; }

  bool takes(const ConvProblem& problem) const override {
    if (!isDenseMap(problem.input) || !isDenseMap(problem.output)) return false;
    return !problem.residual || isDenseMap(*problem.residual);
  }

  bool prefers(const ConvProblem&) const override { return false; }

  Result<std::unique_ptr<executor::ConvKernel>> makeConv(
      const ConvProblem& problem) const override {
    try {
      return std::unique_ptr<executor::ConvKernel>(std::make_unique<Conv>(engine_, problem));
    } catch (const dnnl::error& error) {
      return makeError("oneDNN has no convolution {} -> {} with {} groups: {}",
                       toString(problem.input.shape), toString(problem.output.shape),
                       problem.groups, error.what());
    }
  }

 private:
  dnnl::engine engine_;
};

}  // namespace

Result<std::unique_ptr<executor::Backend>> makeBackend() {
  try {
    return std::unique_ptr<executor::Backend>(
        std::make_unique<OneDnn>(dnnl::engine(dnnl::engine::kind::cpu, 0)));
  } catch (const dnnl::error& error) {
    return makeError("oneDNN does not start: {}", error.what());
  }
}

}  // namespace narrows::onednn
