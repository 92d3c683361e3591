#include "narrows/cli/sweep_table.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "narrows/cli/interface_options.h"

namespace narrows {
namespace {

std::string accuracyKey(Metric metric) {
  return metric == Metric::top1 ? "top1_percent" : "map50_percent";
}

std::vector<Column> columns(const SweepBaseline& baseline) {
  const std::string metric =
      fmt::format("{}{}", toString(baseline.metric), baseline.against_truth ? "" : " agreement");
  return {{"cut", "cut"},
          {"shape", "shape"},
          {"interface", "interface"},
          {"bits", "bits"},
          {"coder", "coder"},
          {"frames", "frames"},
          {"mean_bytes", "mean B", 1},
          {"worst_bytes", "worst B"},
          {"reduction_vs_fp32_percent", "vs fp32 %", 2},
          {"reduction_vs_raw_image_percent", "vs raw image %", 2},
          {"reduction_vs_jpeg_percent", "vs JPEG file %", 2},
          {"encode_ms", "encode ms", 3},
          {"decode_ms", "decode ms", 3},
          {"node_ms", "node ms", 2},
          {"server_ms", "server ms", 2},
          {accuracyKey(baseline.metric), metric + " %", 2},
          {"uncut_" + accuracyKey(baseline.metric), "uncut %", 2},
          {"drop_points", "drop", 2}};
}

/// Percent saved against `reference` bytes; negative when it grew.
Cell saved(double bytes, double reference) {
  return reference > 0 ? Cell(100.0 * (1.0 - bytes / reference)) : Cell();
}

void addImage(Table& table, const ImageSweep& image, const SweepBaseline& baseline) {
  const bool jpeg = image.interface.coding == ImageCoding::jpeg;
  table.add({std::string("(all on server)"), std::string("picture"),
             jpeg ? fmt::format("JPEG quality {}", image.interface.quality)
                  : std::string(image.interface.coding == ImageCoding::raw ? "8-bit samples"
                                                                           : "file as it is"),
             image.interface.coding == ImageCoding::raw ? Cell(std::int64_t{8}) : Cell(),
             std::string(toString(image.interface.coding)),
             static_cast<std::int64_t>(baseline.pictures), image.mean_bytes,
             static_cast<std::int64_t>(image.worst_bytes), Cell(),
             saved(image.mean_bytes, static_cast<double>(baseline.raw_image_bytes)),
             saved(image.mean_bytes, baseline.file_bytes),
             jpeg ? Cell(toMilliseconds(image.encode_time)) : Cell(), Cell(), 0.0,
             toMilliseconds(baseline.uncut_time), image.accuracy.primary, baseline.uncut.primary,
             baseline.uncut.primary - image.accuracy.primary});
}

void addCut(Table& table, const CutSweep& sweep, const Graph& graph,
            const SweepBaseline& baseline) {
  std::string shape;
  for (ValueId value : sweep.cut.values)
    shape += (shape.empty() ? "" : " + ") + toString(graph.shape(value));
  const auto fp32 = static_cast<double>(cutBytes(graph, sweep.cut, 32));
  for (const SweepRow& row : sweep.rows) {
    for (const CoderFigures& coder : row.coders) {
      const bool none = row.quantizer.kind == QuantizerKind::none;
      table.add({cutName(graph, sweep.cut), shape, toString(row.quantizer),
                 static_cast<std::int64_t>(none ? 32 : row.quantizer.bits), coderName(coder.coder),
                 static_cast<std::int64_t>(coder.frames), coder.mean_bytes,
                 static_cast<std::int64_t>(coder.worst_bytes), saved(coder.mean_bytes, fp32),
                 saved(coder.mean_bytes, static_cast<double>(baseline.raw_image_bytes)),
                 saved(coder.mean_bytes, baseline.file_bytes), toMilliseconds(coder.encode_time),
                 toMilliseconds(coder.decode_time), toMilliseconds(sweep.node_time),
                 toMilliseconds(sweep.server_time), row.accuracy.primary, baseline.uncut.primary,
                 baseline.uncut.primary - row.accuracy.primary});
    }
  }
}

Table sweepTable(const SweepDocument& document, const Graph& graph) {
  Table table(columns(document.baseline));
  for (const ImageSweep& image : document.images) addImage(table, image, document.baseline);
  for (const CutSweep& cut : document.cuts) addCut(table, cut, graph, document.baseline);
  if (!document.images.empty()) {
    table.add({std::string("(all on node)"), std::string("-"), std::string("results only"), Cell(),
               Cell(), static_cast<std::int64_t>(document.baseline.pictures), 0.0, std::int64_t{0},
               Cell(), 100.0, 100.0, Cell(), Cell(), toMilliseconds(document.baseline.uncut_time),
               0.0, document.baseline.uncut.primary, document.baseline.uncut.primary, 0.0});
  }
  return table;
}

std::string terminalText(const SweepDocument& document, const Graph& graph) {
  const SweepBaseline& baseline = document.baseline;
  std::string text = fmt::format("{} on {}: {} pictures, engine {}, {} in parallel, seed {}\n",
                                 document.model, document.data, baseline.pictures, document.engine,
                                 document.threads, document.seed);
  const bool classes = baseline.metric == Metric::top1;
  if (baseline.against_truth) {
    text += fmt::format("Uncut network: {} {:.2f} %, {} {:.2f} % (measured)\n",
                        toString(baseline.metric), baseline.uncut.primary,
                        classes ? "top-5" : "mAP@0.5:0.95", baseline.uncut.secondary);
  } else {
    text += fmt::format(
        "The data has no truth{}: figures are the agreement with the uncut network's own answers "
        "({}), not an accuracy.\n",
        document.untrained ? " and the weights are random" : "", toString(baseline.metric));
  }
  if (document.cuts.empty()) return text;
  text += fmt::format(
      "Calibrated on {}. Raw image {} B, JPEG file {:.0f} B on average. Bytes include framing; "
      "bytes, times and\n"
      "accuracies are measured{}.\n\n",
      document.calibration, withSeparators(static_cast<std::int64_t>(baseline.raw_image_bytes)),
      baseline.file_bytes,
      " with the pieces that ship; slow coders on a sample of frames (column frames)");
  text += sweepTable(document, graph).terminal();
  text += fmt::format("\n{:.1f} minutes\n", document.elapsed.value() / 60);
  return text;
}

std::string jsonText(const SweepDocument& document, const Graph& graph) {
  const SweepBaseline& baseline = document.baseline;
  nlohmann::ordered_json json;
  json["model"] = document.model;
  json["untrained"] = document.untrained;
  json["data"] = document.data;
  json["calibration"] = document.calibration;
  json["engine"] = document.engine;
  json["threads"] = document.threads;
  json["seed"] = document.seed;
  json["pictures"] = baseline.pictures;
  json["against_truth"] = baseline.against_truth;
  json["uncut_" + accuracyKey(baseline.metric)] = baseline.uncut.primary;
  json[baseline.metric == Metric::top1 ? "uncut_top5_percent" : "uncut_map50_95_percent"] =
      baseline.uncut.secondary;
  json["raw_image_bytes"] = baseline.raw_image_bytes;
  json["file_bytes"] = baseline.file_bytes;
  json["elapsed_s"] = document.elapsed.value();
  json["origin"] = "measured";
  json["rows"] = nlohmann::ordered_json::parse(sweepTable(document, graph).json());
  return json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string formatSweep(const SweepDocument& document, const Graph& graph, OutputFormat format) {
  switch (format) {
    case OutputFormat::json:
      return jsonText(document, graph);
    case OutputFormat::csv:
      return sweepTable(document, graph).csv();
    case OutputFormat::terminal:
      break;
  }
  return terminalText(document, graph);
}

}  // namespace narrows
