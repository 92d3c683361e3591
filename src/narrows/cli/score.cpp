#include "narrows/cli/score.h"

#include <fmt/format.h>

#include "narrows/bundle/bundle.h"
#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/data_source.h"
#include "narrows/cli/engine_option.h"
#include "narrows/cli/model_source.h"
#include "narrows/cli/output_options.h"
#include "narrows/cli/two_pieces.h"
#include "narrows/eval/bootstrap.h"
#include "narrows/eval/validator.h"
#include "narrows/graph/cost.h"

namespace narrows {
namespace {

struct ScoreCommand {
  ModelOptions model;
  DataSourceOptions data;
  OutputOptions output;
  std::vector<std::string> bundles;
  std::vector<int> jpeg;
  std::vector<int> webp;
  BootstrapOptions bootstrap;
  std::string engine{defaultEngineName()};
  std::size_t threads = 0;
};

/// Rows of what is scored, each beside the uncut network on the same resamples.
class ScoreTable {
 public:
  ScoreTable(const Validator& validator, const BootstrapOptions& options)
      : validator_(validator), options_(options) {}

  /// The network that all others are held against.
  void addUncut(const std::string& what) {
    addRow(what, validator_.uncut(), {}, {}, std::monostate());
  }

  void add(const std::string& what, const PiecePredictions& answers, Cell node_macs) {
    const Scorer& scorer = validator_.scorer();
    const std::vector<Prediction>& uncut = validator_.uncutPredictions();
    const Interval drop =
        bootstrap(uncut.size(), options_, [&](std::span<const std::size_t> sample) {
          return scorer.primary(uncut, sample) - scorer.primary(answers.predictions, sample);
        });
    addRow(what, scorer.score(answers.predictions), drop, answers.frames, std::move(node_macs));
  }

  const Table& table() const { return table_; }

 private:
  void addRow(const std::string& what, const Accuracy& accuracy, const Interval& drop,
              const FrameStatistics& frames, Cell node_macs) {
    table_.add({what, accuracy.primary, accuracy.secondary,
                validator_.uncut().primary - accuracy.primary, drop.low, drop.high,
                frames.meanBytes(), static_cast<std::int64_t>(frames.worst_bytes),
                std::move(node_macs)});
  }

  const Validator& validator_;
  BootstrapOptions options_;
  Table table_{{{"what", "what"},
                {"accuracy_percent", "accuracy %", 2},
                {"second_percent", "second %", 2},
                {"drop_points", "drop", 2},
                {"drop_low", "95 % from", 2},
                {"drop_high", "to", 2},
                {"mean_bytes", "frame B", 1},
                {"worst_bytes", "worst B"},
                {"node_macs", "node MACs"}}};
};

Status addBundle(ScoreTable& table, Validator& validator, const std::string& path) {
  NARROWS_TRY(bundle, readBundle(path));
  NARROWS_TRY(two, twoPieces(std::move(bundle)).within(path));
  NARROWS_TRY(answers, validator.predict(two.pieces, two.interfaces).within(path));
  table.add(path, answers, cost(two.pieces.node).macs);
  return {};
}

Status score(const ScoreCommand& command) {
  NARROWS_TRY(model, loadModel(command.model));
  NARROWS_TRY(description, requireDescription(model));
  NARROWS_TRY(data, openData(command.data, description));
  NARROWS_TRY(validator, Validator::create(command.engine, data, description, model.graph,
                                           threadCount(command.threads)));
  ScoreTable table(validator, command.bootstrap);
  table.addUncut(command.model.model);
  for (const std::string& path : command.bundles) NARROWS_CHECK(addBundle(table, validator, path));
  const auto addRecoded = [&](PictureFormat format, const std::vector<int>& qualities) -> Status {
    for (const int quality : qualities) {
      NARROWS_TRY(answers, validator.predictRecoded(model.graph, format, quality));
      table.add(fmt::format("{} {}", toString(format), quality), answers, std::monostate());
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
        "network's size.\n",
        toString(validator.metric()), validator.pictures(),
        validator.againstTruth() ? "" : ", agreement with the uncut network", command.engine,
        command.bootstrap.resamples, command.bootstrap.seed);
  }
  return {};
}

}  // namespace

int runScore(std::span<const std::string> arguments) {
  Arguments parser(
      "score",
      "Score bundles of two pieces on a data set, beside the uncut network and beside sending the "
      "picture itself.",
      "narrows score bccd.onnx j2.narrows j3.narrows --data bccd-voc --split test\n"
      "  narrows score resnet20.onnx --data cifar10 --jpeg 95,75,50 --webp 90,50");
  ScoreCommand command;
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
  addOutputOptions(app, command.output);
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run)
    return Arguments::exitCode(outcome);
  const Status status = score(command);
  if (!status.ok()) return reportFailure("score", status.error());
  return kExitOk;
}

}  // namespace narrows
