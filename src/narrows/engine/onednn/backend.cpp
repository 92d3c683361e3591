#include "narrows/engine/onednn/backend.h"

#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <vector>

#include "narrows/engine/onednn/adapter.h"
#include "narrows/engine/onednn/bfloat_conv.h"
#include "narrows/engine/onednn/held_weights.h"
#include "narrows/engine/onednn/integer_conv.h"
#include "narrows/engine/onednn/rescale.h"

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
    const auto pd = describe(engine, p, kF32, kF32);
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
      : pitch_(static_cast<std::size_t>(pixelPitch(p.output)) * sizeof(float)) {
    std::optional<dnnl::memory> bias;
    for (const Piece& piece : cut(p)) {
      if (!p.bias.empty() && (!bias || piece.first_channel)) bias = copied(engine, piece.problem);
      Primitive& primitive = primitives_.emplace_back(engine, piece);
      scratch_bytes_ = std::max(scratch_bytes_, primitive.scratchBytes());
      const std::span<const float> weights = piece.problem.weights;
      const WeightShape shape = weightShape(piece.problem);
      const dnnl::memory plain({shape.dims, kF32, shape.tag}, engine,
                               const_cast<float*>(weights.data()));
      primitive.bind(weights_.pack(p.store, std::as_bytes(weights), plain, primitive.weightsDesc()),
                     bias);
    }
  }

  Status run(const float* input, const float* residual, float* output, std::span<std::byte> scratch,
             executor::Team& team) override {
    return runParts(team, primitives_.size(), "a convolution", [&](std::size_t part) {
      primitives_[part].run(input, residual, output, pitch_,
                            scratch.data() + part * scratch_bytes_);
    });
  }

  std::size_t weightBytes() const override { return weights_.bytes() + bias_bytes_; }
  std::size_t sharedBytes() const override { return weights_.sharedBytes(); }
  std::size_t scratchBytes() const override { return scratch_bytes_ * primitives_.size(); }

 private:
  dnnl::memory copied(const dnnl::engine& engine, const ConvProblem& p) {
    dnnl::memory bias(biasDesc(p), engine);
    std::memcpy(bias.get_data_handle(), p.bias.data(), p.bias.size_bytes());
    bias_bytes_ += p.bias.size_bytes();
    return bias;
  }

  std::vector<Primitive> primitives_;
  HeldWeights weights_;
  std::size_t bias_bytes_ = 0;
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

  // Without such instructions oneDNN computes bf16 in f32, slower than f32 itself.
  Status multipliesBfloat() const override {
    constexpr auto kNeeded = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
    const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
    if ((isa & kNeeded) == kNeeded) return {};
    return makeError("bf16 needs a processor with AVX512_BF16 instructions, and this one has none");
  }
  Result<std::unique_ptr<executor::ByteKernel>> makeCompactConv(
      const executor::CompactConv& conv) const override {
    return conv.input.dtype == executor::kBfloat ? makeBfloatConv(engine_, conv)
                                                 : makeIntegerConv(engine_, conv);
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
