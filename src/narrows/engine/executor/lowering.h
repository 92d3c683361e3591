#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "narrows/engine/executor/fusion.h"
#include "narrows/engine/executor/program_parts.h"
#include "narrows/engine/executor/steps.h"

namespace narrows::executor {

/// What a kernel asks of an operand's layout.
enum class Form : std::uint8_t { row_major, map, dense_map };

/// How a map is stored in fewer bits than f32, and what is multiplied of it.
enum class Compact : std::uint8_t { none, integers, bfloat };

/// Turns a graph into steps, node by node. Values are operands: a buffer and a layout in it. Nodes
/// that only move elements change the layout; copies are made where a kernel needs another form.
class Lowering {
 public:
  Lowering(const Graph& graph, std::shared_ptr<const Backend> backend, WeightStore& store,
           const KernelTable& kernels, Team& team, const EngineOptions& options);

  Result<ProgramParts> run() &&;

 private:
  // Buffers and steps.
  BufferId addBuffer(Buffer buffer);
  Operand newOperand(DType dtype, const Layout& layout);
  void touch(const Operand& operand);
  std::size_t partOf(NodeId head);
  void emit(std::unique_ptr<Step> step, std::span<const Operand> operands);
  void copy(const Operand& source, const Operand& target);
  /// The step emitted last takes `source` element by element into `result`, which may lie in the
  /// same place when nobody reads `source` later. `others`: what else the step reads.
  void mayOverwrite(const Operand& source, const Operand& result, std::span<const Operand> others);

  // Values.
  const Operand& operandOf(ValueId id);
  Operand inForm(ValueId id, Form form);
  void define(ValueId id, const Operand& operand);
  /// Where the value shall be made: its place in a concatenation or an output when that has the
  /// form, else a new buffer laid out as `wish`.
  Operand target(ValueId id, const Layout& wish);
  Operand mapTarget(ValueId id);

  // Placing values in slices of concatenations before they are made.
  void planConcats();
  bool canWriteSlices(ValueId id) const;
  bool isEmpty(const Node& node) const;

  // What is packed in every run, and what is computed of compact maps: of integers or bf16.
  void chooseStreamed();
  void chooseCompact();
  /// Integers, the number that one stands for, and the integer that stands for 0; or bf16.
  struct Scaled {
    Operand operand;
    float scale = 1;
    std::int32_t zero = 0;

    ScaledMap map() const { return {operand.layout, operand.dtype, scale, zero}; }
  };
  std::optional<ValueRange> rangeOf(ValueId id) const;
  bool hasCompact(ValueId id, Compact kind) const;
  Compact compactKind(const Node& node, bool last) const;
  bool keepsCompact(const Fused& fused, Compact kind) const;
  bool isReadCompact(ValueId id, Compact kind) const;
  bool poolsCompact(const Node& node, Compact kind) const;
  bool isReadUnpadded(ValueId id) const;
  Scaled newScaled(ValueId id, const Shape& map, Compact kind);
  const Scaled* knownCompact(ValueId id, Compact kind) const;
  Result<Scaled> compactOf(ValueId id, Compact kind);
  Operand asPixels(ValueId id);
  Status emitCompact(ConvProblem& problem, const Node& node, const Fused& fused);
  Status emitPlanarIntegers(const ConvProblem& problem, ValueId planes, const Fused& fused);
  Status emitRescale(const Scaled& from, const Scaled& to);

  // Nodes.
  Status lowerNode(NodeId id);
  Status lowerFallback(const Node& node);
  Status lowerConv(const Node& node, const Conv2d& op, const Fused& fused);
  Status lowerProduct(const Node& node, const Fused& fused, bool transpose_b, double alpha,
                      double beta);
  /// `source` is set for weights that are packed in every run.
  Status emitConv(ConvProblem& problem, std::optional<WeightSource> source, const Operand& input,
                  const std::optional<Operand>& residual, const Operand& output);
  bool finishesInIntegers(const Fused& fused) const;
  ValueId storedInIntegers(const Node& node, const Fused& fused) const;
  Status emitStoredIntegers(ConvProblem& problem, const Node& node, const Fused& fused);
  void emitEpilogue(const Epilogue& epilogue, const Operand& result);
  Operand insideArena(const Operand& operand);
  bool usesOwnConv(const ConvProblem& problem) const;
  bool lowerDynamicProduct(const Node& node);
  Status lowerActivation(const Node& node, const Activation& activation);
  Status lowerBinary(const Node& node, const Binary& op);
  Status lowerConcat(const Node& node, const Concat& op);
  bool lowerPad(const Node& node, const Pad& op);
  bool lowerResize(const Node& node, const Resize& op);
  bool lowerView(const Node& node);
  bool lowerGatherView(const Node& node, const Gather& op);
  void lowerReshape(const Node& node);
  void finishOutputs();

  const Graph& graph_;
  std::shared_ptr<const Backend> shared_backend_;
  const Backend& backend_;
  WeightStore* store_;
  const EngineOptions& options_;
  StepTools tools_;
  FusionPlan fusion_;
  ProgramParts parts_;
  std::vector<std::optional<Operand>> operands_;
  std::vector<std::optional<Operand>> places_;
  std::vector<bool> in_concat_;
  std::vector<bool> streamed_;                 // by node
  std::vector<Compact> compact_;               // by node: what it reads
  std::multimap<std::size_t, NodeId> adders_;  // by residual: nodes of compact maps that add it
  std::map<std::pair<std::size_t, Compact>, Scaled> compacts_;  // by value
  bool has_bfloat_ = false;
  NodeId current_;
  std::map<std::size_t, std::size_t> part_of_;  // by head
  std::map<std::pair<std::size_t, Form>, Operand> converted_;
};

}  // namespace narrows::executor
