#include "narrows/zoo/yolov10_blocks.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace narrows {
namespace {

/// The parts of `x` along axis 1, in order.
Result<std::vector<ValueId>> splitChannels(LayerBuilder& layers, ValueId x, Ints sizes,
                                           const std::string& name) {
  NARROWS_TRY(node, layers.graph().addNode(Split{1, std::move(sizes)}, {x}, name));
  return layers.graph().node(node).outputs;
}

Result<ValueId> bottleneck(LayerBuilder& layers, ValueId x, const std::string& name) {
  const std::int64_t channels = layers.graph().shape(x)[1];
  NARROWS_TRY(first, siluConv(layers, x, channels, 3, 1, name + ".cv1"));
  return siluConv(layers, first, channels, 3, 1, name + ".cv2");
}

Result<ValueId> compactBlock(LayerBuilder& layers, ValueId x, const std::string& name) {
  const std::int64_t channels = layers.graph().shape(x)[1];
  const std::int64_t wide = 2 * channels;
  NARROWS_TRY(first, depthwise(layers, x, name + ".cv1.0"));
  NARROWS_TRY(expanded, siluConv(layers, first, wide, 1, 1, name + ".cv1.1"));
  NARROWS_TRY(large,
              layers.convNorm(expanded, {wide, 7, 1, Activation::silu, wide}, name + ".cv1.2"));
  NARROWS_TRY(reduced, siluConv(layers, large, channels, 1, 1, name + ".cv1.3"));
  return depthwise(layers, reduced, name + ".cv1.4");
}

Result<ValueId> innerBlock(LayerBuilder& layers, ValueId x, const C2fShape& shape,
                           const std::string& name) {
  NARROWS_TRY(y, shape.inner == InnerBlock::compact ? compactBlock(layers, x, name)
                                                    : bottleneck(layers, x, name));
  if (!shape.shortcut) return y;
  return layers.add(x, y, name + ".add");
}

/// Heads of 64 channels or so, as many as divide the channels.
std::int64_t headCount(std::int64_t channels) {
  std::int64_t heads = std::max<std::int64_t>(1, channels / 64);
  while (channels % heads != 0) --heads;
  return heads;
}

/// Multi-head self-attention over the cells of a map; keys have half the channels of values, and a
/// depthwise convolution of the values tells where they are.
Result<ValueId> attention(LayerBuilder& layers, ValueId x, const std::string& name) {
  Graph& graph = layers.graph();
  const Shape shape = graph.shape(x);
  const std::int64_t channels = shape[1];
  const std::int64_t cells = shape[2] * shape[3];
  const std::int64_t heads = headCount(channels);
  const std::int64_t values = channels / heads;
  const std::int64_t keys = values / 2;
  const std::int64_t all = heads * (2 * keys + values);
  NARROWS_TRY(qkv, layers.convNorm(x, {all, 1}, name + ".qkv"));
  NARROWS_TRY(rows,
              graph.add(Reshape{{1, heads, 2 * keys + values, cells}}, {qkv}, name + ".heads"));
  NARROWS_TRY(parts, graph.addNode(Split{2, {keys, keys, values}}, {rows}, name + ".split"));
  const std::vector<ValueId> qkv_parts = graph.node(parts).outputs;
  NARROWS_TRY(q, graph.add(Transpose{{0, 1, 3, 2}}, {qkv_parts[0]}, name + ".q"));
  NARROWS_TRY(products, graph.add(MatMul{}, {q, qkv_parts[1]}, name + ".scores"));
  const double scale = 1.0 / std::sqrt(static_cast<double>(keys));
  const ValueId factor =
      graph.addConstant(name + ".scale", Tensor::scalar<float>(static_cast<float>(scale)));
  NARROWS_TRY(scaled, layers.multiply(products, factor, name + ".scaled"));
  NARROWS_TRY(weights, graph.add(Softmax{3}, {scaled}, name + ".softmax"));
  NARROWS_TRY(turned, graph.add(Transpose{{0, 1, 3, 2}}, {weights}, name + ".turned"));
  NARROWS_TRY(mixed, graph.add(MatMul{}, {qkv_parts[2], turned}, name + ".mixed"));
  const Reshape as_map{{1, channels, shape[2], shape[3]}};
  NARROWS_TRY(mixed_map, graph.add(as_map, {mixed}, name + ".map"));
  NARROWS_TRY(value_map, graph.add(as_map, {qkv_parts[2]}, name + ".values"));
  NARROWS_TRY(places, layers.convNorm(value_map, {channels, 3, 1, Activation::none, channels},
                                      name + ".pe"));
  NARROWS_TRY(placed, layers.add(mixed_map, places, name + ".add"));
  return layers.convNorm(placed, {channels, 1}, name + ".proj");
}

}  // namespace

