#include "narrows/planner/stage_walk.h"

#include "narrows/graph/node_need.h"

namespace narrows {

void StageWalk::read(ValueId value, const Region& box) {
  std::optional<Region>& before = read_[value.index()];
  before = before ? before->hull(box) : box;
}

Result<StageWalk::Step> StageWalk::back(NodeId id) {
  const Node& node = graph_->node(id);
  first_ = id.index();
  made_ = 0;
  Step step;
  const auto bytes = [&](ValueId value, const Region& box) {
    return static_cast<double>(box.elements()) *
           static_cast<double>(byteSize(graph_->type(value).dtype));
  };
  for (std::size_t output = 0; output < node.outputs.size(); ++output) {
    const ValueId value = node.outputs[output];
    std::optional<Region> box = read_[value.index()];
    const std::optional<Region>& wanted = wanted_[value.index()];
    if (wanted) box = box ? box->hull(*wanted) : *wanted;
    if (!box) continue;
    NARROWS_TRY(need, needFor(*graph_, id, output, *box));
    step.share += static_cast<double>(need.produced.elements()) /
                  static_cast<double>(graph_->shape(value).elements()) /
                  static_cast<double>(node.outputs.size());
    step.bytes += bytes(value, need.produced);
    made_ += bytes(value, need.produced);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (!need.inputs[i]) continue;
      if (graph_->value(node.inputs[i]).isConstant()) {
        step.weights += bytes(node.inputs[i], *need.inputs[i]);
      } else {
        step.bytes += bytes(node.inputs[i], *need.inputs[i]);
        read(node.inputs[i], *need.inputs[i]);
      }
    }
  }
  return step;
}

std::vector<StageWalk::Live> StageWalk::live() const {
  std::vector<Live> live{{first_, made_}};
  for (std::size_t v = 0; v < read_.size(); ++v) {
    if (!read_[v] && !wanted_[v]) continue;
    const Value& value = graph_->value(ValueId(v));
    if (!value.producer.valid() || value.producer.index() >= first_) continue;
    const Region box = !read_[v]    ? *wanted_[v]
                       : wanted_[v] ? read_[v]->hull(*wanted_[v])
                                    : *read_[v];
    live.push_back({value.producer.index(), static_cast<double>(box.elements()) *
                                                static_cast<double>(byteSize(value.type.dtype))});
  }
  return live;
}

std::vector<ValueBox> StageWalk::reads() const {
  std::vector<ValueBox> boxes;
  for (std::size_t v = 0; v < read_.size(); ++v) {
    if (!read_[v]) continue;
    const NodeId producer = graph_->value(ValueId(v)).producer;
    if (producer.valid() && producer.index() >= first_) continue;
    boxes.push_back({ValueId(v), *read_[v]});
  }
  return boxes;
}

}  // namespace narrows
