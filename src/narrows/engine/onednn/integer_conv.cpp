#include "narrows/engine/onednn/integer_conv.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_map>

#include "narrows/engine/executor/integer_weights.h"
#include "narrows/engine/onednn/adapter.h"

namespace narrows::onednn {
namespace {

using executor::ByteKernel;
using executor::IntegerConv;
using executor::IntegerWeights;
using executor::ScaledMap;
using DataType = dnnl::memory::data_type;

DataType typeOf(DType dtype) {
  if (dtype == DType::u8) return DataType::u8;
  if (dtype == DType::i8) return DataType::s8;
  return DataType::f32;
}

/// A primitive with its arguments, and where its maps start, in bytes.
struct Call {
  dnnl::primitive primitive;
  dnnl::memory source, target, scratch;
  std::unordered_map<int, dnnl::memory> arguments;
  std::int64_t source_offset = 0;
  std::int64_t target_offset = 0;
  std::size_t residual_bytes = 0;
  // Of some channels: their map, its place in the scratch memory, and where it belongs.
  std::size_t apart_bytes = 0;
  std::size_t apart_at = 0;
  std::size_t pixel_bytes = 0;
  std::size_t pitch = 0;
};

/// Calls for the parts of one step.
class Calls : public ByteKernel {
 public:
  explicit Calls(const dnnl::engine& engine) : stream_(engine) {}

  Status run(const std::byte* input, const std::byte* residual, std::byte* output,
             std::span<std::byte> scratch, executor::Team& team) override {
    return runParts(team, calls_.size(), "a convolution of integers", [&](std::size_t part) {
      const OneThread one_thread;
      Call& call = calls_[part];
      // The `sum` post-op reads what the destination holds.
      if (call.residual_bytes > 0 && residual != output) {
        std::memcpy(output + call.target_offset, residual + call.target_offset,
                    call.residual_bytes);
      }
      call.source.set_data_handle(const_cast<std::byte*>(input) + call.source_offset);
      std::byte* own_scratch = scratch.data() + part * scratch_bytes_;
      std::byte* apart = own_scratch + call.apart_at;
      call.target.set_data_handle(call.apart_bytes > 0 ? apart : output + call.target_offset);
      call.scratch.set_data_handle(own_scratch);
      call.primitive.execute(stream_, call.arguments);
      stream_.wait();
      if (call.apart_bytes > 0) {
        placeChannels({apart, call.apart_bytes}, call.pixel_bytes, output + call.target_offset,
                      call.pitch);
      }
    });
  }
  std::size_t weightBytes() const override { return weight_bytes_; }
  std::size_t scratchBytes() const override { return scratch_bytes_ * calls_.size(); }

 protected:
  void addCall(Call call, std::size_t scratch_bytes) {
    call.apart_at = (scratch_bytes + 63) / 64 * 64;
    scratch_bytes_ = std::max(scratch_bytes_, call.apart_at + (call.apart_bytes + 63) / 64 * 64);
    calls_.push_back(std::move(call));
  }
  std::size_t weight_bytes_ = 0;

 private:
  dnnl::stream stream_;
  std::vector<Call> calls_;
  std::size_t scratch_bytes_ = 0;
};

class IntegerConvKernel final : public Calls {
 public:
  IntegerConvKernel(const dnnl::engine& engine, const IntegerConv& conv) : Calls(engine) {
    const executor::ConvProblem& p = conv.problem;
    weight_bytes_ += kCodeBytes;
    std::optional<Constants> constants;  // what all pieces read alike
    for (const Piece& piece : cut(p)) {
      if (!constants || piece.first_channel) constants.emplace(*this, engine, conv, piece.problem);
      const auto pd = describe(engine, conv, piece, constants->factors);
      Call call;
      call.primitive = dnnl::convolution_forward(pd);
      call.source = dnnl::memory(pd.src_desc(), engine, nullptr);
      call.target = dnnl::memory(pd.dst_desc(), engine, nullptr);
      call.scratch = dnnl::memory(pd.scratchpad_desc(), engine, nullptr);
      call.arguments = {
          {DNNL_ARG_SRC, call.source},
          {DNNL_ARG_DST, call.target},
          {DNNL_ARG_BIAS, constants->bias},
          {DNNL_ARG_SCRATCHPAD, call.scratch},
          {DNNL_ARG_WEIGHTS, pack(engine, piece.problem, *constants, pd.weights_desc())}};
      const auto size = static_cast<std::int64_t>(byteSize(conv.output.dtype));
      call.source_offset = piece.input_offset;
      call.target_offset = piece.output_offset * size;
      if (conv.residual) {
        call.residual_bytes =
            static_cast<std::size_t>(piece.problem.output.shape.elements() * size);
      }
      call.apart_bytes = apartBytes(piece, byteSize(conv.output.dtype));
      call.pixel_bytes = static_cast<std::size_t>(piece.problem.output.shape[1] * size);
      call.pitch = static_cast<std::size_t>(pixelPitch(p.output) * size);
      const std::size_t scratch = pd.scratchpad_desc().get_size();
      addCall(std::move(call), scratch);
    }
  }

 private:
  /// What the `sum` post-op adds too much before or after the activation: the residual's zero.
  static float residualShift(const IntegerConv& conv, bool after) {
    if (!conv.residual || conv.problem.residual_after_activation != after) return 0;
    return conv.residual->scale * static_cast<float>(conv.residual->zero);
  }

