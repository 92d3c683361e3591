#include "narrows/cost/split_pricer.h"

#include <algorithm>

#include "narrows/graph/liveness.h"

namespace narrows {
namespace {

DeviceModel thisHost() {
  DeviceModel host;
  host.name = "this host";
  host.summary = "times measured here, one thread; power not known";
  return host;
}

Status settle(std::optional<DeviceModel> given, double host_speed, const Graph& graph,
              DeviceModel& device, std::optional<ComputeModel>& compute) {
  if (!given) {
    device = thisHost();
    device.coding_slowdown = 1 / host_speed;
    return {};
  }
  NARROWS_TRY(model, ComputeModel::create(*given, graph));
  device = std::move(*given);
  compute = std::move(model);
  return {};
}

PieceCost measuredPiece(Seconds time, const Graph& piece) {
  PieceCost cost;
  cost.time = time;
  cost.origin = Origin::measured;
  const MemoryNeed memory = peakMemory(piece);
  cost.weights = memory.weights;
  cost.activations = memory.activations;
  return cost;
}

bool crosses(const Plan& plan, const Transfer& transfer) {
  return plan.deviceOf(transfer.source, true) != plan.deviceOf(transfer.destination, false);
}

}  // namespace

Result<SplitPricer> SplitPricer::create(SplitSetting setting, const Graph& graph) {
  if (setting.links.empty()) return makeError("expected at least one link");
  SplitPricer pricer(graph);
  pricer.host_node_speed_ = setting.host_node_speed;
  pricer.host_server_speed_ = setting.host_server_speed;
  NARROWS_CHECK(settle(std::move(setting.node), setting.host_node_speed, graph, pricer.node_,
                       pricer.node_compute_)
                    .within("node"));
  NARROWS_CHECK(settle(std::move(setting.server), setting.host_server_speed, graph, pricer.server_,
                       pricer.server_compute_)
                    .within("server"));
  pricer.links_ = std::move(setting.links);
  pricer.answer_ = setting.answer;
  pricer.envelope_ = setting.envelope;
  return pricer;
}

Result<std::vector<PlanPricer>> SplitPricer::forSplit(const SplitModel& split,
                                                      const HostTimes& times) const {
  PlanSetting setting;
  for (const Device& device : split.plan.devices) {
    const bool is_server = device.name == kServerDevice;
    setting.devices.push_back(is_server ? server_ : node_);
    setting.cabled.push_back(is_server);
  }
  setting.answer = answer_;
  std::vector<PieceCost> pieces;
  for (std::size_t i = 0; i < split.pieces.size(); ++i) {
    const std::size_t device = split.plan.pieces[i].device.index();
    const bool is_server = split.plan.devices[device].name == kServerDevice;
    const std::optional<ComputeModel>& compute = is_server ? server_compute_ : node_compute_;
    if (!compute) {
      const Seconds time =
          is_server ? times.server / host_server_speed_ : times.node / host_node_speed_;
      pieces.push_back(measuredPiece(time, split.pieces[i]));
      continue;
    }
    NARROWS_TRY(cost, compute->cost(split.pieces[i]));
    pieces.push_back(cost);
  }
  const bool crossed =
      std::any_of(split.plan.transfers.begin(), split.plan.transfers.end(),
                  [&](const Transfer& transfer) { return crosses(split.plan, transfer); });
  std::vector<PlanPricer> pricers;
  for (const LinkModel& link : links_) {
    setting.links = {link};
    NARROWS_TRY(pricer, PlanPricer::create(split.plan, setting, pieces));
    pricers.push_back(std::move(pricer));
    if (!crossed) break;
  }
  return pricers;
}

Result<std::vector<PlanPricer>> SplitPricer::forCut(const Cut& cut, const HostTimes& times) const {
  std::vector<FeatureInterface> interfaces;
  for (ValueId value : cut.values) interfaces.push_back(plainInterface(graph_->type(value)));
  NARROWS_TRY(split, splitAt(*graph_, cut, std::move(interfaces)));
  return forSplit(split, times);
}

Result<std::vector<PlanPricer>> SplitPricer::forPicture(const ImageInterface& interface,
                                                        const HostTimes& times) const {
  NARROWS_TRY(split, allOnServer(*graph_, interface));
  return forSplit(split, times);
}

Result<std::vector<PlanPricer>> SplitPricer::onNode(const HostTimes& times) const {
  NARROWS_TRY(split, allOnNode(*graph_));
  return forSplit(split, times);
}

std::vector<FrameCost> SplitPricer::transfers(const PlanPricer& pricer, Bytes bytes, Seconds encode,
                                              Seconds decode) const {
  std::vector<FrameCost> frames(pricer.transferCount());
  if (const auto first = pricer.firstCrossing()) {
    const Bytes message = bytes + envelope_;
    frames[*first] = {bytes, node_.coding_slowdown * encode + node_.exchange.of(message),
                      server_.coding_slowdown * decode + server_.exchange.of(message), envelope_};
  }
  return frames;
}

const Price& SplitPricer::price(PlanPricer& pricer, Bytes bytes, Seconds encode,
                                Seconds decode) const {
  return pricer.price(transfers(pricer, bytes, encode, decode));
}

}  // namespace narrows
