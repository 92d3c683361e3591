#include "narrows/pipeline/exchange.h"

#include <algorithm>

#include "narrows/codec/frame.h"
#include "narrows/pipeline/fnv1a.h"
#include "narrows/pipeline/picture.h"

namespace narrows {
namespace {

bool isModelOutput(const Transfer& transfer) {
  return !transfer.destination.piece.valid();
}

DeviceId headDevice(const Plan& plan) {
  DeviceId only;
  for (const Transfer& transfer : plan.transfers) {
    if (!isModelOutput(transfer)) continue;
    const DeviceId from = plan.deviceOf(transfer.source, true);
    const bool crosses_by_contract = transfer.interface.valid() && from != plan.sink_device;
    if (crosses_by_contract || (only.valid() && only != from)) return plan.sink_device;
    only = from;
  }
  return only.valid() ? only : plan.sink_device;
}

/// The contract of a crossing; elements travel raw when the plan names none.
InterfaceParams paramsOf(const Plan& plan, const Transfer& transfer) {
  if (transfer.interface.valid()) return plan.interfaces[transfer.interface.index()];
  const Port& port = transfer.source.piece.valid()
                         ? plan.piece(transfer.source.piece).outputs[transfer.source.port]
                         : plan.inputs[transfer.source.port];
  FeatureInterface raw;
  raw.type = {port.type.dtype, transfer.from.shape()};
  return raw;
}

/// A picture crosses once for each receiving device, however many pieces read it there.
std::optional<std::size_t> sharedChannel(const Plan& plan, const Exchange& exchange,
                                         const Transfer& transfer, DeviceId to) {
  for (std::size_t i = 0; i < exchange.channels.size(); ++i) {
    const Channel& channel = exchange.channels[i];
    if (!channel.isImage() || channel.to != to) continue;
    const Transfer& first = plan.transfers[channel.transfers.front()];
    if (first.source == transfer.source && first.interface == transfer.interface) return i;
  }
  return std::nullopt;
}

class PlanHash : public Fnv1a {
 public:
  using Fnv1a::add;
  void add(const Shape& shape) {
    add(std::uint64_t{shape.rank()});
    for (const std::int64_t extent : shape.extents()) add(static_cast<std::uint64_t>(extent));
  }
  void add(const Port& port) {
    add(std::string_view(port.name));
    add(static_cast<std::uint64_t>(port.type.dtype));
    add(port.type.shape);
  }
  void add(const Region& region) {
    for (const Region::Interval& interval : region.intervals()) {
      add(static_cast<std::uint64_t>(interval.begin));
      add(static_cast<std::uint64_t>(interval.end));
    }
  }
  void add(const Endpoint& end) {
    add(end.piece.valid() ? std::uint64_t{end.piece.index()} : ~std::uint64_t{0});
    add(std::uint64_t{end.port});
  }
};

}  // namespace

std::vector<std::size_t> Exchange::channelsFrom(DeviceId from, DeviceId to) const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    if (channels[i].from == from && channels[i].to == to) found.push_back(i);
  }
  return found;
}

Result<Exchange> planExchange(const Plan& plan) {
  NARROWS_CHECK(checkPlan(plan));
  Exchange exchange;
  exchange.head = headDevice(plan);
  for (std::size_t i = 0; i < plan.transfers.size(); ++i) {
    const Transfer& transfer = plan.transfers[i];
    const DeviceId from = plan.deviceOf(transfer.source, true);
    const DeviceId to =
        isModelOutput(transfer) ? exchange.head : plan.deviceOf(transfer.destination, false);
    exchange.destination_of.push_back(to);
    if (from == to) {
      exchange.channel_of.emplace_back();
      continue;
    }
    InterfaceParams params = paramsOf(plan, transfer);
    if (std::holds_alternative<ImageInterface>(params)) {
      if (const auto shared = sharedChannel(plan, exchange, transfer, to)) {
        exchange.channels[*shared].transfers.push_back(i);
        exchange.channel_of.push_back(shared);
        continue;
      }
    }
    const std::size_t index = exchange.channels.size();
    Channel channel{fmt::format("frame{}", index), from, to, std::move(params), {i}};
    exchange.channels.push_back(std::move(channel));
    exchange.channel_of.push_back(index);
  }
  return exchange;
}

std::size_t maxFrameBytes(const Channel& channel, const Preprocessing& preprocessing) {
  if (const auto* feature = std::get_if<FeatureInterface>(&channel.params)) {
    // A code that is longer than the packed elements is not sent, so a frame is never longer than
    // the elements themselves and its header.
    return feature->type.bytes() + kFrameHeaderBytes;
  }
  const std::size_t samples =
      static_cast<std::size_t>(preprocessing.width * preprocessing.height) * 3;
  switch (std::get<ImageInterface>(channel.params).coding) {
    case ImageCoding::raw:
      return samples + kFrameHeaderBytes;
    case ImageCoding::jpeg:
      // Noise at quality 100 takes up to about 1.7 bytes per sample; tables and markers below 2
      // KiB.
      return samples * 2 + 4096 + kFrameHeaderBytes;
    case ImageCoding::original:
      return kMaxPictureFileBytes + kFrameHeaderBytes;
  }
  return kFrameHeaderBytes;
}

std::uint64_t bundleFingerprint(const Plan& plan, const ModelDescription& description) {
  PlanHash hash;
  for (const Device& device : plan.devices) hash.add(std::string_view(device.name));
  for (const Piece& piece : plan.pieces) {
    hash.add(std::string_view(piece.name));
    hash.add(std::uint64_t{piece.device.index()});
    for (const Port& port : piece.inputs) hash.add(port);
    for (const Port& port : piece.outputs) hash.add(port);
  }
  for (const Transfer& transfer : plan.transfers) {
    hash.add(transfer.source);
    hash.add(transfer.from);
    hash.add(transfer.destination);
    hash.add(transfer.to);
    hash.add(static_cast<std::uint64_t>(transfer.mode));
    hash.add(transfer.interface.valid() ? std::uint64_t{transfer.interface.index()}
                                        : ~std::uint64_t{0});
  }
  for (const InterfaceParams& params : plan.interfaces) {
    hash.add(std::uint64_t{fingerprint(params)});
  }
  for (const Port& port : plan.inputs) hash.add(port);
  for (const Port& port : plan.outputs) hash.add(port);
  hash.add(std::string_view(formatDescription(description)));
  return hash.value();
}

}  // namespace narrows
