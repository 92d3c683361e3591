#include "narrows/cli/host_profile.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "narrows/base/median.h"
#include "narrows/cli/cut_choice.h"
#include "narrows/cost/device_fit.h"
#include "narrows/eval/layer_timer.h"
#include "narrows/eval/piece_runner.h"
#include "narrows/graph/cuts.h"

namespace narrows {
namespace {

struct TimedPiece {
  MeasuredPiece piece;
  Graph graph;
  LayerTimer timer;
};

struct TimedNetwork {
  std::string name;
  std::vector<TimedPiece> pieces;
};

Status addPiece(const Engine& engine, const LayerTimerOptions& options, MeasuredPiece piece,
                const Graph& graph, std::vector<Tensor> inputs, TimedNetwork& network) {
  NARROWS_TRY(timer, LayerTimer::create(engine, graph, std::move(inputs), options));
  piece.macs = cost(graph).macs;
  network.pieces.push_back({std::move(piece), graph, std::move(timer)});
  return {};
}

std::vector<Tensor> cloned(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> copies;
  copies.reserve(tensors.size());
  for (const Tensor& tensor : tensors) copies.push_back(tensor.clone());
  return copies;
}

Result<TimedNetwork> prepare(const Engine& engine, const NamedGraph& model,
                             const HostProfileOptions& options) {
  const LayerTimerOptions how{options.threads, options.precision, options.rest};
  TimedNetwork network;
  network.name = model.name;
  NARROWS_CHECK(addPiece(engine, how, {"whole", {}, 0, {}, {}}, model.graph,
                         drawInputs(model.graph, options.seed), network));
  for (const Cut& cut : spreadCuts(model.graph, options.cuts)) {
    NARROWS_TRY(pieces, cutPieces(model.graph, cut));
    const std::string name = cutName(model.graph, cut);
    NARROWS_CHECK(addPiece(engine, how, {"node", name, 0, {}, {}}, pieces.node,
                           drawInputs(pieces.node, options.seed), network));
    LayerTimer& node = network.pieces.back().timer;
    NARROWS_CHECK(node.run());
    NARROWS_CHECK(addPiece(engine, how, {"server", name, 0, {}, {}}, pieces.server,
                           cloned(node.outputs()), network));
  }
  return network;
}

/// Terms of all layers of a graph, by name, and of its edges.
class PieceTerms {
 public:
  explicit PieceTerms(const Graph& graph) {
    const std::vector<Terms> layers = layerTerms(graph);
    for (NodeId id : nodeIds(graph)) {
      const Node& node = graph.node(id);
      Terms& terms = by_name_[node.name];
      terms += layers[id.index()];
      for (ValueId value : node.outputs) {
        if (graph.isOutput(value)) terms += edgeTerms(graph, value);
      }
    }
    // A value that enters is turned round by the first layer that reads it.
    for (ValueId value : graph.inputs()) {
      const auto readers = graph.consumers(value);
      if (!readers.empty()) by_name_[graph.node(readers[0]).name] += edgeTerms(graph, value);
    }
    for (const auto& [name, terms] : by_name_) whole_ += terms;
  }

  const Terms& whole() const { return whole_; }
  Terms of(const std::vector<std::string>& names) const {
    Terms sum;
    for (const std::string& name : names) {
      if (const auto found = by_name_.find(name); found != by_name_.end()) sum += found->second;
    }
    return sum;
  }

