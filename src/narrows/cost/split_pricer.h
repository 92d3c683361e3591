#pragma once

#include <optional>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/cost/compute_model.h"
#include "narrows/cost/plan_pricer.h"
#include "narrows/plan/split.h"

namespace narrows {

/// Where the two sides of a network run.
struct SplitSetting {
  /// Absent: this host, with the times that were measured on it and no energy.
  std::optional<DeviceModel> node;
  std::optional<DeviceModel> server;
  /// How many times faster than measured a side is that is this host.
  double host_node_speed = 1;
  double host_server_speed = 1;
  /// At least one.
  std::vector<LinkModel> links;
  /// What the server sends back for a picture; 0 for nothing.
  Bytes answer;
  /// What the protocol puts around the frames of a picture.
  Bytes envelope;
};

/// Times of a design's two sides on this host, one thread; measured.
struct HostTimes {
  Seconds node;
  Seconds server;
};

/// Prices splits of one network between a node and a server over one or more links.
class SplitPricer {
 public:
  /// The graph must outlive it. Fails on a device that has no figures for the network, with "node"
  /// or "server" in front.
  static Result<SplitPricer> create(SplitSetting setting, const Graph& graph);

  /// A pricer for each link. Times are used for devices that are this host, and needed there.
  Result<std::vector<PlanPricer>> forCut(const Cut& cut, const HostTimes& times) const;
  /// Of any split, whose layers are the network's as `ComputeModel::cost` takes them.
  Result<std::vector<PlanPricer>> forSplit(const SplitModel& split, const HostTimes& times) const;
  Result<std::vector<PlanPricer>> forPicture(const ImageInterface& interface,
                                             const HostTimes& times) const;
  /// Nothing crosses: one pricer.
  Result<std::vector<PlanPricer>> onNode(const HostTimes& times) const;

  /// A frame of that size, with its coding times on this host, which the devices take longer for as
  /// their profiles say; what they take for the message itself is added to them. All tensors of a
  /// cut travel in one message. Valid until the next call with the same pricer.
  const Price& price(PlanPricer& pricer, Bytes bytes, Seconds encode, Seconds decode) const;
  /// The same frame as the plan's transfers.
  std::vector<FrameCost> transfers(const PlanPricer& pricer, Bytes bytes, Seconds encode,
                                   Seconds decode) const;

  const DeviceModel& node() const { return node_; }
  const DeviceModel& server() const { return server_; }
  /// Absent for this host.
  const std::optional<ComputeModel>& nodeCompute() const { return node_compute_; }
  const std::optional<ComputeModel>& serverCompute() const { return server_compute_; }
  const std::vector<LinkModel>& links() const { return links_; }

 private:
  explicit SplitPricer(const Graph& graph) : graph_(&graph) {}
  const Graph* graph_;
  DeviceModel node_;
  DeviceModel server_;
  std::optional<ComputeModel> node_compute_;
  std::optional<ComputeModel> server_compute_;
  std::vector<LinkModel> links_;
  Bytes answer_;
  Bytes envelope_;
  double host_node_speed_ = 1;
  double host_server_speed_ = 1;
};

}  // namespace narrows
