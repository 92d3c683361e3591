#include "narrows/plan/split.h"

#include <algorithm>

#include "narrows/graph/extract.h"

namespace narrows {
namespace {

class SplitBuilder {
 public:
  explicit SplitBuilder(const Graph& graph) : graph_(graph) {
    split_.plan.inputs = portsOf(graph, graph.inputs());
    split_.plan.outputs = portsOf(graph, graph.outputs());
  }

  Plan& plan() { return split_.plan; }

  DeviceId addDevice(std::string_view name) {
    split_.plan.devices.push_back({std::string(name)});
    return DeviceId(split_.plan.devices.size() - 1);
  }

  /// A piece on `device`, named after it, that computes `outputs` from those of `given` it needs.
  Result<PieceId> addPiece(DeviceId device, std::span<const ValueId> given,
                           std::span<const ValueId> outputs) {
    const std::string& name = split_.plan.devices[device.index()].name;
    NARROWS_TRY(inputs, neededOf(given, outputs));
    NARROWS_TRY(piece, extractPiece(graph_, inputs, outputs, name));
    split_.plan.pieces.push_back(
        {name, device, portsOf(piece, piece.inputs()), portsOf(piece, piece.outputs())});
    split_.pieces.push_back(std::move(piece));
    piece_inputs_.push_back(std::move(inputs));
    return PieceId(split_.plan.pieces.size() - 1);
  }

  /// The values that are inputs of a piece, in the order of its ports.
  std::span<const ValueId> inputsOf(PieceId piece) const { return piece_inputs_[piece.index()]; }

  /// Where `value` is an input or output of the model.
  Endpoint modelInput(ValueId value) const { return {PieceId(), indexIn(graph_.inputs(), value)}; }
  Endpoint modelOutput(ValueId value) const {
    return {PieceId(), indexIn(graph_.outputs(), value)};
  }

  /// Moves all of `value`.
  void connect(ValueId value, Endpoint source, Endpoint destination,
               InterfaceId interface = InterfaceId()) {
    const Region whole = Region::whole(graph_.shape(value));
    split_.plan.transfers.push_back(
        {source, whole, destination, whole, TransferMode::copy, interface});
  }

  /// From inputs of the model to a piece beside them.
  void feedFromModel(PieceId piece) {
    const auto inputs = inputsOf(piece);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      connect(inputs[i], modelInput(inputs[i]), {piece, i});
    }
  }
  void drainToModel(PieceId piece) {
    for (std::size_t i = 0; i < graph_.outputs().size(); ++i) {
      connect(graph_.outputs()[i], {piece, i}, {PieceId(), i});
    }
  }

  Result<SplitModel> finish() && {
    NARROWS_CHECK(checkPlan(split_.plan));
    NARROWS_CHECK(checkPieces(split_.plan, split_.pieces));
    return std::move(split_);
  }

  static std::size_t indexIn(std::span<const ValueId> values, ValueId value) {
    const auto found = std::find(values.begin(), values.end(), value);
    NARROWS_ASSERT(found != values.end());
    return static_cast<std::size_t>(found - values.begin());
  }

 private:
  Result<std::vector<ValueId>> neededOf(std::span<const ValueId> given,
                                        std::span<const ValueId> outputs) const {
    NARROWS_TRY(nodes, nodesBetween(graph_, given, outputs));
    std::vector<bool> read(graph_.valueCount(), false);
    for (ValueId output : outputs) read[output.index()] = true;
    for (NodeId id : nodes) {
      for (ValueId input : graph_.node(id).inputs) {
        if (input.valid()) read[input.index()] = true;
      }
    }
    std::vector<ValueId> needed;
    for (ValueId value : given) {
      if (read[value.index()]) needed.push_back(value);
    }
    return needed;
  }

