#include "narrows/cost/plan_pricer.h"

#include <algorithm>
#include <utility>

namespace narrows {
namespace {

constexpr std::size_t kNoLink = static_cast<std::size_t>(-1);

Status checkSetting(const Plan& plan, const PlanSetting& setting, std::size_t pieces) {
  const std::size_t devices = plan.devices.size();
  if (setting.devices.size() != devices)
    return makeError("{} device models for {} devices", setting.devices.size(), devices);
  if (!setting.cabled.empty() && setting.cabled.size() != devices)
    return makeError("{} cabled marks for {} devices", setting.cabled.size(), devices);
  if (!setting.routes.empty() && setting.routes.size() != devices * devices)
    return makeError("{} routes for {} devices", setting.routes.size(), devices);
  if (pieces != plan.pieces.size())
    return makeError("costs of {} pieces for {}", pieces, plan.pieces.size());
  if (!(setting.answer.value() >= 0)) return makeError("an answer of negative size");
  return {};
}

}  // namespace

Result<PlanPricer> PlanPricer::create(const Plan& plan, PlanSetting setting,
                                      std::vector<PieceCost> pieces) {
  NARROWS_CHECK(checkPlan(plan));
  NARROWS_CHECK(checkSetting(plan, setting, pieces.size()));
  PlanPricer pricer;
  pricer.plan_ = plan;
  pricer.setting_ = std::move(setting);
  pricer.pieces_ = std::move(pieces);
  for (const Piece& piece : plan.pieces) pricer.piece_device_.push_back(piece.device.index());
  pricer.source_device_ = plan.source_device.index();
  pricer.sink_device_ = plan.sink_device.index();
  NARROWS_CHECK(pricer.layOutMessages(plan));
  pricer.layOutSteps(plan);

  const std::size_t devices = plan.devices.size();
  pricer.price_.devices.resize(devices);
  pricer.device_free_.resize(devices);
  pricer.link_free_.resize(pricer.setting_.links.size());
  pricer.link_busy_.resize(pricer.setting_.links.size());
  pricer.arrival_.resize(pricer.messages_.size());
  pricer.received_.resize(pricer.messages_.size());
  pricer.piece_end_.resize(plan.pieces.size());
  for (std::size_t i = 0; i < pricer.pieces_.size(); ++i) {
    const PieceCost& piece = pricer.pieces_[i];
    pricer.compute_origin_ = i == 0 ? piece.origin : combine(pricer.compute_origin_, piece.origin);
    DevicePrice& device = pricer.price_.devices[pricer.piece_device_[i]];
    device.weights += piece.weights;
    device.activations = std::max(device.activations, piece.activations);
  }
  return pricer;
}

std::size_t PlanPricer::routeOf(std::size_t from, std::size_t to) const {
  const std::size_t link =
      setting_.routes.empty() ? 0 : setting_.routes[from * setting_.devices.size() + to];
  return link < setting_.links.size() ? link : kNoLink;
}

Status PlanPricer::layOutMessages(const Plan& plan) {
  const auto linkBetween = [&](std::size_t from, std::size_t to) -> Result<std::size_t> {
    const std::size_t link = routeOf(from, to);
    if (link != kNoLink) return link;
    return makeError("no link from device {} to {}", plan.devices[from].name,
                     plan.devices[to].name);
  };
  const auto addRadios = [&](std::size_t from, std::size_t to, std::size_t link) {
    for (std::size_t device : {from, to}) {
      const auto same = [&](const RadioPrice& r) { return r.device == device && r.link == link; };
      if (std::any_of(price_.radios.begin(), price_.radios.end(), same)) continue;
      RadioPrice radio;
      radio.device = device;
      radio.link = link;
      price_.radios.push_back(radio);
    }
  };
  for (std::size_t t = 0; t < plan.transfers.size(); ++t) {
    const Transfer& transfer = plan.transfers[t];
    const std::size_t from = plan.deviceOf(transfer.source, true).index();
    const std::size_t to = plan.deviceOf(transfer.destination, false).index();
    const bool output = !transfer.destination.piece.valid();
    if (from == to) {
      if (output && transfer.source.piece.valid())
        output_pieces_.push_back(transfer.source.piece.index());
      continue;
    }
    auto message = std::find_if(messages_.begin(), messages_.end(), [&](const Message& m) {
      return m.from == from && m.to == to && m.source == transfer.source.piece;
    });
    if (message == messages_.end()) {
      NARROWS_TRY(link, linkBetween(from, to));
      Message made;
      made.from = from;
      made.to = to;
      made.link = link;
      made.way = to == source_device_ ? LinkWay::down : LinkWay::up;
      made.source = transfer.source.piece;
      messages_.push_back(made);
      message = messages_.end() - 1;
      addRadios(from, to, link);
    }
    message->transfers.push_back(t);
    if (output) {
      output_messages_.push_back(static_cast<std::size_t>(message - messages_.begin()));
    }
  }
  if (setting_.answer.value() > 0 && sink_device_ != source_device_) {
    NARROWS_TRY(link, linkBetween(sink_device_, source_device_));
    addRadios(sink_device_, source_device_, link);
  }
  return {};
}

/// Messages that hold what the endpoint's piece (invalid: the model's outputs) reads, once each.
void PlanPricer::receiveFor(const Plan& plan, const Endpoint& destination) {
  for (std::size_t m = 0; m < messages_.size(); ++m) {
    Message& message = messages_[m];
    const bool read = std::any_of(
        message.transfers.begin(), message.transfers.end(),
        [&](std::size_t t) { return plan.transfers[t].destination.piece == destination.piece; });
    if (!read || message.received) continue;
    message.received = true;
    steps_.push_back({StepKind::receive, m});
  }
}

void PlanPricer::layOutSteps(const Plan& plan) {
  const auto sendFrom = [&](PieceId source) {
    for (std::size_t m = 0; m < messages_.size(); ++m) {
      if (messages_[m].source == source) steps_.push_back({StepKind::send, m});
    }
  };
  sendFrom(PieceId());
  for (std::size_t p = 0; p < plan.pieces.size(); ++p) {
    receiveFor(plan, {PieceId(p), 0});
    steps_.push_back({StepKind::compute, p});
    sendFrom(PieceId(p));
  }
  receiveFor(plan, {});
}

RadioPrice& PlanPricer::radio(std::size_t device, std::size_t link) {
  for (RadioPrice& candidate : price_.radios) {
    if (candidate.device == device && candidate.link == link) return candidate;
  }
  NARROWS_ASSERT(false);
  return price_.radios.front();
}

void PlanPricer::chargeLink(const Message& message, const MessageTime& time) {
  const LinkModel& link = setting_.links[message.link];
  link_busy_[message.link] += time.arrival();
  for (std::size_t device : {message.from, message.to}) {
    if (!setting_.cabled.empty() && setting_.cabled[device]) continue;
    RadioPrice& side = radio(device, message.link);
    side.busy += time.arrival();
    side.energy += device == message.from ? sendEnergy(link, time) : receiveEnergy(link, time);
    side.tail = time.tail;
    side.tail_energy = link.tail_power * time.tail;
  }
}

void PlanPricer::send(std::size_t index, std::span<const FrameCost> frames) {
  const Message& message = messages_[index];
  Bytes bytes;
  Bytes envelope;
  Seconds encode;
  Seconds decode;
  for (std::size_t t : message.transfers) {
    bytes += frames[t].bytes;
    envelope += frames[t].envelope;
    encode += frames[t].encode;
    decode += frames[t].decode;
  }
  price_.devices[message.from].coding += encode;
  price_.devices[message.to].coding += decode;
  device_free_[message.from] += encode;

  const LinkModel& link = setting_.links[message.link];
  const MessageTime time = messageTime(link, bytes + envelope, message.way);
  const Seconds start = std::max(device_free_[message.from], link_free_[message.link]);
  arrival_[index] = start + time.arrival();
  received_[index] = decode;  // until it is received: how long that takes
  link_free_[message.link] = arrival_[index];
  price_.bytes += bytes;
  price_.bytes_on_link += bytesOnLink(link, bytes + envelope);
  price_.link_time += time.arrival();
  chargeLink(message, time);
}

const Price& PlanPricer::price(std::span<const FrameCost> frames) {
  NARROWS_ASSERT(frames.size() == transferCount());
  std::fill(device_free_.begin(), device_free_.end(), Seconds());
  std::fill(link_free_.begin(), link_free_.end(), Seconds());
  std::fill(link_busy_.begin(), link_busy_.end(), Seconds());
  price_.bytes = price_.bytes_on_link = Bytes();
  price_.link_time = price_.answer_time = Seconds();
  for (DevicePrice& device : price_.devices) {
    device.compute = device.coding = Seconds();
    device.compute_energy = Joules();
  }
  for (RadioPrice& side : price_.radios) {
    side.busy = side.tail = Seconds();
    side.energy = side.tail_energy = Joules();
  }
  for (const Step& step : steps_) {
    if (step.kind == StepKind::send) {
      send(step.index, frames);
    } else if (step.kind == StepKind::receive) {
      Seconds& free = device_free_[messages_[step.index].to];
      free = std::max(free, arrival_[step.index]) + received_[step.index];
      received_[step.index] = free;
    } else {
      const std::size_t device = piece_device_[step.index];
      device_free_[device] += pieces_[step.index].time;
      piece_end_[step.index] = device_free_[device];
      price_.devices[device].compute += pieces_[step.index].time;
      price_.devices[device].compute_energy += pieces_[step.index].energy;
    }
  }
  finish();
  return price_;
}

void PlanPricer::finish() {
  Seconds end;
  for (std::size_t piece : output_pieces_) end = std::max(end, piece_end_[piece]);
  for (std::size_t message : output_messages_) end = std::max(end, received_[message]);
  if (setting_.answer.value() > 0 && sink_device_ != source_device_) {
    Message answer;
    answer.from = sink_device_;
    answer.to = source_device_;
    answer.link = routeOf(sink_device_, source_device_);
    const MessageTime time =
        messageTime(setting_.links[answer.link], setting_.answer, LinkWay::down);
    price_.answer_time = time.arrival();
    end = std::max(end, link_free_[answer.link]) + time.arrival();
    chargeLink(answer, time);
  }
  price_.latency = end;
  price_.origin = price_.radios.empty() ? compute_origin_ : Origin::modelled;

  price_.bottleneck = Seconds();
  const auto offer = [&](Seconds busy, bool is_link, std::size_t index) {
    if (busy <= price_.bottleneck) return;
    price_.bottleneck = busy;
    price_.bottleneck_is_link = is_link;
    price_.bottleneck_index = index;
  };
  for (std::size_t d = 0; d < price_.devices.size(); ++d) {
    DevicePrice& device = price_.devices[d];
    const std::optional<Watts>& power = setting_.devices[d].compute_power;
    device.coding_energy = power ? *power * device.coding : Joules();
    device.link_energy = Joules();
    offer(device.busy(), false, d);
  }
  for (std::size_t link = 0; link < link_busy_.size(); ++link) offer(link_busy_[link], true, link);
  for (const RadioPrice& side : price_.radios)
    price_.devices[side.device].link_energy += side.energy + side.tail_energy;
}

std::optional<Joules> PlanPricer::energyAtRate(const Price& price, std::size_t device,
                                               double frames_per_second) const {
  NARROWS_ASSERT(device < setting_.devices.size());
  const DeviceModel& model = setting_.devices[device];
  if (!model.compute_power || !(frames_per_second > 0)) return std::nullopt;
  const Seconds period(1 / frames_per_second);
  if (price.bottleneck > period) return std::nullopt;
  const DevicePrice& own = price.devices[device];
  Joules energy = own.compute_energy + own.coding_energy + model.idle_power * (period - own.busy());
  if (!setting_.cabled.empty() && setting_.cabled[device]) return energy;
  for (const RadioPrice& side : price.radios) {
    if (side.device != device) continue;
    const LinkModel& link = setting_.links[side.link];
    const Seconds tail = std::min(side.tail, period - side.busy);
    energy += side.energy + link.tail_power * tail + link.idle_power * (period - side.busy - tail);
  }
  return energy;
}

std::optional<Seconds> PlanPricer::batteryLife(const Price& price, std::size_t device,
                                               double frames_per_second, Joules capacity) const {
  const auto energy = energyAtRate(price, device, frames_per_second);
  if (!energy || !(energy->value() > 0)) return std::nullopt;
  return Seconds(capacity / *energy / frames_per_second);
}

}  // namespace narrows
