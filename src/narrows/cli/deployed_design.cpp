#include "narrows/cli/deployed_design.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "narrows/base/file.h"
#include "narrows/base/thread_pool.h"
#include "narrows/bundle/bundle.h"
#include "narrows/cli/real_run.h"
#include "narrows/cli/shaped_network.h"
#include "narrows/cli/table.h"
#include "narrows/cli/two_pieces.h"
#include "narrows/cli/two_processes.h"
#include "narrows/cost/profiles.h"
#include "narrows/eval/validator.h"
#include "narrows/explore/store.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Of the modelled latency (docs/cost-model.md).
constexpr double kLatencyErrorPercent = 10;

struct Deployed {
  std::size_t pictures = 0;
  /// Answers that differ from those of the bundle in one process.
  std::size_t unlike = 0;
  double accuracy_percent = 0;
  double bytes = 0;
  /// Median, without the picture's preparation.
  Seconds latency;
  /// Mean of the answers as messages.
  double reply_bytes = 0;
  bool simulated = false;
};

Status linkPictures(const DataSet& data, const fs::path& folder) {
  std::error_code code;
  fs::create_directory(folder, code);
  for (std::size_t i = 0; i < data.items.size() && !code; ++i) {
    const fs::path& picture = data.items[i].image;
    fs::create_symlink(fs::absolute(picture, code),
                       folder / fmt::format("{:06}{}", i, picture.extension().string()), code);
  }
  if (code) return makeError("{}: {}", folder.string(), code.message());
  return {};
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Result<double> scoreBundle(const DeployedOptions& options, const DataSet& data,
                           const ModelDescription& description, const LoadedModel& model) {
  NARROWS_TRY(validator, Validator::create(options.engine, data, description, model.graph,
                                           threadCount(options.threads)));
  NARROWS_TRY(bundle, readBundle(options.bundle));
  NARROWS_TRY(two, twoPieces(std::move(bundle)));
  NARROWS_TRY(answers, validator.predict(two.pieces, two.interfaces));
  return validator.scorer().score(answers.predictions).primary;
}

Result<Deployed> run(const DeployedOptions& options, const DesignPromise& promise) {
  if (!promise.link.ends_with("bit/s")) {
    return makeError("the design's link is \"{}\"; only a rate such as 10Mbit/s can be shaped",
                     promise.link);
  }
  NARROWS_TRY(link, findLinkModel(promise.link));
  NARROWS_TRY(model, loadModel(options.model));
  NARROWS_TRY(description, requireDescription(model));
  NARROWS_TRY(data, openData(options.data, description));
  NARROWS_TRY(accuracy, scoreBundle(options, data, description, model).within(options.bundle));
  NARROWS_TRY(work, TemporaryDirectory::create("narrows-deployed"));
  const fs::path pictures = work.path() / "pictures";
  NARROWS_CHECK(linkPictures(data, pictures));
  const std::unique_ptr<ShapedNetwork> network = networkUnless(options.simulate, work.path());
  if (network) NARROWS_CHECK(network->setRate(link.up));
  NARROWS_TRY(real, RealRun::start(options.bundle, network.get(), work.path()));
  NARROWS_TRY(measured, real.run(pictures, promise.link));
  NARROWS_TRY(beside, compareWithOneProcess(options.bundle, pictures, real.records()));
  Deployed deployed;
  deployed.pictures = measured.size();
  deployed.unlike = beside.mismatches;
  deployed.accuracy_percent = accuracy;
  deployed.simulated = network == nullptr;
  std::vector<double> latencies;
  for (const RealLatency& picture : measured) {
    deployed.bytes += picture.frames.value() / static_cast<double>(measured.size());
    deployed.reply_bytes += picture.reply.value() / static_cast<double>(measured.size());
    Seconds latency = picture.total - picture.prepare;
    if (network) {
      latency +=
          ShapedNetwork::credit(link, picture.request) + ShapedNetwork::credit(link, picture.reply);
    }
    latencies.push_back(latency.value());
  }
  deployed.latency = Seconds(median(std::move(latencies)));
  return deployed;
}

Table tableOf(const DesignPromise& promise, const Deployed& deployed) {
  Table table({{"what", "what"},
               {"promised", "promised"},
               {"stated_error", "+-"},
               {"measured", "measured"},
               {"difference", "difference"},
               {"within", "within"}});
  const auto add = [&](const char* what, double promised, double error, double measured) {
    // Figures of the store are doubles that were printed and read.
    constexpr double kEqual = 1e-6;
    const double difference = measured - promised;
    table.add({std::string(what), promised, error, measured, difference,
               std::fabs(difference) <= error + kEqual * std::fabs(promised)});
  };
  add("accuracy_percent", promise.accuracy_percent, 0, deployed.accuracy_percent);
  add("mean_bytes", promise.bytes, promise.bytes_error, deployed.bytes);
  add("latency_ms", toMilliseconds(promise.latency),
      kLatencyErrorPercent / 100 * toMilliseconds(promise.latency),
      toMilliseconds(deployed.latency));
  return table;
}

void print(const DeployedOptions& options, const DesignPromise& promise, const Deployed& deployed) {
  const Table table = tableOf(promise, deployed);
  const std::string_view origin = deployed.simulated ? "simulated" : "measured";
  if (options.output.json) {
    Json document{{"design", options.design},
                  {"bundle", options.bundle},
                  {"link", promise.link},
                  {"origin", origin},
                  {"pictures", deployed.pictures},
                  {"answers_unlike", deployed.unlike},
                  {"answer_bytes", deployed.reply_bytes}};
    document["rows"] = Json::parse(table.json());
    fmt::print("{}\n", document.dump(1, ' ', false, Json::error_handler_t::replace));
    return;
  }
  fmt::print("{}", table.text(options.output.format()));
  if (options.output.csv) return;
  fmt::print(
      "\n{} pictures over {} ({}); answers of {:.0f} B (explore --answer-bytes), {} unlike those "
      "of "
      "the bundle in one process.\nStated "
      "errors: none for the accuracy of the same pieces on the same pictures, twice the standard "
      "error for bytes, {} % for latency,\nwhich is the median from the prepared picture to the "
      "answer.\n",
      deployed.pictures, promise.link,
      deployed.simulated ? "simulated: the link is emulated by waiting"
                         : "measured: a token bucket between two network namespaces",
      deployed.reply_bytes, deployed.unlike, kLatencyErrorPercent);
}

}  // namespace

