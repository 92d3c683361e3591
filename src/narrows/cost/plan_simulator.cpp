#include "narrows/cost/plan_simulator.h"

#include <utility>

namespace narrows {
namespace {

/// The link as the other side sees it: it sends on the way down.
LinkModel mirrored(LinkModel link) {
  std::swap(link.up, link.down);
  return link;
}

LinkModel withoutPower(LinkModel link) {
  for (Watts* power : {&link.idle_power, &link.setup_power, &link.transmit_power,
                       &link.receive_power, &link.wait_power, &link.tail_power}) {
    *power = Watts();
  }
  return link;
}

}  // namespace

Result<Simulation> simulatePlan(const PlanPricer& pricer, std::span<const FrameCost> transfers,
                                std::size_t frames, std::size_t in_flight) {
  const PlanSetting& setting = pricer.setting();
  const Plan& plan = pricer.plan();
  if (setting.links.size() != 1) {
    return makeError("a simulated plan has one link, not {}", setting.links.size());
  }
  DeviceGroup group;
  group.medium = GroupMedium::shared;
  group.source = plan.source_device.index();
  group.sink = plan.sink_device.index();
  for (std::size_t d = 0; d < setting.devices.size(); ++d) {
    const LinkModel& link = setting.links[0];
    GroupDevice device{plan.devices[d].name, setting.devices[d],
                       d == group.source ? link : mirrored(link), std::nullopt};
    if (!setting.cabled.empty() && setting.cabled[d]) device.link = withoutPower(device.link);
    group.devices.push_back(std::move(device));
  }
  SimulationOptions options;
  options.frames = frames;
  options.in_flight = in_flight;
  options.transfers.assign(transfers.begin(), transfers.end());
  options.answer = setting.answer;
  return simulateGroup(group, plan, pricer.pieces(), options);
}

}  // namespace narrows
