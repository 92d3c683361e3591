#include "narrows/engine/onednn/integer_conv.h"

#include <optional>

#include "narrows/engine/executor/integer_weights.h"
#include "narrows/engine/onednn/calls.h"

namespace narrows::onednn {
namespace {

using executor::ByteKernel;
using executor::CompactConv;
using executor::IntegerWeights;
using DataType = dnnl::memory::data_type;

class IntegerConvKernel final : public Calls {
 public:
  IntegerConvKernel(const dnnl::engine& engine, const CompactConv& conv) : Calls(engine) {
    std::optional<Constants> constants;  // what all pieces read alike
    for (const Piece& piece : cut(conv.problem)) {
      const executor::ConvProblem& p = piece.problem;
      if (!constants || piece.first_channel) {
        constants.emplace(engine, conv, p);
        own_bytes_ += constants->factors.size() * sizeof(float);
      }
      const auto pd = describe(engine, conv, piece, constants->factors);
      Call call = callOf(engine, pd, conv, piece);
      const WeightShape shape = weightShape(p);
      const dnnl::memory plain({shape.dims, DataType::s8, shape.tag}, engine,
                               constants->integers.values.data());
      call.arguments.emplace(DNNL_ARG_BIAS, constants->bias);
      call.arguments.emplace(DNNL_ARG_WEIGHTS, weights_.pack(p.store, std::as_bytes(p.weights),
                                                             plain, pd.weights_desc()));
      addCall(std::move(call));
    }
  }

 private:
  /// What the `sum` post-op adds too much before or after the activation: the residual's zero.
  static float residualShift(const CompactConv& conv, bool after) {
    if (!conv.residual || conv.problem.residual_after_activation != after) return 0;
    return conv.residual->scale * static_cast<float>(conv.residual->zero);
  }

  /// Weights, their scales and the bias of a problem.
  struct Constants {
    Constants(const dnnl::engine& engine, const CompactConv& conv, const executor::ConvProblem& p)
        : integers(p.weights, p.output.shape[1]), bias(biasDesc(p), engine) {
      for (float scale : integers.scales) factors.push_back(scale * conv.input.scale);
      auto* shift = static_cast<float*>(bias.get_data_handle());
      for (std::size_t c = 0; c < factors.size(); ++c)
        shift[c] = ((p.bias.empty() ? 0.0F : p.bias[c]) - residualShift(conv, false)) / factors[c];
    }

    IntegerWeights integers;
    dnnl::memory bias;
    std::vector<float> factors;
  };

  static dnnl::convolution_forward::primitive_desc describe(const dnnl::engine& engine,
                                                            const CompactConv& conv,
                                                            const Piece& piece,
                                                            const std::vector<float>& factors) {
    const OneThread one_thread;
    const executor::ConvProblem& p = piece.problem;
    dnnl::post_ops ops;
    const auto addResidual = [&] {
      ops.append_sum(conv.residual->scale, typeOf(conv.residual->dtype));
    };
    if (conv.residual && !p.residual_after_activation) addResidual();
    appendActivation(ops, p.activation);
    if (conv.residual && p.residual_after_activation) addResidual();
    if (conv.output.dtype != DType::f32) {
      const float zero =
          static_cast<float>(conv.output.zero) - residualShift(conv, true) / conv.output.scale;
      ops.append_eltwise(1.0F, dnnl::algorithm::eltwise_linear, 1.0F / conv.output.scale, zero);
    }
    dnnl::primitive_attr attributes;
    if (conv.input.zero != 0) attributes.set_zero_points(DNNL_ARG_SRC, 0, {conv.input.zero});
    constexpr int kPerChannel = 1 << 1;
    attributes.set_output_scales(kPerChannel, factors);
    attributes.set_post_ops(ops);
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return {convDesc(p, typeOf(conv.input.dtype), DataType::s8, typeOf(conv.output.dtype), true),
            attributes, engine};
  }
};

}  // namespace

Result<std::unique_ptr<ByteKernel>> makeIntegerConv(const dnnl::engine& engine,
                                                    const CompactConv& conv) {
  try {
    return std::unique_ptr<ByteKernel>(std::make_unique<IntegerConvKernel>(engine, conv));
  } catch (const dnnl::error& error) {
    return makeError("oneDNN has no integer convolution {} -> {}: {}",
                     toString(conv.input.layout.shape), toString(conv.output.layout.shape),
                     error.what());
  }
}

}  // namespace narrows::onednn
