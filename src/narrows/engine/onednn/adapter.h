#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include <atomic>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/engine/executor/backend.h"

/// What the kernels of this folder share: the executor's words in oneDNN's.
namespace narrows::onednn {

using Dims = dnnl::memory::dims;
using Tag = dnnl::memory::format_tag;
constexpr auto kF32 = dnnl::memory::data_type::f32;

/// Code that oneDNN generates for a convolution, which stays as long as the program does: 40 to 150
/// KB as a process shows it (`bench_memory growth`).
constexpr std::size_t kCodeBytes = 64 * 1024;

dnnl::memory::desc mapDesc(const executor::Layout& map, dnnl::memory::data_type type = kF32);
void appendActivation(dnnl::post_ops& ops, const executor::Activation& activation);

struct WeightShape {
  Dims dims;
  Tag tag;
};
WeightShape weightShape(const executor::ConvProblem& p);
dnnl::memory::desc biasDesc(const executor::ConvProblem& p);
/// Weights may have any form.
dnnl::convolution_forward::desc convDesc(const executor::ConvProblem& p,
                                         dnnl::memory::data_type source,
                                         dnnl::memory::data_type weights,
                                         dnnl::memory::data_type target, bool bias);

/// The convolution with the problem's residual and activation, its scratch memory given by the
/// caller; `factors` is the type of source and weights.
dnnl::convolution_forward::primitive_desc describe(const dnnl::engine& engine,
                                                   const executor::ConvProblem& p,
                                                   dnnl::memory::data_type factors,
                                                   dnnl::memory::data_type target);

/// For its life, keeps oneDNN from opening threads of its own in this one: parts of a problem are
/// spread over the executor's team instead.
class OneThread {
 public:
  OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  ~OneThread();

 private:
  int before_;
};

/// Runs `part(i)` for every i in [0, count) on the team; the error names `what` when oneDNN fails
/// on one of them.
template <class Part>
Status runParts(executor::Team& team, std::size_t count, std::string_view what, const Part& part) {
  std::atomic<bool> failed{false};
  team.run(count, [&](std::size_t i) {
    try {
      part(i);
    } catch (const dnnl::error&) {
      failed.store(true, std::memory_order_relaxed);
    }
  });
  if (failed.load(std::memory_order_relaxed)) return makeError("oneDNN failed on {}", what);
  return {};
}

/// Some images, rows or result channels of a problem, as a problem of its own, and where its maps
/// start.
struct Piece {
  executor::ConvProblem problem;
  std::int64_t input_offset = 0;
  std::int64_t output_offset = 0;
  /// The first of some result channels. Their map has no gaps, as oneDNN wants it, and
  /// `placeChannels` brings it to where it belongs.
  std::optional<std::int64_t> first_channel;
};
/// A problem in pieces for its threads.
std::vector<Piece> cut(const executor::ConvProblem& p);

/// Bytes of the map that a piece with some channels of `bytes` each is stored in; 0 for others.
std::size_t apartBytes(const Piece& piece, std::size_t bytes);
/// Copies such a map into the map of all channels, whose pixels are `pitch` bytes apart.
void placeChannels(std::span<const std::byte> map, std::size_t pixel_bytes, std::byte* to,
                   std::size_t pitch);

}  // namespace narrows::onednn
