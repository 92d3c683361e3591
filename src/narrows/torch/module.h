#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "narrows/graph/graph.h"
#include "narrows/torch/operators.h"

namespace narrows::torched {

/// The value of that name; an error where the graph has none.
Result<ValueId> findValue(const Graph& graph, const std::string& name);

/// A graph on libtorch's operators. Constants are tensors: those that training changes are leaves
/// of the gradient, statistics of normalisations are moved by training runs, the rest stays.
class GraphModule {
 public:
  /// Takes what replaces a value from the value on.
  using Replacement = std::function<at::Tensor(const at::Tensor&)>;

  /// Floating-point constants get the type of `place`, all of them its device. Fails on constants
  /// that libtorch cannot hold.
  static Result<GraphModule> create(const Graph& graph, const at::TensorOptions& place);

  const Graph& graph() const { return graph_; }
  /// Type of floating-point values, and the device of all.
  const at::TensorOptions& place() const { return place_; }

  /// Convolutions multiply in bf16 from now on, forward and backward; constants, results and
  /// everything else stay as they are (mixed precision, Micikevicius et al. 2018, section 3; bf16
  /// needs no scaling of the loss).
  void multiplyInBf16() { factors_ = at::kBFloat16; }

  const std::vector<ValueId>& parameters() const { return parameters_; }
  const std::vector<ValueId>& statistics() const { return statistics_; }
  const at::Tensor& constant(ValueId id) const { return constants_[id.index()]; }

  /// Everybody that reads the value gets what `replacement` makes of it.
  void replace(ValueId value, Replacement replacement) {
    replacements_[value] = std::move(replacement);
  }

  /// Sees the value as its readers get it.
  using Observer = std::function<void(const at::Tensor&)>;
  void observe(ValueId value, Observer observer) { observers_[value] = std::move(observer); }
  void stopObserving() { observers_.clear(); }

  /// The constant stays as it is; a normalisation whose scale is frozen uses its stored statistics
  /// in training too.
  void freeze(ValueId constant);

  /// The wanted values (of the graph, in that order) for inputs of any batch. Values that are
  /// replaced count as they are after it. Nodes that no wanted value needs do not run. Throws what
  /// libtorch throws, and std::runtime_error where a node cannot take a batch.
  Tensors run(const Tensors& inputs, const NormMode& norm,
              const std::vector<ValueId>& wanted) const;

  /// The graph with the constants as they are now.
  Result<Graph> currentGraph() const;

 private:
  GraphModule() = default;
  void checkBatch(const Node& node) const;

  Graph graph_;
  at::TensorOptions place_;
  at::ScalarType factors_ = at::kFloat;
  std::vector<at::Tensor> constants_;  // by value
  std::vector<bool> depends_;          // by value: on an input
  std::vector<ValueId> parameters_;
  std::vector<ValueId> statistics_;
  std::map<ValueId, Replacement> replacements_;
  std::map<ValueId, Observer> observers_;
  std::vector<bool> frozen_;  // by value
};

}  // namespace narrows::torched
