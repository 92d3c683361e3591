#include "narrows/cli/score.h"

#include <fmt/format.h>

#include <memory>
#include <optional>

#include "narrows/bundle/bundle.h"
#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/data_source.h"
#include "narrows/cli/design_pricer.h"
#include "narrows/cli/engine_option.h"
#include "narrows/cli/model_source.h"
#include "narrows/cli/output_options.h"
#include "narrows/cli/two_pieces.h"
#include "narrows/codec/frame.h"
#include "narrows/eval/bootstrap.h"
#include "narrows/eval/validator.h"
#include "narrows/graph/cost.h"
#include "narrows/runtime/wire.h"

namespace narrows {
namespace {

struct ScoreCommand {
  ModelOptions model;
  DataSourceOptions data;
  OutputOptions output;
  std::vector<std::string> bundles;
  std::vector<int> jpeg;
  std::vector<int> webp;
  /// With links, every row is priced over each of them.
  CostOptions cost;
  BootstrapOptions bootstrap;
  std::string engine{defaultEngineName()};
  std::size_t threads = 0;
};

/// Rows of what is scored, each beside the uncut network on the same resamples.
class ScoreTable {
 public:
  /// `pricer` absent: nothing is priced. All must outlive the table.
  ScoreTable(const Validator& validator, const BootstrapOptions& options,
             const DesignPricer* pricer)
      : validator_(validator), options_(options), pricer_(pricer), table_(columns(pricer)) {}

  /// The network that all others are held against; where it is priced, on the node and, with the
  /// picture as samples of 8 bits, on the server.
  Status addUncut(const std::string& what, const Graph& graph) {
    if (pricer_ == nullptr) {
      addRows(what, validator_.uncut(), {}, {}, std::monostate(), {});
      return {};
    }
    NARROWS_TRY(on_node, pricer_->splits().onNode({}));
    addRows(what + " (all on node)", validator_.uncut(), {}, {}, cost(graph).macs,
            std::move(on_node));
    NARROWS_TRY(on_server, pricer_->splits().forPicture({ImageCoding::raw, 100}, {}));
    FrameStatistics picture;
    picture.add(
        static_cast<std::size_t>(graph.type(graph.inputs()[0]).elements()) + kFrameHeaderBytes,
        Seconds(), Seconds());
    addRows(what + " (all on server)", validator_.uncut(), {}, picture, std::int64_t{0},
            std::move(on_server));
    return {};
  }

  void add(const std::string& what, const PiecePredictions& answers, const Cell& node_macs,
           std::vector<PlanPricer> links) {
    const Scorer& scorer = validator_.scorer();
    const std::vector<Prediction>& uncut = validator_.uncutPredictions();
    const Interval drop =
        bootstrap(uncut.size(), options_, [&](std::span<const std::size_t> sample) {
          return scorer.primary(uncut, sample) - scorer.primary(answers.predictions, sample);
        });
    addRows(what, scorer.score(answers.predictions), drop, answers.frames, node_macs,
            std::move(links));
  }

  const Table& table() const { return table_; }

 private:
  /// What the request of `narrows node` puts around a frame.
  static Cell envelope(const FrameStatistics& frames) {
    if (frames.worst_bytes == 0) return std::monostate();
    return static_cast<std::int64_t>(requestEnvelope());
  }

  static std::vector<Column> columns(const DesignPricer* pricer) {
    std::vector<Column> all{{"what", "what"},
                            {"accuracy_percent", "accuracy %", 2},
                            {"second_percent", "second %", 2},
                            {"drop_points", "drop", 2},
                            {"drop_low", "95 % from", 2},
                            {"drop_high", "to", 2},
                            {"mean_bytes", "frame B", 1},
                            {"worst_bytes", "worst B"},
                            {"request_bytes", "around it B"},
                            {"node_macs", "node MACs"}};
    if (pricer == nullptr) return all;
    for (const Column& column : pricer->columns()) all.push_back(column);
    return all;
  }

  /// One for each link, or one that is not priced.
  void addRows(const std::string& what, const Accuracy& accuracy, const Interval& drop,
               const FrameStatistics& frames, const Cell& node_macs,
               std::vector<PlanPricer> links) {
    const std::vector<Cell> scores{what,
                                   accuracy.primary,
                                   accuracy.secondary,
                                   validator_.uncut().primary - accuracy.primary,
                                   drop.low,
                                   drop.high,
                                   frames.meanBytes(),
                                   static_cast<std::int64_t>(frames.worst_bytes),
                                   envelope(frames),
                                   node_macs};
    if (pricer_ == nullptr) return table_.add(scores);
    for (PlanPricer& link : links) {
      std::vector<Cell> row = scores;
      for (Cell& cell : pricer_->cells(link, Bytes(frames.meanBytes()), frames.meanEncodeTime(),
                                       frames.meanDecodeTime()))
        row.push_back(std::move(cell));
      table_.add(std::move(row));
    }
  }

