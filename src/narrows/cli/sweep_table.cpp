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
          {accuracyKey(baseline.metric), scoreName(baseline) + " %", 2},
          {"uncut_" + accuracyKey(baseline.metric), "uncut %", 2},
          {"drop_points", "drop", 2}};
}

/// Percent saved against `reference` bytes; negative when it grew.
Cell saved(double bytes, double reference) {
  return reference > 0 ? Cell(100.0 * (1.0 - bytes / reference)) : Cell();
}

/// Adds rows to the table; with a pricer one for each link of a design, its price at the end.
class SweepRows {
 public:
  SweepRows(Table& table, const DesignPricer* pricer) : table_(table), pricer_(pricer) {}

  Status image(const ImageSweep& image, const SweepBaseline& baseline);
  Status cut(const CutSweep& sweep, const Graph& graph, const SweepBaseline& baseline);
  Status onNode(const SweepBaseline& baseline);

 private:
  void add(std::vector<Cell> row, std::vector<PlanPricer>& links, double bytes, Seconds encode,
           Seconds decode) {
    if (pricer_ == nullptr) return table_.add(std::move(row));
    for (PlanPricer& link : links) {
      std::vector<Cell> priced = row;
      for (Cell& cell : pricer_->cells(link, Bytes(bytes), encode, decode))
        priced.push_back(std::move(cell));
      table_.add(std::move(priced));
    }
  }

  Table& table_;
  const DesignPricer* pricer_;
};

Status SweepRows::image(const ImageSweep& image, const SweepBaseline& baseline) {
  std::vector<PlanPricer> links;
  if (pricer_ != nullptr) {
    NARROWS_TRY(made, pricer_->splits().forPicture(image.interface, {{}, baseline.uncut_time}));
    links = std::move(made);
  }
  const bool jpeg = image.interface.coding == ImageCoding::jpeg;
  std::vector<Cell> row{
      std::string("(all on server)"),
      std::string("picture"),
      jpeg ? fmt::format("JPEG quality {}", image.interface.quality)
           : std::string(image.interface.coding == ImageCoding::raw ? "8-bit samples"
                                                                    : "file as it is"),
      image.interface.coding == ImageCoding::raw ? Cell(std::int64_t{8}) : Cell(),
      std::string(toString(image.interface.coding)),
      static_cast<std::int64_t>(baseline.pictures),
      image.mean_bytes,
      static_cast<std::int64_t>(image.worst_bytes),
      Cell(),
      saved(image.mean_bytes, static_cast<double>(baseline.raw_image_bytes)),
      saved(image.mean_bytes, baseline.file_bytes),
      jpeg ? Cell(toMilliseconds(image.encode_time)) : Cell(),
      Cell(),
      0.0,
      toMilliseconds(baseline.uncut_time),
      image.accuracy.primary,
      baseline.uncut.primary,
      baseline.uncut.primary - image.accuracy.primary};
  // The file and the samples are there already; only JPEG is made.
  add(std::move(row), links, image.mean_bytes, jpeg ? image.encode_time : Seconds(), {});
  return {};
}

Status SweepRows::cut(const CutSweep& sweep, const Graph& graph, const SweepBaseline& baseline) {
  std::vector<PlanPricer> links;
  if (pricer_ != nullptr) {
    NARROWS_TRY(made, pricer_->splits().forCut(sweep.cut, {sweep.node_time, sweep.server_time}));
    links = std::move(made);
  }
  const std::string shape = joinedShapes(graph, sweep.cut.values);
  const auto fp32 = static_cast<double>(cutBytes(graph, sweep.cut, 32));
  for (const SweepRow& row : sweep.rows) {
    for (const CoderFigures& coder : row.coders) {
      const bool none = row.quantizer.kind == QuantizerKind::none;
      std::vector<Cell> cells{
          cutName(graph, sweep.cut),
          shape,
          toString(row.quantizer),
          static_cast<std::int64_t>(none ? 32 : row.quantizer.bits),
          coderName(coder.coder),
          static_cast<std::int64_t>(coder.frames),
          coder.mean_bytes,
          static_cast<std::int64_t>(coder.worst_bytes),
          saved(coder.mean_bytes, fp32),
          saved(coder.mean_bytes, static_cast<double>(baseline.raw_image_bytes)),
          saved(coder.mean_bytes, baseline.file_bytes),
          toMilliseconds(coder.encode_time),
          toMilliseconds(coder.decode_time),
          toMilliseconds(sweep.node_time),
          toMilliseconds(sweep.server_time),
          row.accuracy.primary,
          baseline.uncut.primary,
          baseline.uncut.primary - row.accuracy.primary};
      add(std::move(cells), links, coder.mean_bytes, coder.encode_time, coder.decode_time);
    }
  }
  return {};
}

Status SweepRows::onNode(const SweepBaseline& baseline) {
  std::vector<PlanPricer> links;
  if (pricer_ != nullptr) {
    NARROWS_TRY(made, pricer_->splits().onNode({baseline.uncut_time, {}}));
    links = std::move(made);
  }
  std::vector<Cell> row{std::string("(all on node)"),
                        std::string("-"),
                        std::string("results only"),
                        Cell(),
                        Cell(),
                        static_cast<std::int64_t>(baseline.pictures),
                        0.0,
                        std::int64_t{0},
                        Cell(),
                        100.0,
                        100.0,
                        Cell(),
                        Cell(),
                        toMilliseconds(baseline.uncut_time),
                        0.0,
                        baseline.uncut.primary,
                        baseline.uncut.primary,
                        0.0};
  add(std::move(row), links, 0, {}, {});
  return {};
}

Result<Table> sweepTable(const SweepDocument& document, const Graph& graph,
                         const DesignPricer* pricer) {
  std::vector<Column> all = columns(document.baseline);
  if (pricer != nullptr) {
    for (Column& column : pricer->columns()) all.push_back(std::move(column));
  }
  Table table(std::move(all));
  SweepRows rows(table, pricer);
  for (const ImageSweep& image : document.images)
    NARROWS_CHECK(rows.image(image, document.baseline));
  for (const CutSweep& cut : document.cuts) NARROWS_CHECK(rows.cut(cut, graph, document.baseline));
  if (!document.images.empty()) NARROWS_CHECK(rows.onNode(document.baseline));
  return table;
}

std::string terminalText(const SweepDocument& document, const Table& table,
                         const DesignPricer* pricer) {
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
  if (pricer != nullptr) text += pricer->legend() + "\n";
  text += table.terminal();
  text += fmt::format("\n{:.1f} minutes\n", document.elapsed.value() / 60);
  return text;
}

std::string jsonText(const SweepDocument& document, const Table& table) {
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
  json["rows"] = nlohmann::ordered_json::parse(table.json());
  return json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

Result<std::string> formatSweep(const SweepDocument& document, const Graph& graph,
                                OutputFormat format, const DesignPricer* pricer) {
  NARROWS_TRY(table, sweepTable(document, graph, pricer));
  switch (format) {
    case OutputFormat::json:
      return jsonText(document, table);
    case OutputFormat::csv:
      return table.csv();
    case OutputFormat::terminal:
      break;
  }
  return terminalText(document, table, pricer);
}

}  // namespace narrows