Result<DesignPromise> parsePromise(const std::string& figures) {
  const Json json = Json::parse(figures, nullptr, false);
  const auto wrong = [](const char* key, std::string_view expected) {
    return makeError("figures: {}: expected {}", key, expected);
  };
  if (!json.is_object()) return makeError("figures: expected a JSON object");
  DesignPromise promise;
  if (!json.contains("link") || !json["link"].is_string()) return wrong("link", "a name");
  promise.link = json["link"].get<std::string>();
  double latency = 0;
  double energy = 0;
  const std::array<std::pair<const char*, double*>, 5> numbers{
      {{"latency_s", &latency},
       {"node_j", &energy},
       {"bytes", &promise.bytes},
       {"bytes_error", &promise.bytes_error},
       {"accuracy_percent", &promise.accuracy_percent}}};
  for (const auto& [key, value] : numbers) {
    if (!json.contains(key) || !json[key].is_number()) return wrong(key, "a number");
    *value = json[key].get<double>();
  }
  promise.latency = Seconds(latency);
  promise.energy = Joules(energy);
  return promise;
}

std::string toJson(const DesignPromise& promise) {
  const Json json{{"link", promise.link},
                  {"latency_s", promise.latency.value()},
                  {"node_j", promise.energy.value()},
                  {"bytes", promise.bytes},
                  {"bytes_error", promise.bytes_error},
                  {"accuracy_percent", promise.accuracy_percent}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Status measureDeployed(const DeployedOptions& options) {
  if (options.bundle.empty())
    return makeError("--bundle: give what narrows split --design {} wrote", options.design);
  NARROWS_TRY(row, Store::findDesign(options.store, options.design));
  NARROWS_TRY(promise, parsePromise(row.figures).within("design " + row.id));
  NARROWS_TRY(deployed, run(options, promise).within("design " + row.id));
  print(options, promise, deployed);
  return {};
}

}  // namespace narrows
