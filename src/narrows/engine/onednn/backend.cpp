#include "narrows/engine/onednn/backend.h"

#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <limits>
#include <optional>
#include <unordered_map>
#include <vector>

// Of the OpenMP runtime that oneDNN is linked with (OpenMP 5.0, sections 3.2.1 and 3.2.3); declared
// here because clang does not come with omp.h.
extern "C" {
void omp_set_num_threads(int threads);
int omp_get_max_threads();
}

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

dnnl::memory::desc biasDesc(const ConvProblem& p) {
  return {{p.output.shape[1]}, kF32, Tag::a};
}

WeightShape weightShape(const ConvProblem& p) {
  const std::int64_t inputs = p.input.shape[1] / p.groups;
  const std::int64_t outputs = p.output.shape[1];
  const Extent2d& kernel = p.window.kernel;
  if (p.groups == 1) return {{outputs, inputs, kernel.h, kernel.w}, Tag::oihw};
  return {{p.groups, outputs / p.groups, inputs, kernel.h, kernel.w}, Tag::goihw};
}

/// For its life, keeps oneDNN from opening threads of its own in this one: parts of a problem are
/// spread over the executor's team instead.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  ~OneThread() { omp_set_num_threads(before_); }

 private:
  int before_;
};

/// Some images or some rows of a problem, as a problem of its own, and where its maps start.
struct Piece {
  ConvProblem problem;
  std::int64_t input_offset = 0;
  std::int64_t output_offset = 0;
};

Layout withExtent(const Layout& map, std::size_t axis, std::int64_t extent) {
  std::array<std::int64_t, 4> extents{map.shape[0], map.shape[1], map.shape[2], map.shape[3]};
  extents[axis] = extent;
  return executor::channelsLast(*Shape::create(extents), pixelPitch(map));
}

/// Output rows [begin, end) of a problem with one image.
Piece rowsOf(const ConvProblem& p, std::int64_t begin, std::int64_t end) {
  const Window2d& w = p.window;
  const std::int64_t first = begin * w.stride.h - w.pads.top;
  const std::int64_t last = (end - 1) * w.stride.h - w.pads.top + (w.kernel.h - 1) * w.dilation.h;
  const std::int64_t from = std::clamp<std::int64_t>(first, 0, p.input.shape[2]);
  const std::int64_t to = std::clamp<std::int64_t>(last + 1, from, p.input.shape[2]);
  Piece piece{p, from * rowPitch(p.input), begin * rowPitch(p.output)};
  piece.problem.window.pads.top = from - first;
  piece.problem.window.pads.bottom = last + 1 - to;
  piece.problem.input = withExtent(p.input, 2, to - from);
  piece.problem.output = withExtent(p.output, 2, end - begin);
  return piece;
}

std::vector<Piece> cut(const ConvProblem& p) {
  constexpr std::int64_t kSmallWork = 100000;  // multiply-adds
  const std::int64_t work = p.output.shape.elements() * (p.input.shape[1] / p.groups) *
                            p.window.kernel.h * p.window.kernel.w;
  const auto threads = static_cast<std::int64_t>(p.threads);
  const std::int64_t items = p.output.shape[0] > 1 ? p.output.shape[0] : p.output.shape[2];
  const std::int64_t count = work < kSmallWork ? 1 : std::clamp<std::int64_t>(items, 1, threads);
  if (count == 1) return {Piece{p, 0, 0}};
  std::vector<Piece> pieces;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t begin = items * i / count;
    const std::int64_t end = items * (i + 1) / count;
    if (p.output.shape[0] == 1) {
      pieces.push_back(rowsOf(p, begin, end));
      // A piece whose window lies in the padding alone is nothing for oneDNN.
      if (pieces.back().problem.input.shape[2] == 0) return {Piece{p, 0, 0}};
    } else {
      pieces.push_back({p, begin * imagePitch(p.input), begin * imagePitch(p.output)});
      pieces.back().problem.input = withExtent(p.input, 0, end - begin);
      pieces.back().problem.output = withExtent(p.output, 0, end - begin);
    }
  }
  return pieces;
}

