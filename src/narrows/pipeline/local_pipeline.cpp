#include "narrows/pipeline/local_pipeline.h"

#include <algorithm>

namespace narrows {

Result<LocalPipeline> LocalPipeline::create(const std::shared_ptr<const Bundle>& bundle,
                                            const PipelineOptions& options) {
  std::vector<DevicePipeline> devices;
  for (const Device& device : bundle->plan.devices) {
    NARROWS_TRY(pipeline, DevicePipeline::create(bundle, device.name, options));
    devices.push_back(std::move(pipeline));
  }
  if (devices.empty()) return makeError("the plan has no devices");
  return LocalPipeline(std::move(devices));
}

Status LocalPipeline::run(Picture& picture, std::uint32_t sequence) {
  NARROWS_TRY(size, picture.size());
  for (DevicePipeline& device : devices_) {
    if (device.isSource()) {
      NARROWS_CHECK(device.start(picture, sequence));
    } else {
      device.startRemote(sequence, size);
    }
  }
  return exchangeAll();
}

Status LocalPipeline::run(std::span<const TensorView> inputs, std::optional<ImageSize> size) {
  for (DevicePipeline& device : devices_) NARROWS_CHECK(device.startTensors(inputs, 0, size));
  return exchangeAll();
}

Status LocalPipeline::exchangeAll() {
  frame_bytes_.assign(exchange().channels.size(), 0);
  bool moved = true;
  while (moved) {
    moved = false;
    for (DevicePipeline& device : devices_) {
      NARROWS_TRY(frames, device.advance());
      for (const ChannelFrame& frame : frames) {
        frame_bytes_[frame.channel] = frame.bytes.size();
        const DeviceId to = exchange().channels[frame.channel].to;
        NARROWS_CHECK(devices_[to.index()].receive(frame.channel, frame.bytes));
        moved = true;
      }
    }
  }
  for (const DevicePipeline& device : devices_) {
    if (!device.finished()) return makeError("the plan leaves a piece without its inputs");
  }
  return {};
}

const DevicePipeline& LocalPipeline::head() const {
  return devices_[exchange().head.index()];
}
const Prediction& LocalPipeline::prediction() const {
  return head().prediction();
}
std::span<const Tensor> LocalPipeline::outputs() const {
  return head().outputs();
}

PipelineTimes LocalPipeline::times() const {
  PipelineTimes sum;
  for (const DevicePipeline& device : devices_) sum += device.times();
  return sum;
}

}  // namespace narrows
