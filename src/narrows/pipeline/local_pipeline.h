#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "narrows/pipeline/device_pipeline.h"

namespace narrows {

/// All devices of a plan in this process, interfaces included: what the devices together compute,
/// without a link. One thread at a time.
class LocalPipeline {
 public:
  /// Fails when the bundle does not carry every piece.
  static Result<LocalPipeline> create(const std::shared_ptr<const Bundle>& bundle,
                                      const PipelineOptions& options);

  /// Runs one picture through all devices.
  Status run(Picture& picture, std::uint32_t sequence = 0);
  /// The same from the model's inputs; boxes are relative to a picture of `size`, or to the
  /// network's input without one.
  Status run(std::span<const TensorView> inputs, std::optional<ImageSize> size = std::nullopt);

  /// Of the last run.
  const Prediction& prediction() const;
  /// The model's outputs in the plan's order.
  std::span<const Tensor> outputs() const;
  /// Length in bytes of the frame of each channel; 0 where nothing was sent.
  std::span<const std::size_t> frameBytes() const { return frame_bytes_; }
  const Exchange& exchange() const { return devices_.front().exchange(); }
  /// In the plan's order.
  std::span<const DevicePipeline> devices() const { return devices_; }
  /// Summed over the devices.
  PipelineTimes times() const;

 private:
  explicit LocalPipeline(std::vector<DevicePipeline> devices) : devices_(std::move(devices)) {}
  Status exchangeAll();
  const DevicePipeline& head() const;

  std::vector<DevicePipeline> devices_;
  std::vector<std::size_t> frame_bytes_;
};

}  // namespace narrows
