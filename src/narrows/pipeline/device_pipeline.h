#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "narrows/base/units.h"
#include "narrows/bundle/bundle.h"
#include "narrows/engine/engine.h"
#include "narrows/pipeline/channel_codec.h"
#include "narrows/pipeline/exchange.h"
#include "narrows/pipeline/picture.h"
#include "narrows/vision/detection.h"
#include "narrows/vision/head.h"

namespace narrows {

struct PipelineOptions {
  /// Name of the engine; empty for the fastest of this build.
  std::string engine;
  /// Threads of one run of a piece.
  std::size_t threads = 1;
  /// How the head is decoded where it is decoded.
  HeadOptions head;
};

/// Where the time of one picture went on one device.
struct PipelineTimes {
  /// Decoding, resizing and normalising the picture.
  Seconds picture;
  /// Running pieces and moving regions between them.
  Seconds compute;
  /// Making and opening frames.
  Seconds encode;
  Seconds decode;
  /// Decoding the head.
  Seconds head;

  Seconds total() const { return picture + compute + encode + decode + head; }
  PipelineTimes& operator+=(const PipelineTimes& other);
};

/// A frame for another device; the index is that of the channel in `exchange().channels`.
struct ChannelFrame {
  std::size_t channel = 0;
  ByteVector bytes;
  /// Where `bytes` refer to an earlier frame: the same in a frame that does not; else empty.
  ByteVector alone = {};

  const ByteVector& standingAlone() const { return alone.empty() ? bytes : alone; }
};

/// What came before on each channel of a stream of pictures, by index; of use to channels with a
/// key interval alone.
using StreamHistory = std::vector<FrameHistory>;

/// One device's share of a bundle's plan in this process. For each picture: one of the `start`
/// functions, then `receive` for every incoming channel and `advance` in any order until
/// `finished`. One thread at a time.
class DevicePipeline {
 public:
  /// Fails when there is no such device, when the bundle does not carry a piece of it, or when the
  /// plan, a piece or an interface is not valid.
  static Result<DevicePipeline> create(std::shared_ptr<const Bundle> bundle,
                                       std::string_view device, const PipelineOptions& options);

  DevicePipeline(DevicePipeline&&) noexcept;
  DevicePipeline& operator=(DevicePipeline&&) noexcept;
  ~DevicePipeline();

  /// Another one for a second picture on its way at the same time. Both run the same programs, so
  /// only one of them may be in `step` or `advance` at once.
  Result<DevicePipeline> twin() const;

  /// Whether the bundle carries all pieces of a device.
  static bool carries(const Bundle& bundle, DeviceId device);

  /// Begins a picture on the device where it arises. `picture` outlives the run. Frames carry
  /// `sequence`.
  Status start(Picture& picture, std::uint32_t sequence);
  /// Begins a picture on another device. `size` is that of the picture, for boxes relative to it;
  /// without one it is taken from the picture's frame, or else the network's input counts as the
  /// picture.
  void startRemote(std::uint32_t sequence, std::optional<ImageSize> size);
  /// Begins with the model's inputs as tensors, on any device; they are copied. Image channels
  /// then carry nothing: each end has the tensors already.
  Status startTensors(std::span<const TensorView> inputs, std::uint32_t sequence,
                      std::optional<ImageSize> size);

  /// A frame of an incoming channel. Any bytes may come; a frame of another sequence, a second one
  /// for its channel, or a damaged one is an error and changes nothing. A device that receives
  /// several streams is given what it received of this one, with an entry for each channel; null
  /// stands for its own memory.
  Status receive(std::size_t channel, ByteSpan frame, StreamHistory* stream = nullptr);
  /// The last frame was refused only because the one that it refers to is not here: its sender
  /// should send it standing alone, and start anew.
  bool lacksReference() const;

  /// The receiver of this device's frames has those of this sequence: later ones may refer to them.
  void acknowledge(std::uint32_t sequence);
  /// The next frames stand alone.
  void startAnew();

  /// Runs all pieces whose inputs are there and returns the frames that became ready.
  Result<std::vector<ChannelFrame>> advance();

  /// The same in small steps, so that what is ready can leave before the next piece runs: appends
  /// the frames that are ready, or else runs one piece (the first in the plan that can run) and
  /// appends what came of it. False when there was nothing to do.
  Result<bool> step(std::vector<ChannelFrame>& frames);

  /// All pieces of this device have run, all its channels are sent, and the head is decoded if it
  /// is decoded here.
  bool finished() const;

  /// The model's answer; only on the head's device and when finished. Empty for HeadKind::none.
  const Prediction& prediction() const;
  /// The model's outputs, in the plan's order; on the head's device when finished.
  std::span<const Tensor> outputs() const;

  const PipelineTimes& times() const;
  /// Sum over the programs.
  ProgramMemory memory() const;
  const Exchange& exchange() const;
  DeviceId device() const;
  bool decodesHead() const;
  /// Pictures arise here.
  bool isSource() const;

 private:
  class State;
  explicit DevicePipeline(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace narrows
