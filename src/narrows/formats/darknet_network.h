#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/formats/darknet_cfg.h"
#include "narrows/formats/darknet_reader.h"
#include "narrows/formats/darknet_weights.h"
#include "narrows/graph/graph.h"

namespace narrows {

/// Builds the graph of a cfg, section by section. Layers are counted from 0 behind [net], as in
/// Darknet; layer 7 ends in the value "layer7".
class DarknetNetwork {
 public:
  explicit DarknetNetwork(DarknetWeights& weights) : weights_(weights) {}

  Result<DarknetModel> build(std::span<const DarknetSection> sections) &&;

  /// One layer of each kind; `section` holds its options.
  Status addConvolutional(const DarknetSection& section);
  Status addConnected(const DarknetSection& section);
  Status addMaxPool(const DarknetSection& section);
  Status addLocalAveragePool(const DarknetSection& section);
  Status addAveragePool(const DarknetSection& section);
  Status addSoftmax(const DarknetSection& section);
  Status addCrop(const DarknetSection& section);
  Status addActivation(const DarknetSection& section);
  Status addNothing(const DarknetSection& section);
  Status addRoute(const DarknetSection& section);
  Status addShortcut(const DarknetSection& section);
  Status addScaleChannels(const DarknetSection& section);
  Status addUpsample(const DarknetSection& section);
  Status addReorg(const DarknetSection& section);
  Status addYolo(const DarknetSection& section);
  Status addRegion(const DarknetSection& section);

 private:
  static constexpr std::int64_t kMaxExtent = 1 << 16;
  static constexpr std::int64_t kMaxFilters = 1 << 20;

  Status readNet(const DarknetSection& section);
  Status addHead(const DarknetSection& section, DarknetHead head, std::int64_t channels);
  Status finish();

  /// What the next layer reads, as (1,C,H,W).
  Result<ValueId> map();
  /// The same as (1,C*H*W).
  Result<ValueId> vector();
  Result<ValueId> asMap(ValueId value);
  /// The output of layer `index`, or of the layer -`index` before this one, as a map.
  Result<ValueId> layerMap(const DarknetSection& section, std::int64_t index);
  Result<ValueId> add(Op op, std::vector<ValueId> inputs, std::string_view what);
  Result<ValueId> scalar(double value);
  Result<ValueId> takeWeights(const Shape& shape, DarknetBlock block, std::string_view what);
  /// Scales, means and variances from the weights; `biases` come from before them.
  Result<ValueId> normalize(ValueId x, ValueId biases);
  Result<ValueId> activate(const DarknetSection& section, ValueId x, std::string_view fallback);
  /// The window of a pool: Darknet pads `padding` elements in all, padding / 2 of them in front.
  Result<Window2d> poolWindow(const DarknetSection& section);
  Status expectOff(const DarknetSection& section, std::initializer_list<std::string_view> keys);

  DarknetWeights& weights_;
  DarknetModel model_;
  Graph& graph_ = model_.graph;
  std::size_t index_ = 0;
  /// Invalid for a head, which no layer may read.
  ValueId current_;
  std::vector<ValueId> layers_;
};

/// y = activation(x) as Darknet defines `name`; fails on an unknown one.
Result<ValueId> addDarknetActivation(Graph& graph, ValueId x, std::string_view name,
                                     std::string_view prefix);

}  // namespace narrows
