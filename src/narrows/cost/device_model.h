#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/cost/profile_figure.h"
#include "narrows/cost/time_predictor.h"

namespace narrows {

/// Time of a node of a graph: MACs / macs_per_s + bytes / bytes_per_s + op. Bytes are those of the
/// node's operands, constants included, and results.
struct ComputeRates {
  double macs_per_s = 0;
  /// Absent: bytes cost nothing.
  std::optional<double> bytes_per_s;
  Seconds op;
};

/// Time and energy of one or more layers together, as measured or published.
struct LayerFigure {
  /// A node belongs to the row when its name is one of these, or one of these followed by '.' or
  /// '/' and more.
  std::vector<std::string> names;
  /// MACs of the layers in the network that was measured.
  std::int64_t macs = 0;
  Seconds time;
  std::optional<Joules> energy;
};

struct LayerTable {
  std::string network;
  Ground ground = Ground::measured;
  std::string source;
  std::vector<LayerFigure> rows;
};

/// What a device takes for its side of a message and its answer, beyond coding and the link: to
/// make, send, receive and check them.
struct ExchangeRates {
  Seconds time;
  /// For each byte of the message: its copies and its digests.
  Seconds per_byte;

  Seconds of(Bytes message) const { return time + message.value() * per_byte; }
};

/// How the times of a device's tables were taken, and how far from each other they were.
struct TimingFigures {
  /// Before each run.
  Seconds rest;
  /// Half the distance between first and last decile of a piece's times, as a share of their
  /// median.
  double spread = 0;
  /// What a piece takes that runs again at once, as a share of the same.
  double at_once = 1;
};

/// How fast a device computes and what it draws.
struct DeviceModel {
  std::string name;
  std::string summary;
  /// Absent: the device's energy is not known (or of no interest).
  std::optional<Watts> compute_power;
  Watts idle_power;
  /// Once for each piece and frame: copies in and out, launch.
  Seconds start_time;
  /// Absent: compute power for that time.
  std::optional<Joules> start_energy;
  std::optional<ComputeRates> rates;
  /// Of networks; no two need be of different ones.
  std::vector<LayerTable> tables;
  /// Goes before rates.
  std::optional<TimePredictor> predictor;
  /// Coding takes this many times longer than on the host that measured it.
  double coding_slowdown = 1;
  /// 0 where a profile does not say.
  ExchangeRates exchange;
  /// Absent where a profile does not say.
  std::optional<TimingFigures> timing;
  /// What pieces may take, in bytes.
  std::optional<double> memory;
  /// Every figure that the profile states but the table, in its order.
  std::vector<ProfileFigure> figures;
};

/// Time of a layer without a row in a table: by the predictor, else by the rates. Asserts that
/// there is one of them. `terms` are the layer's.
Seconds predictedTime(const DeviceModel& device, const Graph& graph, NodeId id, const Terms& terms);

/// Computing takes `factor` times less for everything, at the same power. Coding is left as it is.
void speedUp(DeviceModel& device, double factor);

/// Reads a profile (see docs/cost-model.md). It states rates, a predictor, tables, or several of
/// them. `origin` names the
/// text in errors: "FILE:LINE: compute.macs_per_s: expected ...".
Result<DeviceModel> parseDeviceModel(std::string_view toml, std::string_view origin);

}  // namespace narrows