 private:
  std::unordered_map<std::string, Terms> by_name_;
  Terms whole_;
};

NetworkSample sampleOf(const TimedNetwork& network) {
  NetworkSample sample;
  for (const TimedPiece& piece : network.pieces) {
    const PieceTerms terms(piece.graph);
    PieceSample& added = sample.pieces.emplace_back();
    added.terms = terms.whole();
    const LayerTimes times = piece.timer.times();
    added.time = times.whole;
    for (const PartTime& part : times.parts)
      added.layers.push_back({terms.of(part.nodes), part.time});
  }
  return sample;
}

/// How far from each other the times of a piece were: medians over all pieces.
TimingFigures timingOf(std::span<const TimedNetwork> networks, Seconds rest) {
  std::vector<double> spreads;
  std::vector<double> at_once;
  for (const TimedNetwork& network : networks) {
    for (const TimedPiece& piece : network.pieces) {
      const LayerTimes times = piece.timer.times();
      spreads.push_back(times.spread);
      if (times.whole > Seconds()) at_once.push_back(times.at_once / times.whole);
    }
  }
  return {rest, median(std::move(spreads)), median(std::move(at_once))};
}

std::string processorName() {
  utsname names{};
  return uname(&names) == 0 ? std::string(names.machine) : "unknown processor";
}

/// The network as it ran, a row for what was computed together.
LayerTable tableOf(const TimedNetwork& network, const std::string& source) {
  const TimedPiece& whole = network.pieces.front();
  std::unordered_map<std::string, std::int64_t> macs_of;
  for (NodeId id : nodeIds(whole.graph))
    macs_of[whole.graph.node(id).name] += macs(whole.graph, id);
  LayerTable table;
  table.network = network.name;
  table.ground = Ground::measured;
  table.source = source;
  const LayerTimes times = whole.timer.times();
  for (const PartTime& part : times.parts) {
    LayerFigure row;
    row.time = part.time;
    for (const std::string& name : part.nodes) {
      const auto found = macs_of.find(name);
      // What the engine's own clean-up renamed has no row.
      if (found == macs_of.end()) continue;
      row.names.push_back(name);
      row.macs += found->second;
    }
    if (!row.names.empty()) table.rows.push_back(std::move(row));
  }
  return table;
}

void state(DeviceModel& device, std::string key, double value, std::string unit, Ground ground,
           std::string source) {
  device.figures.push_back({std::move(key), value, std::move(unit), ground, std::move(source)});
}

DeviceModel profileOf(const HostProfileOptions& options, const Engine& engine, DeviceFit fit,
                      std::span<const TimedNetwork> networks, std::size_t layers) {
  const std::string setting =
      fmt::format("{}, {}, {} thread{}, {}", processorName(), engine.name(), options.threads,
                  options.threads == 1 ? "" : "s", toString(options.precision));
  const std::string source =
      fmt::format("narrows profile, {}, median of {} runs after {:g} ms of rest each", setting,
                  options.runs, toMilliseconds(options.rest));
  const std::string fitted =
      fmt::format("non-negative least squares of relative errors over {} parts of {} networks; {}",
                  layers, networks.size(), source);
  DeviceModel device;
  device.name = options.name;
  device.summary = setting + "; power not known";
  device.start_time = fit.start;
  state(device, "start.ms", toMilliseconds(fit.start), "ms", Ground::derived,
        "median of what pieces took beyond their layers; " + source);
  device.rates = fit.rates;
  state(device, "compute.macs_per_s", fit.rates.macs_per_s, "MAC/s", Ground::derived, fitted);
  if (fit.rates.bytes_per_s)
    state(device, "compute.bytes_per_s", *fit.rates.bytes_per_s, "B/s", Ground::derived, fitted);
  state(device, "compute.op_us", fit.rates.op.value() * 1e6, "us", Ground::derived, fitted);
  state(device, "coding.slowdown", 1, "times", Ground::assumed,
        "coding times are measured where narrows runs: this host");
  device.timing = timingOf(networks, options.rest);
  state(device, "timing.rest_ms", toMilliseconds(options.rest), "ms", Ground::measured, source);
  state(
      device, "timing.spread_percent", 100 * device.timing->spread, "%", Ground::measured,
      "half of what lies between first and last decile of a piece's times, median of the pieces; " +
          source);
  state(device, "timing.at_once_percent", 100 * device.timing->at_once, "%", Ground::measured,
        "a piece that runs again at once, median of the pieces; " + source);
  device.predictor = std::move(fit.predictor);
  device.predictor->source = fitted;
  for (const TimedNetwork& network : networks) device.tables.push_back(tableOf(network, source));
  return device;
}

}  // namespace

std::size_t hostProfileSteps(std::size_t networks, const HostProfileOptions& options) {
  return networks * (options.runs + 1);
}

Result<HostProfile> measureHost(const Engine& engine, std::span<const NamedGraph> models,
                                const HostProfileOptions& options,
                                const std::function<void()>& progress) {
  std::vector<TimedNetwork> networks;
  for (const NamedGraph& model : models) {
    NARROWS_TRY(network, prepare(engine, model, options).within(model.name));
    networks.push_back(std::move(network));
    progress();
  }
  // All take turns, so that what else the machine does strikes none alone.
  for (std::size_t run = 0; run < options.runs; ++run) {
    for (TimedNetwork& network : networks) {
      for (TimedPiece& piece : network.pieces) NARROWS_CHECK(piece.timer.run());
      progress();
    }
  }
  std::vector<NetworkSample> samples;
  std::size_t layers = 0;
  for (const TimedNetwork& network : networks) {
    samples.push_back(sampleOf(network));
    for (const PieceSample& piece : samples.back().pieces) layers += piece.layers.size();
  }
  NARROWS_TRY(fit, fitDevice(samples));
  std::vector<std::vector<Seconds>> predicted;
  if (networks.size() > 1) {
    NARROWS_TRY(times, leaveOneOut(samples));
    predicted = std::move(times);
    fit.predictor.error_percent = medianErrorPercent(samples, predicted);
  }
  HostProfile profile;
  profile.device = profileOf(options, engine, std::move(fit), networks, layers);
  for (std::size_t n = 0; n < networks.size(); ++n) {
    MeasuredNetwork& measured = profile.networks.emplace_back();
    measured.name = networks[n].name;
    for (std::size_t p = 0; p < networks[n].pieces.size(); ++p) {
      MeasuredPiece piece = networks[n].pieces[p].piece;
      piece.measured = samples[n].pieces[p].time;
      if (!predicted.empty()) piece.predicted = predicted[n][p];
      measured.pieces.push_back(std::move(piece));
    }
  }
  return profile;
}

}  // namespace narrows
