#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "narrows/graph/graph.h"
#include "narrows/tensor/absent.h"
#include "narrows/zoo/zoo.h"

namespace narrows {

/// What stands behind a convolution or a matrix product. `leaky` has slope 0.1, as in Darknet.
enum class Activation : std::uint8_t { none, leaky, relu, relu6, silu };

/// A square convolution.
struct ConvShape {
  std::int64_t channels = 0;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  Activation activation = Activation::none;
  std::int64_t groups = 1;
  /// On every side; absent means kernel / 2, which keeps the extents at stride 1.
  std::optional<std::int64_t> pad = std::nullopt;
};

struct PoolShape {
  std::int64_t kernel = 2;
  std::int64_t stride = 2;
  std::int64_t pad = 0;
  /// Whether a last window that the map fills only in part counts.
  bool ceil = false;
};

/// Adds layers to a graph, with seeded random weights or, when the options say so, with weights
/// that have a type only. The generator's numbers are used directly, not through a distribution of
/// the standard library, whose results differ between implementations.
///
/// Names: a convolution is NAME, its parameters NAME.weight and NAME.bias, its normalisation
/// NAME.norm, its activation NAME.leaky, NAME.relu, NAME.relu6 or NAME.silu.
class LayerBuilder {
 public:
  /// `epsilon` is that of every normalisation.
  LayerBuilder(Graph& graph, const ZooOptions& options, double epsilon = 1e-5)
      : graph_(&graph), with_weights_(options.weights), epsilon_(epsilon), random_(options.seed) {}

  Graph& graph() { return *graph_; }

  /// Convolution without bias, batch normalisation, activation.
  Result<ValueId> convNorm(ValueId x, const ConvShape& shape, const std::string& name);
  /// Convolution with bias, activation.
  Result<ValueId> conv(ValueId x, const ConvShape& shape, const std::string& name);
  /// `convNorm` as in Darknet: leaky ReLU, extents kept.
  Result<ValueId> convBlock(ValueId x, std::int64_t channels, std::int64_t kernel,
                            const std::string& name) {
    return convNorm(x, {channels, kernel, 1, Activation::leaky}, name);
  }
  /// 1 x 1 convolution with this bias for each channel, for heads: its outputs spread widely.
  Result<ValueId> pointwise(ValueId x, std::span<const float> bias, const std::string& name,
                            const std::string& output_name);
  /// 1 x 1 convolution without bias and with these weights, one for each channel of `x`, to one
  /// channel.
  Result<ValueId> weightedSum(ValueId x, std::span<const float> weights, const std::string& name);
  /// x (1,K) -> (1,features), with bias.
  Result<ValueId> dense(ValueId x, std::int64_t features, Activation activation,
                        const std::string& name, const std::string& output_name = {});

  Result<ValueId> activate(ValueId x, Activation activation, const std::string& name);
  /// 2 x 2 maximum; stride 1 pads below and right.
  Result<ValueId> maxPool(ValueId x, std::int64_t stride, const std::string& name);
  Result<ValueId> maxPool(ValueId x, const PoolShape& shape, const std::string& name);
  /// (1,C,H,W) -> (1,C).
  Result<ValueId> averageToVector(ValueId x, const std::string& name);
  /// (1,C,H,W) -> (1,C,extent,extent): bin i of an axis of length L is the mean of elements
  /// floor(i L / extent) to ceil((i + 1) L / extent) - 1 (PyTorch AdaptiveAvgPool2d).
  Result<ValueId> averageToExtent(ValueId x, std::int64_t extent, const std::string& name);
  Result<ValueId> flatten(ValueId x, const std::string& name);
  Result<ValueId> upsample(ValueId x, std::int64_t factor, const std::string& name);
  Result<ValueId> add(ValueId a, ValueId b, const std::string& name) {
    return graph_->add(Binary{BinaryKind::add}, {a, b}, name);
  }
  Result<ValueId> multiply(ValueId a, ValueId b, const std::string& name) {
    return graph_->add(Binary{BinaryKind::mul}, {a, b}, name);
  }

  /// In [0, 1).
  double uniform();
  /// Standard normal (Box and Muller 1958).
  double normal();

 private:
  /// A constant whose elements `next()` gives in order.
  template <class Next>
  ValueId constant(const std::string& name, Shape shape, Next next) {
    const TensorType type{DType::f32, shape};
    if (!with_weights_) return graph_->addConstant(name, withoutElements(type));
    Tensor tensor(type);
    for (float& value : tensor.mutableAs<float>()) value = static_cast<float>(next());
    return graph_->addConstant(name, std::move(tensor));
  }
  ValueId constant(const std::string& name, std::span<const float> values);
  /// NAME.weight: normal with variance `gain` / fan-in.
  ValueId weights(Shape shape, double gain, const std::string& name);
  ValueId biases(std::int64_t count, const std::string& name);
  Result<ValueId> normalize(ValueId x, const std::string& name);
  Result<ValueId> averageBins(ValueId x, std::size_t axis, std::int64_t bins,
                              const std::string& name);

  Graph* graph_;
  bool with_weights_;
  double epsilon_;
  std::mt19937_64 random_;
};

}  // namespace narrows