  /// Weights, their scales and the bias of a problem.
  struct Constants {
    Constants(IntegerConvKernel& kernel, const dnnl::engine& engine, const IntegerConv& conv,
              const executor::ConvProblem& p)
        : integers(p.weights, p.output.shape[1]), bias(biasDesc(p), engine) {
      for (float scale : integers.scales) factors.push_back(scale * conv.input.scale);
      auto* shift = static_cast<float*>(bias.get_data_handle());
      for (std::size_t c = 0; c < factors.size(); ++c)
        shift[c] = ((p.bias.empty() ? 0.0F : p.bias[c]) - residualShift(conv, false)) / factors[c];
      kernel.weight_bytes_ += factors.size() * sizeof(float);
    }

    IntegerWeights integers;
    dnnl::memory bias;
    std::vector<float> factors;
    std::vector<dnnl::memory> packed;
  };

  static dnnl::convolution_forward::primitive_desc describe(const dnnl::engine& engine,
                                                            const IntegerConv& conv,
                                                            const Piece& piece,
                                                            const std::vector<float>& factors) {
    const OneThread one_thread;
    const executor::ConvProblem& p = piece.problem;
    const auto source = mapDesc(p.input, typeOf(conv.input.dtype));
    const auto target = mapDesc(p.output, typeOf(conv.output.dtype));
    const dnnl::memory::desc weights(weightShape(p).dims, DataType::s8, Tag::any);
    const Window2d& w = p.window;
    const dnnl::convolution_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, source, weights,
        biasDesc(p), target, Dims{w.stride.h, w.stride.w}, Dims{w.dilation.h - 1, w.dilation.w - 1},
        Dims{w.pads.top, w.pads.left}, Dims{w.pads.bottom, w.pads.right});
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
    return {desc, attributes, engine};
  }

  dnnl::memory pack(const dnnl::engine& engine, const executor::ConvProblem& p,
                    Constants& constants, const dnnl::memory::desc& desc) {
    for (const dnnl::memory& known : constants.packed) {
      if (known.get_desc() == desc) return known;
    }
    const WeightShape shape = weightShape(p);
    dnnl::memory plain({shape.dims, DataType::s8, shape.tag}, engine,
                       const_cast<std::int8_t*>(constants.integers.values.data()));
    dnnl::memory made(desc, engine);
    dnnl::stream stream(engine);
    dnnl::reorder(plain, made).execute(stream, plain, made);
    stream.wait();
    weight_bytes_ += desc.get_size();
    constants.packed.push_back(made);
    return made;
  }
};

class RescaleKernel final : public Calls {
 public:
  RescaleKernel(const dnnl::engine& engine, const ScaledMap& from, const ScaledMap& to,
                std::size_t threads)
      : Calls(engine) {
    const Shape& shape = from.layout.shape;
    const bool by_rows = shape[0] == 1;
    const std::size_t axis = by_rows ? 2 : 0;
    const std::int64_t items = shape[axis];
    constexpr std::int64_t kSmall = 8192;  // below this a second thread costs more than it brings
    const std::int64_t parts =
        shape.elements() < kSmall
            ? 1
            : std::clamp<std::int64_t>(items, 1, static_cast<std::int64_t>(threads));
    for (std::int64_t i = 0; i < parts; ++i) {
      const std::int64_t begin = items * i / parts;
      const std::int64_t end = items * (i + 1) / parts;
      const auto part = [&](const ScaledMap& map) {
        Dims dims(shape.extents().begin(), shape.extents().end());
        dims[axis] = end - begin;
        const auto& strides = map.layout.strides;
        return dnnl::memory::desc(dims, typeOf(map.dtype),
                                  Dims(strides.begin(), strides.begin() + 4));
      };
      const OneThread one_thread;
      dnnl::primitive_attr attributes;
      attributes.set_output_scales(0, {from.scale / to.scale});
      if (from.zero != 0) attributes.set_zero_points(DNNL_ARG_SRC, 0, {from.zero});
      if (to.zero != 0) attributes.set_zero_points(DNNL_ARG_DST, 0, {to.zero});
      attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
      const dnnl::reorder::primitive_desc pd(engine, part(from), engine, part(to), attributes);
      Call call;
      call.primitive = dnnl::reorder(pd);
      call.source = dnnl::memory(pd.src_desc(), engine, nullptr);
      call.target = dnnl::memory(pd.dst_desc(), engine, nullptr);
      call.scratch = dnnl::memory(pd.scratchpad_desc(), engine, nullptr);
      call.arguments = {{DNNL_ARG_FROM, call.source},
                        {DNNL_ARG_TO, call.target},
                        {DNNL_ARG_SCRATCHPAD, call.scratch}};
      const auto offset = [&](const ScaledMap& map) {
        return begin * map.layout.strides[axis] * static_cast<std::int64_t>(byteSize(map.dtype));
      };
      call.source_offset = offset(from);
      call.target_offset = offset(to);
      const std::size_t scratch = pd.scratchpad_desc().get_size();
      addCall(std::move(call), scratch);
    }
  }
};

}  // namespace

Result<std::unique_ptr<ByteKernel>> makeIntegerConv(const dnnl::engine& engine,
                                                    const IntegerConv& conv) {
  try {
    return std::unique_ptr<ByteKernel>(std::make_unique<IntegerConvKernel>(engine, conv));
  } catch (const dnnl::error& error) {
    return makeError("oneDNN has no integer convolution {} -> {}: {}",
                     toString(conv.input.layout.shape), toString(conv.output.layout.shape),
                     error.what());
  }
}

Result<std::unique_ptr<ByteKernel>> makeRescale(const dnnl::engine& engine, const ScaledMap& from,
                                                const ScaledMap& to, std::size_t threads) {
  try {
    return std::unique_ptr<ByteKernel>(std::make_unique<RescaleKernel>(engine, from, to, threads));
  } catch (const dnnl::error& error) {
    return makeError("oneDNN does not rescale a map {}: {}", toString(from.layout.shape),
                     error.what());
  }
}

}  // namespace narrows::onednn
