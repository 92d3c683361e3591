#include "narrows/runtime/group/worker_share.h"

#include <algorithm>
#include <map>

namespace narrows {
namespace {

Status checkRegions(const WorkerShare& share, const RegionsRequest& request,
                    const WorkerFrame& frame) {
  const Exchange& exchange = share.exchange();
  std::vector<bool> twice = frame.seen;
  for (const RegionFrame& region : request.frames) {
    if (region.channel >= exchange.channels.size()) {
      return makeError("channel {} of {}", region.channel, exchange.channels.size());
    }
    const Channel& channel = exchange.channels[region.channel];
    if (channel.from.index() != request.from || channel.to != share.device) {
      return makeError("{} does not go from device {} to this one", channel.name, request.from);
    }
    const std::size_t longest = maxFrameBytes(channel, share.bundle->description.preprocessing);
    if (region.bytes.size() > longest) {
      return makeError("{}: {} bytes, at most {}", channel.name, region.bytes.size(), longest);
    }
    if (twice[region.channel]) return makeError("{} came twice", channel.name);
    twice[region.channel] = true;
  }
  return {};
}

/// The model's inputs, one after the other.
Result<std::vector<TensorView>> splitInputs(const Plan& plan, ByteSpan payload) {
  std::vector<TensorView> inputs;
  for (const Port& port : plan.inputs) {
    if (port.type.bytes() > payload.size()) {
      return makeError("input \"{}\" needs {} bytes, {} are left", port.name, port.type.bytes(),
                       payload.size());
    }
    inputs.emplace_back(port.type, payload.data());
    payload = payload.subspan(port.type.bytes());
  }
  if (!payload.empty()) return makeError("{} bytes behind the model's inputs", payload.size());
  return inputs;
}

}  // namespace

void WorkerFrame::fail(RunEnd end, std::string error, std::optional<std::uint32_t> blamed) {
  dirty = true;
  if (failed() && (reply.end == RunEnd::peer_wrong || end != RunEnd::peer_wrong)) return;
  reply.end = end;
  reply.error = std::move(error);
  reply.blamed = blamed;
}

Status acceptRegions(const WorkerShare& share, RegionsRequest request, ByteVector body,
                     WorkerFrame& frame) {
  frame.seen.resize(share.exchange().channels.size(), false);
  if (Status status = checkRegions(share, request, frame); !status.ok()) {
    frame.fail(RunEnd::peer_wrong, status.error().message, request.from);
    return status;
  }
  for (const RegionFrame& region : request.frames) frame.seen[region.channel] = true;
  frame.inbox.push_back(std::move(request));
  // Moving a vector keeps its elements where the spans point to.
  frame.bodies.push_back(std::move(body));
  frame.dirty = true;
  return {};
}

Status startFrame(WorkerShare& share, WorkerFrame& frame) {
  DevicePipeline& pipeline = share.pipelines[*frame.slot];
  const RunRequest& request = frame.request;
  const auto sequence = static_cast<std::uint32_t>(request.frame);
  switch (request.input) {
    case RunInput::none:
      pipeline.startRemote(sequence, request.size);
      return {};
    case RunInput::picture:
      frame.picture = Picture::fromFile(ByteVector(request.payload.begin(), request.payload.end()));
      return pipeline.start(*frame.picture, sequence);
    case RunInput::tensors: {
      // Elements are read where they lie, so they are brought to an aligned place first.
      std::vector<Tensor> inputs;
      NARROWS_TRY(views, splitInputs(share.bundle->plan, request.payload));
      for (const TensorView& view : views) {
        Tensor tensor(view.type());
        std::ranges::copy(view.bytes(), tensor.mutableView().bytes().begin());
        inputs.push_back(std::move(tensor));
      }
      const std::vector<TensorView> aligned(inputs.begin(), inputs.end());
      return pipeline.startTensors(aligned, sequence, request.size);
    }
  }
  return {};
}

std::vector<Outgoing> packRegions(const WorkerShare& share, std::uint64_t frame_number,
                                  const std::vector<ChannelFrame>& frames, RunReply& reply) {
  std::map<std::uint32_t, RegionsRequest> by_device;
  for (const ChannelFrame& frame : frames) {
    const auto to = static_cast<std::uint32_t>(share.exchange().channels[frame.channel].to.index());
    by_device[to].frames.push_back({static_cast<std::uint32_t>(frame.channel), frame.bytes});
  }
  std::vector<Outgoing> outgoing;
  for (auto& [device, request] : by_device) {
    request.session = share.session;
    request.epoch = share.epoch;
    request.from = static_cast<std::uint32_t>(share.device.index());
    request.frame = frame_number;
    ByteVector body = writeMessage(request);
    auto sent = std::find_if(reply.sent.begin(), reply.sent.end(),
                             [to = device](const SentTo& entry) { return entry.device == to; });
    if (sent == reply.sent.end()) sent = reply.sent.insert(sent, SentTo{device, 0, 0, 0});
    ++sent->messages;
    sent->message_bytes += body.size();
    sent->frame_bytes += body.size() - regionsOverhead(request.frames.size());
    outgoing.push_back({device, std::move(body)});
  }
  return outgoing;
}

ByteVector finishedReply(const WorkerShare& share, WorkerFrame& frame) {
  RunReply& reply = frame.reply;
  ByteVector outputs;
  if (frame.slot && !frame.failed()) {
    const DevicePipeline& pipeline = share.pipelines[*frame.slot];
    const PipelineTimes& times = pipeline.times();
    reply.compute = times.picture + times.compute + times.head;
    reply.coding = times.encode + times.decode;
    if (pipeline.decodesHead()) {
      reply.answered = true;
      reply.prediction = pipeline.prediction();
      if (frame.request.outputs) {
        for (const Tensor& output : pipeline.outputs()) {
          const ByteSpan bytes = output.view().bytes();
          outputs.insert(outputs.end(), bytes.begin(), bytes.end());
        }
        reply.outputs = outputs;
      }
    }
  }
  ByteVector message = writeMessage(reply);
  reply.outputs = {};
  return message;
}

}  // namespace narrows