  const Graph& graph_;
  SplitModel split_;
  std::vector<std::vector<ValueId>> piece_inputs_;
};

Status checkInterfaceTypes(const Graph& graph, const Cut& cut,
                           const std::vector<FeatureInterface>& interfaces) {
  if (interfaces.size() != cut.values.size()) {
    return makeError("{} interfaces for a cut of {} tensors", interfaces.size(), cut.values.size());
  }
  for (std::size_t i = 0; i < interfaces.size(); ++i) {
    const Value& value = graph.value(cut.values[i]);
    if (interfaces[i].type != value.type) {
      return makeError("the interface of \"{}\" is made for {} {}, the tensor is {} {}", value.name,
                       toString(interfaces[i].type.dtype), toString(interfaces[i].type.shape),
                       toString(value.type.dtype), toString(value.type.shape));
    }
  }
  return {};
}

/// Whether the cut's values are all the server needs: it has nothing to compute.
bool isEnd(const Graph& graph, const Cut& cut) {
  const auto outputs = graph.outputs();
  return std::all_of(outputs.begin(), outputs.end(), [&](ValueId output) {
    return std::find(cut.values.begin(), cut.values.end(), output) != cut.values.end();
  });
}

}  // namespace

Result<SplitModel> splitAt(const Graph& graph, const Cut& cut,
                           std::vector<FeatureInterface> interfaces) {
  NARROWS_CHECK(checkInterfaceTypes(graph, cut, interfaces));
  SplitBuilder builder(graph);
  const DeviceId node = builder.addDevice(kNodeDevice);
  const DeviceId server = builder.addDevice(kServerDevice);
  builder.plan().source_device = node;
  builder.plan().sink_device = server;
  std::vector<ValueId> computed;  // by the node
  for (ValueId value : cut.values) {
    if (!graph.isInput(value)) computed.push_back(value);
  }
  PieceId head;
  if (!computed.empty()) {
    NARROWS_TRY(piece, builder.addPiece(node, graph.inputs(), computed));
    head = piece;
    builder.feedFromModel(head);
  }
  PieceId tail;
  if (!isEnd(graph, cut)) {
    NARROWS_TRY(piece, builder.addPiece(server, cut.values, graph.outputs()));
    tail = piece;
  }
  for (std::size_t i = 0; i < cut.values.size(); ++i) {
    const ValueId value = cut.values[i];
    const Endpoint source = graph.isInput(value)
                                ? builder.modelInput(value)
                                : Endpoint{head, SplitBuilder::indexIn(computed, value)};
    Endpoint destination;
    if (tail.valid()) {
      const auto inputs = builder.inputsOf(tail);
      if (std::find(inputs.begin(), inputs.end(), value) == inputs.end()) {
        return makeError("\"{}\" is not read after the cut", graph.value(value).name);
      }
      destination = {tail, SplitBuilder::indexIn(inputs, value)};
    } else {
      destination = builder.modelOutput(value);
    }
    builder.plan().interfaces.emplace_back(std::move(interfaces[i]));
    builder.connect(value, source, destination, InterfaceId(i));
  }
  if (tail.valid()) builder.drainToModel(tail);
  return std::move(builder).finish();
}

Result<SplitModel> allOnServer(const Graph& graph, const ImageInterface& interface) {
  if (graph.inputs().size() != 1) {
    return makeError("the model has {} inputs; a picture can stand for one only",
                     graph.inputs().size());
  }
  const ValueId input = graph.inputs()[0];
  const Shape& shape = graph.shape(input);
  if (shape.rank() != 4 || shape[0] != 1 || shape[1] != 3) {
    return makeError("input \"{}\" is {}; a picture is 1x3xHxW", graph.value(input).name,
                     toString(shape));
  }
  SplitBuilder builder(graph);
  builder.plan().source_device = builder.addDevice(kNodeDevice);
  const DeviceId server = builder.addDevice(kServerDevice);
  builder.plan().sink_device = server;
  NARROWS_TRY(whole, builder.addPiece(server, graph.inputs(), graph.outputs()));
  builder.plan().interfaces.emplace_back(interface);
  builder.connect(input, builder.modelInput(input), {whole, 0}, InterfaceId(0));
  builder.drainToModel(whole);
  return std::move(builder).finish();
}

Result<SplitModel> allOnNode(const Graph& graph) {
  SplitBuilder builder(graph);
  const DeviceId node = builder.addDevice(kNodeDevice);
  builder.plan().source_device = node;
  builder.plan().sink_device = node;
  NARROWS_TRY(whole, builder.addPiece(node, graph.inputs(), graph.outputs()));
  builder.feedFromModel(whole);
  builder.drainToModel(whole);
  return std::move(builder).finish();
}

FeatureInterface plainInterface(const TensorType& type) {
  FeatureInterface interface;
  interface.type = type;
  return interface;
}

}  // namespace narrows