/// One call of oneDNN.
class Primitive {
 public:
  Primitive(const dnnl::engine& engine, const Piece& piece)
      : stream_(engine), input_offset_(piece.input_offset), output_offset_(piece.output_offset) {
    const ConvProblem& p = piece.problem;
    const auto src = mapDesc(p.input);
    const auto dst = mapDesc(p.output);
    const auto pd = describe(engine, p, src, dst);
    primitive_ = dnnl::convolution_forward(pd);
    src_ = dnnl::memory(src, engine, nullptr);
    dst_ = dnnl::memory(dst, engine, nullptr);
    scratch_bytes_ = (pd.scratchpad_desc().get_size() + 63) / 64 * 64;
    scratch_ = dnnl::memory(pd.scratchpad_desc(), engine, nullptr);
    weights_desc_ = pd.weights_desc();
    if (p.residual) residual_floats_ = static_cast<std::size_t>(p.output.shape.elements());
  }

  const dnnl::memory::desc& weightsDesc() const { return weights_desc_; }
  std::size_t scratchBytes() const { return scratch_bytes_; }

  void bind(const dnnl::memory& weights, const std::optional<dnnl::memory>& bias) {
    arguments_ = {{DNNL_ARG_SRC, src_},
                  {DNNL_ARG_DST, dst_},
                  {DNNL_ARG_WEIGHTS, weights},
                  {DNNL_ARG_SCRATCHPAD, scratch_}};
    if (bias) arguments_.emplace(DNNL_ARG_BIAS, *bias);
  }

  void run(const float* input, const float* residual, float* output, std::byte* scratch) {
    const OneThread one_thread;
    // The `sum` post-op reads what the destination holds.
    if (residual_floats_ > 0) {
      std::memcpy(output + output_offset_, residual + output_offset_,
                  residual_floats_ * sizeof(float));
    }
    src_.set_data_handle(const_cast<float*>(input) + input_offset_);
    dst_.set_data_handle(output + output_offset_);
    scratch_.set_data_handle(scratch);
    primitive_.execute(stream_, arguments_);
    stream_.wait();
  }

 private:
  static dnnl::convolution_forward::primitive_desc describe(const dnnl::engine& engine,
                                                            const ConvProblem& p,
                                                            const dnnl::memory::desc& src,
                                                            const dnnl::memory::desc& dst) {
    const OneThread one_thread;  // oneDNN plans for the threads it finds
    const dnnl::memory::desc weights(weightShape(p).dims, kF32, Tag::any);
    const Window2d& w = p.window;
    const Dims strides{w.stride.h, w.stride.w};
    const Dims dilates{w.dilation.h - 1, w.dilation.w - 1};
    const Dims before{w.pads.top, w.pads.left};
    const Dims after{w.pads.bottom, w.pads.right};
    constexpr auto kKind = dnnl::prop_kind::forward_inference;
    constexpr auto kDirect = dnnl::algorithm::convolution_direct;
    const auto desc =
        p.bias.empty() ? dnnl::convolution_forward::desc(kKind, kDirect, src, weights, dst, strides,
                                                         dilates, before, after)
                       : dnnl::convolution_forward::desc(kKind, kDirect, src, weights, biasDesc(p),
                                                         dst, strides, dilates, before, after);
    dnnl::post_ops ops;
    if (p.residual && !p.residual_after_activation) ops.append_sum(1.0F);
    appendActivation(ops, p.activation);
    if (p.residual && p.residual_after_activation) ops.append_sum(1.0F);
    dnnl::primitive_attr attributes;
    attributes.set_post_ops(ops);
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return {desc, attributes, engine};
  }