Result<ValueId> siluConv(LayerBuilder& layers, ValueId x, std::int64_t channels,
                         std::int64_t kernel, std::int64_t stride, const std::string& name) {
  return layers.convNorm(x, {channels, kernel, stride, Activation::silu}, name);
}

Result<ValueId> depthwise(LayerBuilder& layers, ValueId x, const std::string& name) {
  const std::int64_t channels = layers.graph().shape(x)[1];
  return layers.convNorm(x, {channels, 3, 1, Activation::silu, channels}, name);
}

Result<ValueId> c2f(LayerBuilder& layers, ValueId x, const C2fShape& shape,
                    const std::string& name) {
  const std::int64_t half = shape.channels / 2;
  NARROWS_TRY(wide, siluConv(layers, x, 2 * half, 1, 1, name + ".cv1"));
  NARROWS_TRY(parts, splitChannels(layers, wide, {half, half}, name + ".split"));
  for (int i = 0; i < shape.blocks; ++i) {
    NARROWS_TRY(y, innerBlock(layers, parts.back(), shape, fmt::format("{}.m.{}", name, i)));
    parts.push_back(y);
  }
  NARROWS_TRY(joined, layers.graph().add(Concat{1}, parts, name + ".concat"));
  return siluConv(layers, joined, shape.channels, 1, 1, name + ".cv2");
}

Result<ValueId> scDown(LayerBuilder& layers, ValueId x, std::int64_t channels,
                       const std::string& name) {
  NARROWS_TRY(wide, siluConv(layers, x, channels, 1, 1, name + ".cv1"));
  return layers.convNorm(wide, {channels, 3, 2, Activation::none, channels}, name + ".cv2");
}

Result<ValueId> sppf(LayerBuilder& layers, ValueId x, const std::string& name) {
  const std::int64_t channels = layers.graph().shape(x)[1];
  NARROWS_TRY(first, siluConv(layers, x, channels / 2, 1, 1, name + ".cv1"));
  std::vector<ValueId> parts{first};
  for (int i = 1; i <= 3; ++i) {
    NARROWS_TRY(
        pool, layers.maxPool(parts.back(), PoolShape{5, 1, 2}, fmt::format("{}.pool{}", name, i)));
    parts.push_back(pool);
  }
  NARROWS_TRY(joined, layers.graph().add(Concat{1}, parts, name + ".concat"));
  return siluConv(layers, joined, channels, 1, 1, name + ".cv2");
}

Result<ValueId> psa(LayerBuilder& layers, ValueId x, const std::string& name) {
  const std::int64_t channels = layers.graph().shape(x)[1];
  const std::int64_t half = channels / 2;
  NARROWS_TRY(wide, siluConv(layers, x, 2 * half, 1, 1, name + ".cv1"));
  NARROWS_TRY(parts, splitChannels(layers, wide, {half, half}, name + ".split"));
  NARROWS_TRY(attended, attention(layers, parts[1], name + ".attn"));
  NARROWS_TRY(mixed, layers.add(parts[1], attended, name + ".add"));
  NARROWS_TRY(inner, siluConv(layers, mixed, 2 * half, 1, 1, name + ".ffn.0"));
  NARROWS_TRY(outer, layers.convNorm(inner, {half, 1}, name + ".ffn.1"));
  NARROWS_TRY(fed, layers.add(mixed, outer, name + ".ffn.add"));
  NARROWS_TRY(joined, layers.graph().add(Concat{1}, {parts[0], fed}, name + ".concat"));
  return siluConv(layers, joined, channels, 1, 1, name + ".cv2");
}

}  // namespace narrows
