#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include <unordered_map>
#include <vector>

#include "narrows/engine/onednn/adapter.h"
#include "narrows/engine/onednn/held_weights.h"

namespace narrows::onednn {

/// oneDNN's word for the element of a map.
dnnl::memory::data_type typeOf(DType dtype);

/// A primitive with its arguments, and where its maps start, in bytes.
struct Call {
  dnnl::primitive primitive;
  dnnl::memory source, target, scratch;
  std::size_t scratch_bytes = 0;
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

/// The call of a piece of a convolution, without its weights and bias.
Call callOf(const dnnl::engine& engine, const dnnl::convolution_forward::primitive_desc& pd,
            const executor::CompactConv& conv, const Piece& piece);

/// Calls for the parts of one step.
class Calls : public executor::ByteKernel {
 public:
  explicit Calls(const dnnl::engine& engine) : stream_(engine) {}

  Status run(const std::byte* input, const std::byte* residual, std::byte* output,
             std::span<std::byte> scratch, executor::Team& team) override;
  std::size_t weightBytes() const override { return weights_.bytes() + own_bytes_; }
  std::size_t sharedBytes() const override { return weights_.sharedBytes(); }
  std::size_t scratchBytes() const override { return scratch_bytes_ * calls_.size(); }

 protected:
  void addCall(Call call);

  HeldWeights weights_;
  std::size_t own_bytes_ = 0;  // of biases and scales

 private:
  dnnl::stream stream_;
  std::vector<Call> calls_;
  std::size_t scratch_bytes_ = 0;
};

}  // namespace narrows::onednn
