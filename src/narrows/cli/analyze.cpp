#include "narrows/cli/analyze.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/cut_choice.h"
#include "narrows/cli/model_source.h"
#include "narrows/cli/output_options.h"
#include "narrows/cli/table.h"
#include "narrows/graph/cost.h"
#include "narrows/graph/cuts.h"
#include "narrows/graph/liveness.h"

namespace narrows {
namespace {

struct AnalyzeOptions {
  ModelOptions model;
  std::size_t tensors = 1;
  bool layers = false;
  bool cuts = false;
  bool text = false;
  OutputOptions output;
};

constexpr double kMillion = 1e6;

std::string shapeOf(const Graph& graph, ValueId value) {
  return value.valid() ? toString(graph.shape(value)) : std::string("-");
}

Table layerTable(const Graph& graph) {
  Table table({{"layer", "layer"},
               {"operator", "operator"},
               {"input", "input"},
               {"output", "output"},
               {"macs", "MACs"},
               {"parameters", "parameters"},
               {"output_bytes_fp32", "output B"}});
  for (NodeId id : nodeIds(graph)) {
    const Node& node = graph.node(id);
    const Cost node_cost = cost(graph, id);
    table.add({node.name, std::string(opName(node.op)), shapeOf(graph, node.input(0)),
               shapeOf(graph, node.outputs[0]), node_cost.macs, node_cost.parameters,
               static_cast<std::int64_t>(graph.type(node.outputs[0]).bytes())});
  }
  return table;
}

/// The ends (send the picture, or run all on the node) are rows like the cuts.
void addEnd(Table& table, std::string_view name, const Graph& graph,
            std::span<const ValueId> values, bool picture, bool on_node) {
  const Cost total = cost(graph);
  const MemoryNeed memory = peakMemory(graph);
  std::size_t fp32 = 0;
  std::int64_t elements = 0;
  for (ValueId value : values) {
    fp32 += graph.type(value).bytes();
    elements += graph.type(value).elements();
  }
  const auto none = Cell(std::int64_t{0});
  table.add(
      {std::string(name), joinedShapes(graph, values), elements, static_cast<std::int64_t>(fp32),
       picture ? Cell(elements) : Cell(), Cell(), on_node ? Cell(total.macs) : none,
       on_node ? none : Cell(total.macs), on_node ? 100.0 : 0.0,
       on_node ? Cell(total.parameters) : none, on_node ? none : Cell(total.parameters),
       on_node ? Cell(static_cast<double>(memory.total()) / kMillion) : Cell(0.0),
       on_node ? Cell(0.0) : Cell(static_cast<double>(memory.total()) / kMillion), std::string()});
}

Table cutTable(const Graph& graph, std::span<const Cut> cuts) {
  Table table({{"cut", "cut"},
               {"shape", "shape"},
               {"elements", "elements"},
               {"bytes_fp32", "32 bit B"},
               {"bytes_8bit", "8 bit B"},
               {"bytes_1bit", "1 bit B"},
               {"node_macs", "node MACs"},
               {"server_macs", "server MACs"},
               {"node_macs_percent", "node %", 1},
               {"node_parameters", "node params"},
               {"server_parameters", "server params"},
               {"node_peak_mb", "node peak MB", 2},
               {"server_peak_mb", "server peak MB", 2},
               {"alias_of", "same data as"}});
  addEnd(table, "(all on server)", graph, graph.inputs(), true, false);
  const double total = std::max<double>(1, static_cast<double>(cost(graph).macs));
  for (const Cut& cut : cuts) {
    table.add({cutName(graph, cut), joinedShapes(graph, cut.values), cutElements(graph, cut),
               static_cast<std::int64_t>(cutBytes(graph, cut, 32)),
               static_cast<std::int64_t>(cutBytes(graph, cut, 8)),
               static_cast<std::int64_t>(cutBytes(graph, cut, 1)), cut.before.macs, cut.after.macs,
               100.0 * static_cast<double>(cut.before.macs) / total, cut.before.parameters,
               cut.after.parameters, static_cast<double>(cut.memory_before.total()) / kMillion,
               static_cast<double>(cut.memory_after.total()) / kMillion,
               cut.alias_of ? graph.value(*cut.alias_of).name : std::string()});
  }
  addEnd(table, "(all on node)", graph, graph.outputs(), false, true);
  return table;
}

void printTerminal(const LoadedModel& model, const AnalyzeOptions& options, const CutList& cuts) {
  const Cost total = cost(model.graph);
  const MemoryNeed memory = peakMemory(model.graph);
  fmt::print(
      "{}: {} layers, {} MACs, {} parameters, peak {:.2f} MB activations + {:.2f} MB weights "
      "(modelled, fp32)\n",
      model.name, model.graph.nodeCount(), withSeparators(total.macs),
      withSeparators(total.parameters), static_cast<double>(memory.activations) / kMillion,
      static_cast<double>(memory.weights) / kMillion);
  if (options.layers) fmt::print("\nLayers\n{}", layerTable(model.graph).terminal());
  if (options.cuts) {
    fmt::print(
        "\nCuts of {} ({} found{})\n{}",
        options.tensors == 1 ? "one tensor" : fmt::format("up to {} tensors", options.tensors),
        cuts.cuts.size(), cuts.complete ? "" : ", search limit reached",
        cutTable(model.graph, cuts.cuts).terminal());
  }
}

void printJson(const LoadedModel& model, const AnalyzeOptions& options, const CutList& cuts) {
  const Cost total = cost(model.graph);
  const MemoryNeed memory = peakMemory(model.graph);
  nlohmann::ordered_json document;
  document["model"] = model.name;
  document["layers_count"] = model.graph.nodeCount();
  document["macs"] = total.macs;
  document["parameters"] = total.parameters;
  document["peak_activation_bytes"] = memory.activations;
  document["weight_bytes"] = memory.weights;
  document["origin"] = "modelled";
  if (options.layers)
    document["layers"] = nlohmann::ordered_json::parse(layerTable(model.graph).json());
  if (options.cuts) {
    document["cuts_complete"] = cuts.complete;
    document["cuts"] = nlohmann::ordered_json::parse(cutTable(model.graph, cuts.cuts).json());
  }
  fmt::print("{}\n",
             document.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

Status analyze(const AnalyzeOptions& options) {
  ModelOptions wanted = options.model;
  // The text form holds the weights or their hashes.
  wanted.types_only = !options.text;
  NARROWS_TRY(model, loadModel(wanted));
  if (options.text) {
    fmt::print("{}", modelText(model.graph));
    return {};
  }
  const CutList cuts = listCuts(model.graph, options.tensors);
  switch (options.output.format()) {
    case OutputFormat::json:
      printJson(model, options, cuts);
      break;
    case OutputFormat::csv:
      fmt::print("{}",
                 (options.cuts ? cutTable(model.graph, cuts.cuts) : layerTable(model.graph)).csv());
      break;
    case OutputFormat::terminal:
      printTerminal(model, options, cuts);
      break;
  }
  return {};
}

}  // namespace

int runAnalyze(std::span<const std::string> arguments) {
  Arguments parser("analyze", "Print a model's layers and every place where it can be cut.",
                   "narrows analyze zoo:tiny-yolov3\n  narrows analyze yolo-fastest-1.1-coco.cfg "
                   "--tensors 2 --json\n\nNetworks that come with narrows, with random weights:\n" +
                       zooSummary());
  AnalyzeOptions options;
  addModelOptions(parser.app(), options.model);
  parser.app()
      .add_option("--tensors", options.tensors, "List cuts of up to K tensors")
      ->check(CLI::Range(1, 4))
      ->capture_default_str();
  bool only_layers = false;
  bool only_cuts = false;
  CLI::Option* layers =
      parser.app().add_flag("--layers", only_layers, "Print the layer table only");
  parser.app().add_flag("--cuts", only_cuts, "Print the cut table only")->excludes(layers);
  parser.app().add_flag("--text", options.text,
                        "Print the simplified graph in its text form instead");
  addOutputOptions(parser.app(), options.output);
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run)
    return Arguments::exitCode(outcome);
  options.layers = !only_cuts;
  options.cuts = !only_layers;
  if (Status status = analyze(options); !status.ok())
    return reportFailure("analyze", status.error());
  return kExitOk;
}

}  // namespace narrows