  dnnl::stream stream_;
  dnnl::primitive primitive_;
  dnnl::memory src_, dst_, scratch_;
  dnnl::memory::desc weights_desc_;
  std::unordered_map<int, dnnl::memory> arguments_;
  std::int64_t input_offset_;
  std::int64_t output_offset_;
  std::size_t residual_floats_ = 0;
  std::size_t scratch_bytes_ = 0;
};

class Conv final : public executor::ConvKernel {
 public:
  Conv(const dnnl::engine& engine, const ConvProblem& p) {
    std::optional<dnnl::memory> bias;
    if (!p.bias.empty()) {
      bias.emplace(biasDesc(p), engine);
      std::memcpy(bias->get_data_handle(), p.bias.data(), p.bias.size_bytes());
      weight_bytes_ += p.bias.size_bytes();
    }
    std::vector<dnnl::memory> packed;
    for (const Piece& piece : cut(p)) {
      Primitive& primitive = primitives_.emplace_back(engine, piece);
      scratch_bytes_ = std::max(scratch_bytes_, primitive.scratchBytes());
      primitive.bind(packedWeights(engine, p, primitive.weightsDesc(), packed), bias);
    }
  }

  Status run(const float* input, const float* residual, float* output, std::span<std::byte> scratch,
             executor::Team& team) override {
    failed_.store(false, std::memory_order_relaxed);
    team.run(primitives_.size(), [&](std::size_t part) {
      try {
        primitives_[part].run(input, residual, output, scratch.data() + part * scratch_bytes_);
      } catch (const dnnl::error&) {
        failed_.store(true, std::memory_order_relaxed);
      }
    });
    if (failed_.load(std::memory_order_relaxed)) return makeError("oneDNN convolution failed");
    return {};
  }

  std::size_t weightBytes() const override { return weight_bytes_; }
  std::size_t scratchBytes() const override { return scratch_bytes_ * primitives_.size(); }

 private:
  /// The weights in the form of `desc`, packed once for all pieces that read the same form.
  dnnl::memory packedWeights(const dnnl::engine& engine, const ConvProblem& p,
                             const dnnl::memory::desc& desc, std::vector<dnnl::memory>& packed) {
    for (const dnnl::memory& known : packed) {
      if (known.get_desc() == desc) return known;
    }
    const WeightShape shape = weightShape(p);
    dnnl::memory plain({shape.dims, kF32, shape.tag}, engine, const_cast<float*>(p.weights.data()));
    dnnl::memory made(desc, engine);
    dnnl::stream stream(engine);
    dnnl::reorder(plain, made).execute(stream, plain, made);
    stream.wait();
    weight_bytes_ += desc.get_size();
    packed.push_back(made);
    return made;
  }

  std::vector<Primitive> primitives_;
  std::atomic<bool> failed_{false};
  std::size_t weight_bytes_ = 0;
  std::size_t scratch_bytes_ = 0;
};

class OneDnn final : public executor::Backend {
 public:
  explicit OneDnn(dnnl::engine engine) : engine_(std::move(engine)) {}

  std::string_view name() const override { return "onednn"; }

  bool takes(const ConvProblem& problem) const override {
    if (!isDenseMap(problem.input) || !isDenseMap(problem.output)) return false;
    return !problem.residual || isDenseMap(*problem.residual);
  }

  // As `bench_conv` measured on AVX-512: its windows are faster, and products with few results,
  // where half of the executor's registers stay idle.
  bool prefers(const ConvProblem& p) const override {
    constexpr std::int64_t kFewResults = 16;
    const bool pointwise = p.window.kernel == Extent2d{1, 1} && p.window.stride == Extent2d{1, 1} &&
                           p.window.pads == Padding2d{};
    const std::int64_t results = p.output.shape[1] / p.groups;
    if (p.groups > 1 && p.groups != p.output.shape[1]) return false;
    if (p.residual && pointwise) return false;
    if (pointwise) return results <= kFewResults && p.input.shape[1] >= kFewResults;
    return true;
  }

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
