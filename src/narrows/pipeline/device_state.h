#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "narrows/pipeline/channel_codec.h"
#include "narrows/pipeline/device_pipeline.h"
#include "narrows/pipeline/gather.h"

namespace narrows {

/// A port that this device fills: an input of one of its pieces, or an output of the model.
struct FilledPort {
  std::vector<std::size_t> transfers;
  /// Transfers that have not arrived for this picture.
  std::size_t pending = 0;
  /// Empty when the one transfer takes all of a local tensor as it is: that tensor is read instead.
  std::optional<Tensor> buffer;
};

struct LocalPiece {
  PieceId id;
  /// Shared with the pipelines of other pictures.
  std::shared_ptr<Program> program;
  std::vector<FilledPort> inputs;
  std::vector<Tensor> outputs;
  bool done = false;
};

struct IncomingChannel {
  std::size_t index = 0;
  ChannelDecoder decoder;
  /// The box for features, the network's input for a picture.
  Tensor contents;
  bool arrived = false;
};

struct OutgoingChannel {
  std::size_t index = 0;
  ChannelEncoder encoder;
  bool sent = false;
};

/// One device's share of a plan between two pictures and within one: what has arrived, what has run
/// and what is still to be sent.
class DevicePipeline::State {
 public:
  State(std::shared_ptr<const Bundle> bundle, Exchange exchange, DeviceId device)
      : bundle_(std::move(bundle)), exchange_(std::move(exchange)), device_(device) {}

  Status compile(const PipelineOptions& options);
  /// The programs of another state in place of `compile`.
  void share(const State& other);
  Status connect();

  void begin(std::uint32_t sequence, std::optional<ImageSize> size);
  Status start(Picture& picture, std::uint32_t sequence);
  Status startTensors(std::span<const TensorView> inputs, std::uint32_t sequence,
                      std::optional<ImageSize> size);
  Status receive(std::size_t index, ByteSpan frame, StreamHistory* stream);
  Result<std::vector<ChannelFrame>> advance();
  Result<bool> step(std::vector<ChannelFrame>& frames);
  bool finished() const;

  const Plan& plan() const { return bundle_->plan; }

 private:
  friend class DevicePipeline;

  LocalPiece* findPiece(PieceId id);
  FilledPort* destinationOf(std::size_t transfer);
  const FilledPort* destinationOf(std::size_t transfer) const {
    return const_cast<State*>(this)->destinationOf(transfer);
  }
  FilledPort makePort(const Endpoint& end, const TensorType& type) const;
  bool readsWhole(std::size_t transfer, const TensorType& type) const;
  bool needsInput(std::size_t port) const;

  void arrived(std::size_t transfer);
  void sourceReady(const Endpoint& source);
  Contribution contributionOf(std::size_t transfer) const;
  Result<TensorView> fill(FilledPort& port);
  Status runPiece(LocalPiece& piece);
  LocalPiece* nextPiece();
  Result<bool> stepOnce(std::vector<ChannelFrame>& frames);
  Status encodeFrom(const Endpoint& source, std::vector<ChannelFrame>& frames);
  Status encodePicture(std::vector<ChannelFrame>& frames);
  Status decodeHeadIfReady();
  Status setInput(std::size_t port, Tensor tensor);

  std::shared_ptr<const Bundle> bundle_;
  Exchange exchange_;
  DeviceId device_;
  std::vector<LocalPiece> pieces_;
  std::vector<IncomingChannel> incoming_;
  std::vector<OutgoingChannel> outgoing_;
  std::vector<Tensor> outputs_;
  Prediction prediction_;
  PipelineTimes times_;
  bool lacks_reference_ = false;
  std::vector<FilledPort> output_ports_;
  std::vector<Tensor> inputs_;  // of the model, when they are known here
  std::vector<bool> input_known_;
  std::vector<std::size_t> head_order_;
  HeadOptions head_options_;
  Picture* picture_ = nullptr;
  std::optional<ImageSize> size_;
  std::uint32_t sequence_ = 0;
  bool head_done_ = false;
  /// A failed run leaves the picture half done; only a new start helps.
  bool started_ = false;
};

}  // namespace narrows