  const Validator& validator_;
  BootstrapOptions options_;
  const DesignPricer* pricer_;
  Table table_;
};

/// MACs of what runs where the pictures arise.
std::int64_t sourceMacs(const Bundle& bundle) {
  std::int64_t macs = 0;
  for (std::size_t p = 0; p < bundle.pieces.size(); ++p) {
    if (bundle.plan.pieces[p].device == bundle.plan.source_device) {
      macs += cost(bundle.pieces[p]).macs;
    }
  }
  return macs;
}

Status addBundle(ScoreTable& table, Validator& validator, const std::string& path,
                 const DesignPricer* pricer) {
  NARROWS_TRY(bundle, readBundle(path));
  std::vector<PlanPricer> links;
  if (pricer != nullptr) {
    NARROWS_TRY(priced, pricer->splits().forSplit({bundle.plan, bundle.pieces}, {}).within(path));
    links = std::move(priced);
  }
  if (bundle.pieces.size() != 2) {
    const std::int64_t macs = sourceMacs(bundle);
    auto shared = std::make_shared<const Bundle>(std::move(bundle));
    NARROWS_TRY(answers, validator.predict(std::move(shared)).within(path));
    table.add(path, answers, macs, std::move(links));
    return {};
  }
  NARROWS_TRY(two, twoPieces(std::move(bundle)).within(path));
  NARROWS_TRY(answers, validator.predict(two.pieces, two.interfaces).within(path));
  table.add(path, answers, cost(two.pieces.node).macs, std::move(links));
  return {};
}

/// Nothing without links.
Result<std::optional<DesignPricer>> pricerOf(const CostOptions& options, const Graph& graph) {
  if (options.links.empty()) return std::optional<DesignPricer>();
  if (options.device.empty() || options.server.empty())
    return makeError("--link: prices need --device and --server");
  NARROWS_TRY(pricer, DesignPricer::create(options, graph));
  return std::optional(std::move(pricer));
}

Status score(const ScoreCommand& command) {
  NARROWS_TRY(model, loadModel(command.model));
  NARROWS_TRY(description, requireDescription(model));
  NARROWS_TRY(data, openData(command.data, description));
  NARROWS_TRY(validator, Validator::create(command.engine, data, description, model.graph,
                                           threadCount(command.threads)));
  NARROWS_TRY(pricer, pricerOf(command.cost, model.graph));
  const DesignPricer* priced = pricer ? &*pricer : nullptr;
  ScoreTable table(validator, command.bootstrap, priced);
  NARROWS_CHECK(table.addUncut(command.model.model, model.graph));
  for (const std::string& path : command.bundles)
    NARROWS_CHECK(addBundle(table, validator, path, priced));
  const auto addRecoded = [&](PictureFormat format, const std::vector<int>& qualities) -> Status {
    for (const int quality : qualities) {
      NARROWS_TRY(answers, validator.predictRecoded(model.graph, format, quality));
      std::vector<PlanPricer> links;
      if (priced != nullptr) {
        NARROWS_TRY(server, priced->splits().forPicture({ImageCoding::jpeg, quality}, {}));
        links = std::move(server);
      }
      table.add(fmt::format("{} {}", toString(format), quality), answers, std::monostate(),
                std::move(links));
    }
    return {};
  };
  NARROWS_CHECK(addRecoded(PictureFormat::jpeg, command.jpeg));
  NARROWS_CHECK(addRecoded(PictureFormat::webp, command.webp));
  const OutputFormat format = command.output.format();
  fmt::print("{}", table.table().text(format));
  if (format == OutputFormat::terminal) {
    fmt::print(
        "\n{} on {} pictures{} (measured, {}); drop: points below the uncut network, with its "
        "paired bootstrap interval ({} resamples, seed {}); bytes: whole frames or files at the "
        "network's size; around it: a request of narrows node (modelled).\n",
        toString(validator.metric()), validator.pictures(),
        validator.againstTruth() ? "" : ", agreement with the uncut network", command.engine,
        command.bootstrap.resamples, command.bootstrap.seed);
    if (priced != nullptr)
      fmt::print("{}Coding is measured on this host; files are priced without it.\n",
                 priced->legend());
  }
  return {};
}

}  // namespace

int runScore(std::span<const std::string> arguments) {
  Arguments parser(
      "score",
      "Score bundles, cut in two or spread over a group, on a data set, beside the uncut network "
      "and beside sending the picture itself.",
      "narrows score bccd.onnx j2.narrows j3.narrows --data bccd-voc --split test\n"
      "  narrows score resnet20.onnx --data cifar10 --jpeg 95,75,50 --webp 90,50\n"
      "  narrows score bccd.onnx j2.narrows --data bccd-voc --split test --device ncs2 --link "
      "wifi\n"
      "  narrows score yolo.cfg group.narrows --data coco128");
  ScoreCommand command;
  command.cost.server = "gpu-server";
  CLI::App& app = parser.app();
  addModelOptions(app, command.model);
  app.add_option("BUNDLE", command.bundles, "Bundles made of this model");
  addDataOptions(app, command.data, true);
  app.add_option("--jpeg", command.jpeg, "Also pictures sent as JPEG of these qualities")
      ->delimiter(',')
      ->check(CLI::Range(1, 100));
  app.add_option("--webp", command.webp, "Also pictures sent as WebP of these qualities")
      ->delimiter(',')
      ->check(CLI::Range(1, 100));
  app.add_option("--resamples", command.bootstrap.resamples, "Of the bootstrap")
      ->check(CLI::Range(10, 100000))
      ->capture_default_str();
  app.add_option("--bootstrap-seed", command.bootstrap.seed, "Of the bootstrap")
      ->capture_default_str();
  addEngineOption(app, command.engine, "Inference engine")->capture_default_str();
  app.add_option("--threads", command.threads, "Threads (0: one per core)")->capture_default_str();
  addCostOptions(app, command.cost);
  addOutputOptions(app, command.output);
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run)
    return Arguments::exitCode(outcome);
  const Status status = score(command);
  if (!status.ok()) return reportFailure("score", status.error());
  return kExitOk;
}

}  // namespace narrows
