#include "narrows/cli/deployed_design.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "narrows/base/file.h"
#include "narrows/base/median.h"
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

/// Medians of what pictures took.
struct MeasuredParts {
  Seconds node;
  Seconds encode;
  /// Neither side's computing or coding.
  Seconds link_and_messages;
  /// Decoding and the head with it.
  Seconds server;
};

struct Deployed {
  std::size_t pictures = 0;
  /// Answers that differ from those of the bundle in one process.
  std::size_t unlike = 0;
  double accuracy_percent = 0;
  double bytes = 0;
  /// Median, without the picture's preparation.
  Seconds latency;
  /// Means: requests around their frames, and answers, as messages.
  double envelope_bytes = 0;
  double reply_bytes = 0;
  MeasuredParts parts;
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
    deployed.envelope_bytes +=
        (picture.request - picture.frames).value() / static_cast<double>(measured.size());
    deployed.reply_bytes += picture.reply.value() / static_cast<double>(measured.size());
    Seconds latency = picture.total - picture.prepare;
    if (network) {
      latency +=
          ShapedNetwork::credit(link, picture.request) + ShapedNetwork::credit(link, picture.reply);
    }
    latencies.push_back(latency.value());
  }
  deployed.latency = Seconds(median(std::move(latencies)));
  const auto middle = [&](auto part) {
    std::vector<double> seconds;
    seconds.reserve(measured.size());
    for (const RealLatency& picture : measured) seconds.push_back(part(picture).value());
    return Seconds(median(std::move(seconds)));
  };
  deployed.parts = {middle([](const RealLatency& one) { return one.node - one.prepare; }),
                    middle([](const RealLatency& one) { return one.encode; }),
                    middle([](const RealLatency& one) { return one.between(); }),
                    middle([](const RealLatency& one) { return one.server; })};
  return deployed;
}

Json partsJson(const DesignPromise& promise, const MeasuredParts& parts) {
  return {{"promised",
           {{"node_ms", toMilliseconds(promise.node)},
            {"coding_and_messages_ms", toMilliseconds(promise.coding)},
            {"link_ms", toMilliseconds(promise.link_time)},
            {"server_ms", toMilliseconds(promise.server)}}},
          {"measured",
           {{"node_ms", toMilliseconds(parts.node)},
            {"encode_ms", toMilliseconds(parts.encode)},
            {"link_and_messages_ms", toMilliseconds(parts.link_and_messages)},
            {"server_ms", toMilliseconds(parts.server)}}}};
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
  add("latency_ms", toMilliseconds(promise.latency), toMilliseconds(promise.latency_error),
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
                  {"request_bytes", deployed.envelope_bytes},
                  {"answer_bytes", deployed.reply_bytes},
                  {"parts", partsJson(promise, deployed.parts)}};
    document["rows"] = Json::parse(table.json());
    fmt::print("{}\n", document.dump(1, ' ', false, Json::error_handler_t::replace));
    return;
  }
  fmt::print("{}", table.text(options.output.format()));
  if (options.output.csv) return;
  fmt::print(
      "\n{} pictures over {} ({}: {}); requests of {:.0f} B around the frames (explore "
      "--request-bytes), answers of {:.0f} B (--answer-bytes), {} unlike those of the bundle in "
      "one "
      "process.\nStated errors: none for the accuracy of the same pieces on the same pictures, "
      "twice the standard error for bytes, and for latency,\nthe median from the prepared picture "
      "to the answer, what the exploration states.\n",
      deployed.pictures, promise.link, origin, linkInWords(deployed.simulated),
      deployed.envelope_bytes, deployed.reply_bytes, deployed.unlike);
}

}  // namespace

Seconds latencyError(const SplitPricer& pricer, const DesignCost& cost) {
  constexpr double kLeast = kLatencyErrorPercent / 100;
  const auto share = [](const DeviceModel& device, const std::optional<ComputeModel>& compute) {
    double error = kLeast;
    if (device.timing) {
      // Nobody knows at which pace pictures will come.
      const double pace = std::fabs(1 - device.timing->at_once);
      error = std::max({error, device.timing->spread, pace});
    }
    if (compute && !compute->fromTable() && device.predictor && device.predictor->error_percent)
      error = std::max(error, *device.predictor->error_percent / 100);
    return error;
  };
  const Seconds rest =
      Seconds(at(cost.scores, Objective::latency)) - cost.node_compute - cost.server_compute;
  return kLeast * rest + share(pricer.node(), pricer.nodeCompute()) * cost.node_compute +
         share(pricer.server(), pricer.serverCompute()) * cost.server_compute;
}

Result<DesignPromise> parsePromise(const std::string& figures) {
  const Json json = Json::parse(figures, nullptr, false);
  const auto wrong = [](const char* key, std::string_view expected) {
    return makeError("figures: {}: expected {}", key, expected);
  };
  if (!json.is_object()) return makeError("figures: expected a JSON object");
  DesignPromise promise;
  if (!json.contains("link") || !json["link"].is_string()) return wrong("link", "a name");
  promise.link = json["link"].get<std::string>();
  const auto read = [&](const char* key, auto& quantity) -> Status {
    if (!json.contains(key) || !json[key].is_number()) return wrong(key, "a number");
    quantity = std::remove_reference_t<decltype(quantity)>(json[key].get<double>());
    return {};
  };
  NARROWS_CHECK(read("latency_s", promise.latency));
  NARROWS_CHECK(read("node_j", promise.energy));
  NARROWS_CHECK(read("bytes", promise.bytes));
  NARROWS_CHECK(read("bytes_error", promise.bytes_error));
  NARROWS_CHECK(read("accuracy_percent", promise.accuracy_percent));
  NARROWS_CHECK(read("latency_error_s", promise.latency_error));
  NARROWS_CHECK(read("node_s", promise.node));
  NARROWS_CHECK(read("coding_s", promise.coding));
  NARROWS_CHECK(read("link_s", promise.link_time));
  NARROWS_CHECK(read("server_s", promise.server));
  return promise;
}

std::string toJson(const DesignPromise& promise) {
  const Json json{{"link", promise.link},
                  {"latency_s", promise.latency.value()},
                  {"node_j", promise.energy.value()},
                  {"bytes", promise.bytes},
                  {"bytes_error", promise.bytes_error},
                  {"accuracy_percent", promise.accuracy_percent},
                  {"latency_error_s", promise.latency_error.value()},
                  {"node_s", promise.node.value()},
                  {"coding_s", promise.coding.value()},
                  {"link_s", promise.link_time.value()},
                  {"server_s", promise.server.value()}};
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
