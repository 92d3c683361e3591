#include "narrows/engine/onednn/adapter.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

// Of the OpenMP runtime that oneDNN is linked with (OpenMP 5.0, sections 3.2.1 and 3.2.3); declared
// here because clang does not come with omp.h.
extern "C" {
void omp_set_num_threads(int threads);
int omp_get_max_threads();
}

namespace narrows::onednn {

using executor::Activation;
using executor::ActivationKind;
using executor::ConvProblem;
using executor::Layout;

namespace {

Dims dimsOf(const Shape& shape) {
  return Dims(shape.extents().begin(), shape.extents().end());
}

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
  Piece piece{p, from * rowPitch(p.input), begin * rowPitch(p.output), {}};
  piece.problem.window.pads.top = from - first;
  piece.problem.window.pads.bottom = last + 1 - to;
  piece.problem.input = withExtent(p.input, 2, to - from);
  piece.problem.output = withExtent(p.output, 2, end - begin);
  return piece;
}

/// Output channels [begin, end).
Piece channelsOf(const ConvProblem& p, std::int64_t begin, std::int64_t end) {
  Piece piece{p, 0, begin, begin};
  const Shape& out = p.output.shape;
  const std::int64_t weights = p.input.shape[1] * p.window.kernel.h * p.window.kernel.w;
  const auto part = [](std::span<const float> all, std::int64_t from, std::int64_t to) {
    return all.subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from));
  };
  piece.problem.weights = part(p.weights, begin * weights, end * weights);
  if (!p.bias.empty()) piece.problem.bias = part(p.bias, begin, end);
  piece.problem.output = executor::channelsLast(
      *Shape::create(std::array{out[0], end - begin, out[2], out[3]}), end - begin);
  return piece;
}

/// Whether threads get even shares of the channels and would get uneven ones of the rows.
bool sharesChannels(const ConvProblem& p, std::int64_t threads) {
  constexpr std::int64_t kManyRows = 8;        // for each thread: one more is little
  constexpr std::int64_t kWholeChannels = 64;  // of the widest kernels
  const std::int64_t rows = p.output.shape[2];
  return p.groups == 1 && !p.residual && p.output.shape[0] == 1 && rows % threads != 0 &&
         rows < kManyRows * threads && p.output.shape[1] % (kWholeChannels * threads) == 0;
}

}  // namespace

std::size_t apartBytes(const Piece& piece, std::size_t bytes) {
  if (!piece.first_channel) return 0;
  return static_cast<std::size_t>(piece.problem.output.shape.elements()) * bytes;
}

void placeChannels(std::span<const std::byte> map, std::size_t pixel_bytes, std::byte* to,
                   std::size_t pitch) {
  for (; !map.empty(); map = map.subspan(pixel_bytes), to += pitch)
    std::memcpy(to, map.data(), pixel_bytes);
}

dnnl::memory::desc mapDesc(const Layout& map, dnnl::memory::data_type type) {
  const std::int64_t pixel = pixelPitch(map);
  return {dimsOf(map.shape), type, Dims{imagePitch(map), 1, rowPitch(map), pixel}};
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

dnnl::convolution_forward::desc convDesc(const ConvProblem& p, dnnl::memory::data_type source,
                                         dnnl::memory::data_type weights,
                                         dnnl::memory::data_type target, bool bias) {
  const dnnl::memory::desc from = mapDesc(p.input, source);
  const dnnl::memory::desc to = mapDesc(p.output, target);
  const dnnl::memory::desc by(weightShape(p).dims, weights, Tag::any);
  const Window2d& w = p.window;
  const Dims strides{w.stride.h, w.stride.w};
  const Dims dilates{w.dilation.h - 1, w.dilation.w - 1};
  const Dims before{w.pads.top, w.pads.left};
  const Dims after{w.pads.bottom, w.pads.right};
  constexpr auto kKind = dnnl::prop_kind::forward_inference;
  constexpr auto kDirect = dnnl::algorithm::convolution_direct;
  if (!bias) return {kKind, kDirect, from, by, to, strides, dilates, before, after};
  return {kKind, kDirect, from, by, biasDesc(p), to, strides, dilates, before, after};
}

OneThread::OneThread() : before_(omp_get_max_threads()) {
  omp_set_num_threads(1);
}

OneThread::~OneThread() {
  omp_set_num_threads(before_);
}

std::vector<Piece> cut(const ConvProblem& p) {
  constexpr std::int64_t kSmallWork = 100000;  // multiply-adds
  const std::int64_t work = p.output.shape.elements() * (p.input.shape[1] / p.groups) *
                            p.window.kernel.h * p.window.kernel.w;
  const auto threads = static_cast<std::int64_t>(p.threads);
  const std::int64_t items = p.output.shape[0] > 1 ? p.output.shape[0] : p.output.shape[2];
  const std::int64_t count = work < kSmallWork ? 1 : std::clamp<std::int64_t>(items, 1, threads);
  if (count == 1) return {Piece{p, 0, 0, {}}};
  std::vector<Piece> pieces;
  if (sharesChannels(p, threads)) {
    const std::int64_t channels = p.output.shape[1] / threads;
    for (std::int64_t i = 0; i < threads; ++i)
      pieces.push_back(channelsOf(p, i * channels, (i + 1) * channels));
    return pieces;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t begin = items * i / count;
    const std::int64_t end = items * (i + 1) / count;
    if (p.output.shape[0] == 1) {
      pieces.push_back(rowsOf(p, begin, end));
      // A piece whose window lies in the padding alone is nothing for oneDNN.
      if (pieces.back().problem.input.shape[2] == 0) return {Piece{p, 0, 0, {}}};
    } else {
      pieces.push_back({p, begin * imagePitch(p.input), begin * imagePitch(p.output), {}});
      pieces.back().problem.input = withExtent(p.input, 0, end - begin);
      pieces.back().problem.output = withExtent(p.output, 0, end - begin);
    }
  }
  return pieces;
}

dnnl::convolution_forward::primitive_desc describe(const dnnl::engine& engine,
                                                   const executor::ConvProblem& p,
                                                   dnnl::memory::data_type factors,
                                                   dnnl::memory::data_type target) {
  const OneThread one_thread;  // oneDNN plans for the threads it finds
  dnnl::post_ops ops;
  if (p.residual && !p.residual_after_activation) ops.append_sum(1.0F);
  appendActivation(ops, p.activation);
  if (p.residual && p.residual_after_activation) ops.append_sum(1.0F);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(ops);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return {convDesc(p, factors, factors, target, !p.bias.empty()), attributes, engine};
}

}  // namespace narrows::onednn
