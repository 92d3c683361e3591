#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "narrows/base/result.h"
#include "narrows/engine/executor/activation.h"
#include "narrows/engine/executor/layout.h"
#include "narrows/engine/executor/team.h"
#include "narrows/engine/executor/weight_store.h"

namespace narrows::executor {

/// A convolution with everything that is done to its result before it is stored: bias, residual
/// before or after the activation. All numbers are f32. A matrix product is one with a 1x1 kernel
/// on a map of height 1.
struct ConvProblem {
  Window2d window;
  std::int64_t groups = 1;
  Layout input;                    // a map
  Layout output;                   // a map
  std::optional<Layout> residual;  // a map of the output's shape
  bool residual_after_activation = false;
  Activation activation;
  std::span<const float> weights;  // (O, C/G, kh, kw), row-major; read while the kernel is made
  std::span<const float> bias;     // (O) or empty
  /// Where an own kernel packs its weights that share none; too small: in memory of its own.
  std::span<float> room = {};
  std::size_t threads = 1;
  WeightStore* store = nullptr;  // read while the kernel is made; null: it packs for itself
};

/// A convolution ready to run. Pointers are those of the first element of each map; the residual's
/// is null when the problem has none.
class ConvKernel {
 public:
  virtual ~ConvKernel() = default;
  virtual Status run(const float* input, const float* residual, float* output,
                     std::span<std::byte> scratch, Team& team) = 0;
  virtual std::size_t weightBytes() const = 0;
  /// Of them, those that another kernel had packed.
  virtual std::size_t sharedBytes() const { return 0; }
  virtual std::size_t scratchBytes() const = 0;
};

/// Element of a map that holds bf16: the high halves of numbers of f32.
constexpr DType kBfloat = DType::u16;

/// A map of 8-bit integers, or of f32 or bf16 with scale 1: its numbers are `scale` times what is
/// stored less `zero`.
struct ScaledMap {
  Layout layout;  // a dense map where it does not hold f32
  DType dtype = DType::f32;
  float scale = 1;
  std::int32_t zero = 0;
};

/// A convolution of a map of 8-bit integers, or of bf16 with weights of bf16 and sums of f32; its
/// results are stored likewise or in f32. Weights and bias are those of `problem`; its layouts are
/// those of the maps here.
struct CompactConv {
  ConvProblem problem;
  ScaledMap input;
  ScaledMap output;
  std::optional<ScaledMap> residual;  // stored in as many bytes as the output
};

/// Something ready to run on maps of any element.
class ByteKernel {
 public:
  virtual ~ByteKernel() = default;
  virtual Status run(const std::byte* input, const std::byte* residual, std::byte* output,
                     std::span<std::byte> scratch, Team& team) = 0;
  virtual std::size_t weightBytes() const = 0;
  /// Of them, those that another kernel had packed.
  virtual std::size_t sharedBytes() const { return 0; }
  virtual std::size_t scratchBytes() const = 0;
};

/// A library of kernels.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  /// Whether `makeConv` has a fast kernel for the problem in just these layouts.
  virtual bool takes(const ConvProblem& problem) const = 0;
  /// Whether its kernel for a problem that `takes` accepts is faster than the executor's own.
  virtual bool prefers(const ConvProblem& problem) const = 0;
  /// A kernel for a problem that `takes` accepts, or for any whose maps are dense.
  virtual Result<std::unique_ptr<ConvKernel>> makeConv(const ConvProblem& problem) const = 0;
  /// Whether its kernels apply the activation, and add residuals; the executor does so in steps of
  /// their own otherwise.
  virtual bool applies(const Activation&) const { return true; }
  virtual bool addsResiduals() const { return true; }
  /// Whether its kernel for a problem adds up in the order in which the executor's own do, so that
  /// both give the same bits.
  virtual bool roundsLikeOwn(const ConvProblem&) const { return false; }
  /// Bytes behind an input that its kernels may read, though nothing depends on them.
  virtual std::size_t overread() const { return 0; }
  /// Whether several threads may make and run kernels of one thread each at the same time.
  virtual bool worksApart() const { return false; }
  /// Whether its kernels for integers store integers alone, with zero 0, add no residuals and apply
  /// no activation that `applies` declines.
  virtual bool storesIntegersOnly() const { return false; }
  /// An error when there are no kernels for bf16, in the library or for this processor.
  virtual Status multipliesBfloat() const {
    return makeError("{} has no kernels for bf16", name());
  }
  /// A kernel for integers or bf16; an error when the library has none.
  virtual Result<std::unique_ptr<ByteKernel>> makeCompactConv(const CompactConv&) const {
    return makeError("{} has no kernels for integers", name());
  }
  /// Stores a map with another scale or element: numbers are rounded to the nearest (of two, the
  /// even one), and clamped where they become integers.
  virtual Result<std::unique_ptr<ByteKernel>> makeRescale(const ScaledMap&, const ScaledMap&,
                                                          std::size_t /*threads*/) const {
    return makeError("{} has no kernels for integers", name());
  }
};

}  // namespace narrows::executor
