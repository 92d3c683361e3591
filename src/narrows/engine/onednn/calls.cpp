#include "narrows/engine/onednn/calls.h"

#include <algorithm>
#include <cstring>

namespace narrows::onednn {

using DataType = dnnl::memory::data_type;

DataType typeOf(DType dtype) {
  if (dtype == DType::u8) return DataType::u8;
  if (dtype == DType::i8) return DataType::s8;
  if (dtype == executor::kBfloat) return DataType::bf16;
  return DataType::f32;
}

Call callOf(const dnnl::engine& engine, const dnnl::convolution_forward::primitive_desc& pd,
            const executor::CompactConv& conv, const Piece& piece) {
  Call call;
  call.primitive = dnnl::convolution_forward(pd);
  call.source = dnnl::memory(pd.src_desc(), engine, nullptr);
  call.target = dnnl::memory(pd.dst_desc(), engine, nullptr);
  call.scratch = dnnl::memory(pd.scratchpad_desc(), engine, nullptr);
  call.scratch_bytes = pd.scratchpad_desc().get_size();
  call.arguments = {{DNNL_ARG_SRC, call.source},
                    {DNNL_ARG_DST, call.target},
                    {DNNL_ARG_SCRATCHPAD, call.scratch}};
  const auto size = static_cast<std::int64_t>(byteSize(conv.output.dtype));
  call.source_offset = piece.input_offset * static_cast<std::int64_t>(byteSize(conv.input.dtype));
  call.target_offset = piece.output_offset * size;
  if (conv.residual) {
    call.residual_bytes = static_cast<std::size_t>(piece.problem.output.shape.elements() * size);
  }
  call.apart_bytes = apartBytes(piece, byteSize(conv.output.dtype));
  call.pixel_bytes = static_cast<std::size_t>(piece.problem.output.shape[1] * size);
  call.pitch = static_cast<std::size_t>(pixelPitch(conv.problem.output) * size);
  return call;
}

Status Calls::run(const std::byte* input, const std::byte* residual, std::byte* output,
                  std::span<std::byte> scratch, executor::Team& team) {
  return runParts(team, calls_.size(), "a convolution", [&](std::size_t part) {
    const OneThread one_thread;
    Call& call = calls_[part];
    // The `sum` post-op reads what the destination holds.
    if (call.residual_bytes > 0 && residual != output) {
      std::memcpy(output + call.target_offset, residual + call.target_offset, call.residual_bytes);
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

void Calls::addCall(Call call) {
  call.apart_at = (call.scratch_bytes + 63) / 64 * 64;
  scratch_bytes_ = std::max(scratch_bytes_, call.apart_at + (call.apart_bytes + 63) / 64 * 64);
  calls_.push_back(std::move(call));
}

}  // namespace narrows::onednn
