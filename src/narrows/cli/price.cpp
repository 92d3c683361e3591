#include "narrows/cli/price.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <random>

#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/cut_choice.h"
#include "narrows/cli/design_pricer.h"
#include "narrows/cli/interface_options.h"
#include "narrows/cli/model_source.h"
#include "narrows/cli/output_options.h"
#include "narrows/codec/frame.h"
#include "narrows/eval/frame_meter.h"

namespace narrows {
namespace {

struct PriceOptions {
  ModelOptions model;
  std::vector<std::string> cuts;
  std::size_t tensors = 1;
  std::string bits = "8";
  std::size_t jpeg_bytes = 0;
  CostOptions cost;
  OutputOptions output;
};

/// Packing alone does not depend on what is packed, so drawn values time it.
Result<FrameStatistics> measurePacking(const Graph& graph, const Cut& cut, int bits,
                                       std::uint64_t seed) {
  constexpr std::uint32_t kRepeats = 3;
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> uniform(0, 1);
  std::vector<FeatureInterface> interfaces;
  std::vector<Tensor> maps;
  for (ValueId value : cut.values) {
    FeatureInterface interface = plainInterface(graph.type(value));
    if (interface.type.dtype == DType::f32) {
      interface.quantizer.kind = QuantizerKind::uniform;
      interface.quantizer.bits = bits;
      interface.quantizer.low = {0};
      interface.quantizer.step = {1.0F / static_cast<float>((1 << bits) - 1)};
    }
    Tensor map(graph.type(value));
    if (map.dtype() == DType::f32) {
      for (float& element : map.mutableAs<float>()) element = uniform(random);
    }
    interfaces.push_back(std::move(interface));
    maps.push_back(std::move(map));
  }
  std::vector<TensorView> views;
  views.reserve(maps.size());
  for (const Tensor& map : maps) views.push_back(map.view());
  NARROWS_TRY(warm, FrameMeter::create(interfaces));
  NARROWS_CHECK(warm.measure(views, 0));
  NARROWS_TRY(meter, FrameMeter::create(interfaces));
  for (std::uint32_t i = 0; i < kRepeats; ++i) NARROWS_CHECK(meter.measure(views, i));
  return meter.statistics();
}

std::vector<Column> allColumns(const DesignPricer& pricer) {
  std::vector<Column> columns{{"cut", "cut"}, {"interface", "interface"}, {"bytes", "B", 0}};
  for (const Column& column : pricer.columns()) columns.push_back(column);
  return columns;
}

/// Adds a row for each link.
void addRows(Table& table, const DesignPricer& pricer, std::vector<PlanPricer>& links,
             const std::string& cut, const std::string& interface, double bytes, Seconds encode,
             Seconds decode) {
  for (PlanPricer& link : links) {
    std::vector<Cell> row{cut, interface, bytes};
    for (Cell& cell : pricer.cells(link, Bytes(bytes), encode, decode))
      row.push_back(std::move(cell));
    table.add(std::move(row));
  }
}

Status addEnds(Table& table, const DesignPricer& pricer, const PriceOptions& options,
               const Graph& graph) {
  NARROWS_TRY(on_node, pricer.splits().onNode({}));
  addRows(table, pricer, on_node, "(all on node)", "-", 0, {}, {});
  // Only a network of one picture can take it as it is.
  auto raw = pricer.splits().forPicture({ImageCoding::raw, 100}, {});
  if (!raw.ok()) return {};
  const auto samples = static_cast<double>(graph.type(graph.inputs()[0]).elements());
  addRows(table, pricer, *raw, "(all on server)", "8-bit samples",
          samples + static_cast<double>(kFrameHeaderBytes), {}, {});
  if (options.jpeg_bytes > 0) {
    NARROWS_TRY(jpeg, pricer.splits().forPicture({ImageCoding::jpeg, 90}, {}));
    addRows(table, pricer, jpeg, "(all on server)", "JPEG",
            static_cast<double>(options.jpeg_bytes + kFrameHeaderBytes), {}, {});
  }
  return {};
}

Status price(const PriceOptions& options) {
  NARROWS_TRY(widths, parseBits(options.bits));
  ModelOptions wanted = options.model;
  wanted.types_only = true;
  NARROWS_TRY(model, loadModel(wanted));
  NARROWS_TRY(cuts, chooseCuts(model.graph, options.cuts, options.tensors));
  NARROWS_TRY(pricer, DesignPricer::create(options.cost, model.graph));
  Table table(allColumns(pricer));
  NARROWS_CHECK(addEnds(table, pricer, options, model.graph));
  for (const Cut& cut : cuts) {
    NARROWS_TRY(links, pricer.splits().forCut(cut, {}));
    for (int bits : widths) {
      NARROWS_TRY(frames, measurePacking(model.graph, cut, bits, options.model.seed));
      addRows(table, pricer, links, cutName(model.graph, cut), fmt::format("{} bit, packed", bits),
              frames.meanBytes(), frames.meanEncodeTime(), frames.meanDecodeTime());
    }
  }
  switch (options.output.format()) {
    case OutputFormat::terminal:
      fmt::print(
          "{}: every cut with its tensors quantized and packed, not compressed; bytes include "
          "framing.\n{}Coding is measured on this host (drawn values, seed {}) and slowed down as "
          "the profiles say; "
          "eval prices real frames.\n\n{}",
          model.name, pricer.legend(), options.model.seed, table.terminal());
      break;
    case OutputFormat::csv:
      fmt::print("{}", table.csv());
      break;
    case OutputFormat::json: {
      nlohmann::ordered_json document;
      document["model"] = model.name;
      document["device"] = options.cost.device;
      document["server"] = options.cost.server;
      document["links"] = options.cost.links;
      document["seed"] = options.model.seed;
      document["rows"] = nlohmann::ordered_json::parse(table.json());
      fmt::print("{}\n",
                 document.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
      break;
    }
  }
  return {};
}

}  // namespace

int runPrice(std::span<const std::string> arguments) {
  Arguments parser("price", "Price every cut over a link: latency, frame rate, energy, memory.",
                   "narrows price zoo:tiny-yolov3 --device ncs2 --link wifi --link ble5\n  narrows "
                   "price model.onnx --device MY-BOARD.toml --link 2Mbit/s --bits 1-8 --fps 1 "
                   "--battery-wh 10");
  PriceOptions options;
  options.cost.device = "raspberry-pi4";
  options.cost.server = "gpu-server";
  CLI::App& app = parser.app();
  addModelOptions(app, options.model);
  addCutOptions(app, options.cuts, options.tensors);
  app.add_option("--bits", options.bits, "Widths: 4, 1-8 or 1,2,4")->capture_default_str();
  app.add_option("--jpeg-bytes", options.jpeg_bytes,
                 "Size of a JPEG picture, to price sending that");
  addCostOptions(app, options.cost);
  addOutputOptions(app, options.output);
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run)
    return Arguments::exitCode(outcome);
  if (options.cost.links.empty()) options.cost.links = {"wifi"};
  if (Status status = price(options); !status.ok()) return reportFailure("price", status.error());
  return kExitOk;
}

}  // namespace narrows
