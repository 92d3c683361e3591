#include "narrows/engine/onednn/backend.h"

#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <vector>

#include "narrows/engine/onednn/adapter.h"
#include "narrows/engine/onednn/integer_conv.h"

namespace narrows::onednn {
namespace {

using executor::ConvProblem;

/// One call of oneDNN.
class Primitive {
 public:
  Primitive(const dnnl::engine& engine, const Piece& piece)
      : stream_(engine),
        input_offset_(piece.input_offset),
        output_offset_(piece.output_offset),
        apart_bytes_(apartBytes(piece, sizeof(float))),
        pixel_bytes_(static_cast<std::size_t>(piece.problem.output.shape[1]) * sizeof(float)) {
    const ConvProblem& p = piece.problem;
    const auto src = mapDesc(p.input);
    const auto dst = mapDesc(p.output);
    const auto pd = describe(engine, p, src, dst);
    primitive_ = dnnl::convolution_forward(pd);
    src_ = dnnl::memory(src, engine, nullptr);
    dst_ = dnnl::memory(dst, engine, nullptr);
    apart_at_ = (pd.scratchpad_desc().get_size() + 63) / 64 * 64;
    scratch_bytes_ = apart_at_ + (apart_bytes_ + 63) / 64 * 64;
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

  /// `pitch`: bytes from one pixel of the output to the next.
  void run(const float* input, const float* residual, float* output, std::size_t pitch,
           std::byte* scratch) {
    const OneThread one_thread;
    // The `sum` post-op reads what the destination holds.
    if (residual_floats_ > 0 && residual != output) {
      std::memcpy(output + output_offset_, residual + output_offset_,
                  residual_floats_ * sizeof(float));
    }
    src_.set_data_handle(const_cast<float*>(input) + input_offset_);
    std::byte* apart = scratch + apart_at_;
    dst_.set_data_handle(apart_bytes_ > 0 ? static_cast<void*>(apart) : output + output_offset_);
    scratch_.set_data_handle(scratch);
    primitive_.execute(stream_, arguments_);
    stream_.wait();
    if (apart_bytes_ > 0) {
      placeChannels({apart, apart_bytes_}, pixel_bytes_,
                    reinterpret_cast<std::byte*>(output + output_offset_), pitch);
    }
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
  std::size_t apart_bytes_;
  std::size_t pixel_bytes_;
  std::size_t apart_at_ = 0;
  std::size_t residual_floats_ = 0;
  std::size_t scratch_bytes_ = 0;
};

class Conv final : public executor::ConvKernel {
 public:
  Conv(const dnnl::engine& engine, const ConvProblem& p)
      : weight_bytes_(kCodeBytes),
        pitch_(static_cast<std::size_t>(pixelPitch(p.output)) * sizeof(float)) {
    std::optional<dnnl::memory> bias;
    std::vector<dnnl::memory> packed;
    for (const Piece& piece : cut(p)) {
      if (piece.first_channel) packed.clear();
      if (!p.bias.empty() && (!bias || piece.first_channel)) bias = copied(engine, piece.problem);
      Primitive& primitive = primitives_.emplace_back(engine, piece);
      scratch_bytes_ = std::max(scratch_bytes_, primitive.scratchBytes());
      primitive.bind(packedWeights(engine, piece.problem, primitive.weightsDesc(), packed), bias);
    }
  }

  Status run(const float* input, const float* residual, float* output, std::span<std::byte> scratch,
             executor::Team& team) override {
    return runParts(team, primitives_.size(), "a convolution", [&](std::size_t part) {
      primitives_[part].run(input, residual, output, pitch_,
                            scratch.data() + part * scratch_bytes_);
    });
  }

  std::size_t weightBytes() const override { return weight_bytes_; }
  std::size_t scratchBytes() const override { return scratch_bytes_ * primitives_.size(); }

 private:
  dnnl::memory copied(const dnnl::engine& engine, const ConvProblem& p) {
    dnnl::memory bias(biasDesc(p), engine);
    std::memcpy(bias.get_data_handle(), p.bias.data(), p.bias.size_bytes());
    weight_bytes_ += p.bias.size_bytes();
    return bias;
  }

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
  std::size_t weight_bytes_;
  std::size_t pitch_;
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

  Result<std::unique_ptr<executor::ByteKernel>> makeIntegerConv(
      const executor::IntegerConv& conv) const override {
    return onednn::makeIntegerConv(engine_, conv);
  }
  Result<std::unique_ptr<executor::ByteKernel>> makeRescale(const executor::ScaledMap& from,
                                                            const executor::ScaledMap& to,
                                                            std::size_t threads) const override {
    return onednn::makeRescale(engine_, from, to, threads);
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
