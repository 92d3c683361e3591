#include "narrows/pipeline/device_state.h"

#include <algorithm>

#include "narrows/codec/frame.h"
#include "narrows/pipeline/head_outputs.h"
#include "narrows/pipeline/stopwatch.h"
#include "narrows/vision/preprocess.h"

namespace narrows {

Status DevicePipeline::State::compile(const PipelineOptions& options) {
  head_options_ = options.head;
  const std::string_view name =
      options.engine.empty() ? defaultEngineName() : std::string_view(options.engine);
  NARROWS_TRY(engine, makeEngine(name));
  for (std::size_t i = 0; i < plan().pieces.size(); ++i) {
    const Piece& piece = plan().pieces[i];
    if (piece.device != device_) continue;
    const Graph& graph = bundle_->pieces[i];
    if (graph.outputs().empty()) {
      return makeError("the bundle does not carry piece \"{}\"", piece.name);
    }
    auto program = engine->compile(graph, EngineOptions{options.threads});
    if (!program.ok()) return program.takeError().within(piece.name);
    LocalPiece local;
    local.id = PieceId(i);
    local.program = std::move(*program);
    const auto matches = [](std::span<const TensorType> types, const std::vector<Port>& ports) {
      return std::equal(types.begin(), types.end(), ports.begin(), ports.end(),
                        [](const TensorType& type, const Port& port) { return type == port.type; });
    };
    if (!matches(local.program->inputTypes(), piece.inputs) ||
        !matches(local.program->outputTypes(), piece.outputs)) {
      return makeError("piece \"{}\" has other ports than the plan gives it", piece.name);
    }
    for (const Port& port : piece.outputs) local.outputs.emplace_back(port.type);
    pieces_.push_back(std::move(local));
  }
  return {};
}

void DevicePipeline::State::share(const State& other) {
  head_options_ = other.head_options_;
  for (const LocalPiece& piece : other.pieces_) {
    LocalPiece local;
    local.id = piece.id;
    local.program = piece.program;
    for (const Tensor& output : piece.outputs) local.outputs.emplace_back(output.type());
    pieces_.push_back(std::move(local));
  }
}

Status DevicePipeline::State::connect() {
  for (LocalPiece& piece : pieces_) {
    const Piece& planned = plan().piece(piece.id);
    for (std::size_t port = 0; port < planned.inputs.size(); ++port) {
      piece.inputs.push_back(makePort({piece.id, port}, planned.inputs[port].type));
    }
  }
  if (exchange_.head == device_) {
    for (std::size_t port = 0; port < plan().outputs.size(); ++port) {
      FilledPort filled = makePort({PieceId(), port}, plan().outputs[port].type);
      // Outputs are handed out as tensors, so each has its own.
      filled.buffer.reset();
      output_ports_.push_back(std::move(filled));
      outputs_.emplace_back(plan().outputs[port].type);
    }
    NARROWS_TRY(order, headOutputs(plan(), bundle_->description.head));
    head_order_ = std::move(order);
  }
  for (std::size_t i = 0; i < exchange_.channels.size(); ++i) {
    const Channel& channel = exchange_.channels[i];
    if (channel.to == device_) {
      NARROWS_TRY(decoder, ChannelDecoder::create(channel));
      Tensor contents =
          channel.isImage() ? Tensor() : Tensor(std::get<FeatureInterface>(channel.params).type);
      incoming_.push_back({i, std::move(decoder), std::move(contents), false});
    }
    if (channel.from == device_) {
      NARROWS_TRY(encoder, ChannelEncoder::create(channel));
      outgoing_.push_back({i, std::move(encoder), false});
    }
  }
  inputs_.resize(plan().inputs.size());
  input_known_.assign(plan().inputs.size(), false);
  return {};
}

bool DevicePipeline::State::readsWhole(std::size_t transfer, const TensorType& type) const {
  const Transfer& planned = plan().transfers[transfer];
  if (planned.mode != TransferMode::copy || exchange_.channel_of[transfer]) return false;
  const Port& source = planned.source.piece.valid()
                           ? plan().piece(planned.source.piece).outputs[planned.source.port]
                           : plan().inputs[planned.source.port];
  return source.type == type && planned.from == Region::whole(type.shape) &&
         planned.to == planned.from;
}

FilledPort DevicePipeline::State::makePort(const Endpoint& end, const TensorType& type) const {
  FilledPort port;
  for (std::size_t i = 0; i < plan().transfers.size(); ++i) {
    if (plan().transfers[i].destination == end) port.transfers.push_back(i);
  }
  const bool borrowed = port.transfers.size() == 1 && readsWhole(port.transfers[0], type);
  if (!borrowed) port.buffer.emplace(type);
  return port;
}

LocalPiece* DevicePipeline::State::findPiece(PieceId id) {
  const auto found = std::find_if(pieces_.begin(), pieces_.end(),
                                  [&](const LocalPiece& piece) { return piece.id == id; });
  return found == pieces_.end() ? nullptr : &*found;
}

FilledPort* DevicePipeline::State::destinationOf(std::size_t transfer) {
  if (exchange_.destination_of[transfer] != device_) return nullptr;
  const Endpoint& end = plan().transfers[transfer].destination;
  if (!end.piece.valid()) return &output_ports_[end.port];
  LocalPiece* piece = findPiece(end.piece);
  return piece == nullptr ? nullptr : &piece->inputs[end.port];
}

/// Whether any transfer reads the model's input on this device as a tensor.
bool DevicePipeline::State::needsInput(std::size_t port) const {
  const Endpoint end{PieceId(), port};
  for (std::size_t i = 0; i < plan().transfers.size(); ++i) {
    if (plan().transfers[i].source != end) continue;
    const auto channel = exchange_.channel_of[i];
    if (!channel || !exchange_.channels[*channel].isImage()) return true;
  }
  return false;
}

void DevicePipeline::State::begin(std::uint32_t sequence, std::optional<ImageSize> size) {
  sequence_ = sequence;
  size_ = size;
  picture_ = nullptr;
  head_done_ = false;
  started_ = true;
  times_ = {};
  prediction_ = {};
  input_known_.assign(plan().inputs.size(), false);
  for (LocalPiece& piece : pieces_) {
    piece.done = false;
    for (FilledPort& port : piece.inputs) port.pending = port.transfers.size();
  }
  for (FilledPort& port : output_ports_) port.pending = port.transfers.size();
  for (IncomingChannel& channel : incoming_) channel.arrived = false;
  for (OutgoingChannel& channel : outgoing_) channel.sent = false;
}

Status DevicePipeline::State::setInput(std::size_t port, Tensor tensor) {
  const Port& planned = plan().inputs[port];
  if (tensor.type() != planned.type) {
    return makeError("input \"{}\" of the model is {} {}, the picture gives {} {}", planned.name,
                     toString(planned.type.dtype), toString(planned.type.shape),
                     toString(tensor.dtype()), toString(tensor.shape()));
  }
  inputs_[port] = std::move(tensor);
  input_known_[port] = true;
  return {};
}

Status DevicePipeline::State::start(Picture& picture, std::uint32_t sequence) {
  started_ = false;
  if (plan().source_device != device_) {
    return makeError("pictures arise on device \"{}\", not here",
                     plan().devices[plan().source_device.index()].name);
  }
  if (plan().inputs.size() != 1) {
    return makeError("the model takes {} inputs, a picture feeds one", plan().inputs.size());
  }
  NARROWS_TRY(size, picture.size());
  begin(sequence, size);
  picture_ = &picture;
  if (needsInput(0)) {
    const Stopwatch watch(times_.picture);
    started_ = false;
    NARROWS_TRY(image, picture.image());
    NARROWS_TRY(tensor, preprocess(*image, bundle_->description.preprocessing));
    NARROWS_CHECK(setInput(0, std::move(tensor)));
    started_ = true;
    sourceReady({PieceId(), 0});
  }
  return {};
}

Status DevicePipeline::State::startTensors(std::span<const TensorView> inputs,
                                           std::uint32_t sequence, std::optional<ImageSize> size) {
  if (inputs.size() != plan().inputs.size()) {
    return makeError("the model takes {} inputs, {} are given", plan().inputs.size(),
                     inputs.size());
  }
  begin(sequence, size);
  started_ = false;
  for (std::size_t port = 0; port < inputs.size(); ++port) {
    Tensor copy(inputs[port].type());
    std::ranges::copy(inputs[port].bytes(), copy.mutableView().bytes().begin());
    NARROWS_CHECK(setInput(port, std::move(copy)));
  }
  started_ = true;
  if (device_ == plan().source_device) {
    for (std::size_t port = 0; port < inputs.size(); ++port) sourceReady({PieceId(), port});
  }
  for (IncomingChannel& channel : incoming_) {
    const Channel& planned = exchange_.channels[channel.index];
    if (!planned.isImage()) continue;
    const std::size_t port = plan().transfers[planned.transfers[0]].source.port;
    channel.contents = inputs_[port].clone();
    channel.arrived = true;
    for (const std::size_t transfer : planned.transfers) arrived(transfer);
  }
  for (OutgoingChannel& channel : outgoing_) {
    if (exchange_.channels[channel.index].isImage()) channel.sent = true;
  }
  return {};
}

void DevicePipeline::State::arrived(std::size_t transfer) {
  FilledPort* port = destinationOf(transfer);
  if (port != nullptr) --port->pending;
}

/// Local transfers from a source that has just been computed.
void DevicePipeline::State::sourceReady(const Endpoint& source) {
  for (std::size_t i = 0; i < plan().transfers.size(); ++i) {
    if (plan().transfers[i].source == source && !exchange_.channel_of[i]) arrived(i);
  }
}

Status DevicePipeline::State::receive(std::size_t index, ByteSpan frame, StreamHistory* stream) {
  lacks_reference_ = false;
  if (!started_) return makeError("a frame came before its picture was started");
  const auto found = std::find_if(incoming_.begin(), incoming_.end(),
                                  [&](const IncomingChannel& c) { return c.index == index; });
  if (found == incoming_.end()) return makeError("channel {} does not end here", index);
  const Channel& planned = exchange_.channels[index];
  if (found->arrived) return makeError("{} came twice", planned.name);
  auto header = readFrameHeader(frame);
  if (!header.ok()) return header.takeError().within(planned.name);
  if (header->sequence != sequence_) {
    return makeError("{}: is of sequence {}, expected {}", planned.name, header->sequence,
                     sequence_);
  }
  const Stopwatch watch(times_.decode);
  if (planned.isImage()) {
    auto contents = found->decoder.decodePicture(frame, bundle_->description.preprocessing);
    if (!contents.ok()) return contents.takeError().within(planned.name);
    const std::size_t port = plan().transfers[planned.transfers[0]].source.port;
    if (contents->input.type() != plan().inputs[port].type) {
      return makeError("{}: the picture gives {}, the model takes {}", planned.name,
                       toString(contents->input.shape()), toString(plan().inputs[port].type.shape));
    }
    found->contents = std::move(contents->input);
    if (!size_) size_ = contents->size;
  } else {
    FrameHistory* const before = stream == nullptr ? nullptr : &stream->at(index);
    Status decoded = found->decoder.decode(frame, found->contents.mutableView(), before);
    lacks_reference_ = !decoded.ok() && found->decoder.lacksReference();
    NARROWS_CHECK(std::move(decoded).within(planned.name));
  }
  found->arrived = true;
  for (const std::size_t transfer : planned.transfers) arrived(transfer);
  return {};
}

Contribution DevicePipeline::State::contributionOf(std::size_t transfer) const {
  const Transfer& planned = plan().transfers[transfer];
  Contribution part;
  part.to = planned.to;
  part.mode = planned.mode;
  part.from = planned.from;
  if (const auto channel = exchange_.channel_of[transfer]) {
    const auto found = std::find_if(incoming_.begin(), incoming_.end(),
                                    [&](const IncomingChannel& c) { return c.index == *channel; });
    NARROWS_ASSERT(found != incoming_.end());
    part.source = found->contents;
    if (!exchange_.channels[*channel].isImage()) part.from = Region::whole(part.source.shape());
    return part;
  }
  if (!planned.source.piece.valid()) {
    part.source = inputs_[planned.source.port];
    return part;
  }
  const LocalPiece* piece = const_cast<State*>(this)->findPiece(planned.source.piece);
  NARROWS_ASSERT(piece != nullptr);
  part.source = piece->outputs[planned.source.port];
  return part;
}

Result<TensorView> DevicePipeline::State::fill(FilledPort& port) {
  if (!port.buffer) return contributionOf(port.transfers[0]).source;
  std::vector<Contribution> parts;
  for (const std::size_t transfer : port.transfers) parts.push_back(contributionOf(transfer));
  NARROWS_CHECK(gather(parts, port.buffer->mutableView()));
  return port.buffer->view();
}

Status DevicePipeline::State::runPiece(LocalPiece& piece) {
  const Stopwatch watch(times_.compute);
  std::vector<TensorView> inputs;
  for (FilledPort& port : piece.inputs) {
    NARROWS_TRY(view, fill(port));
    inputs.push_back(view);
  }
  std::vector<MutableTensorView> outputs;
  for (Tensor& output : piece.outputs) outputs.push_back(output.mutableView());
  NARROWS_CHECK(piece.program->run(inputs, outputs).within(plan().piece(piece.id).name));
  piece.done = true;
  for (std::size_t port = 0; port < piece.outputs.size(); ++port) sourceReady({piece.id, port});
  return {};
}

Status DevicePipeline::State::encodeFrom(const Endpoint& source,
                                         std::vector<ChannelFrame>& frames) {
  for (OutgoingChannel& channel : outgoing_) {
    const Channel& planned = exchange_.channels[channel.index];
    if (channel.sent || planned.isImage()) continue;
    const Transfer& transfer = plan().transfers[planned.transfers[0]];
    if (transfer.source != source) continue;
    const Stopwatch watch(times_.encode);
    const TensorView tensor = source.piece.valid()
                                  ? findPiece(source.piece)->outputs[source.port].view()
                                  : inputs_[source.port].view();
    ChannelFrame frame;
    frame.channel = channel.index;
    NARROWS_CHECK(channel.encoder.encode(tensor, transfer.from, sequence_, frame.bytes, frame.alone)
                      .within(planned.name));
    channel.sent = true;
    frames.push_back(std::move(frame));
  }
  return {};
}

Status DevicePipeline::State::encodePicture(std::vector<ChannelFrame>& frames) {
  if (picture_ == nullptr) return {};
  for (OutgoingChannel& channel : outgoing_) {
    const Channel& planned = exchange_.channels[channel.index];
    if (channel.sent || !planned.isImage()) continue;
    const Stopwatch watch(times_.encode);
    ChannelFrame frame;
    frame.channel = channel.index;
    NARROWS_CHECK(channel.encoder
                      .encode(*picture_, bundle_->description.preprocessing, sequence_, frame.bytes)
                      .within(planned.name));
    channel.sent = true;
    frames.push_back(std::move(frame));
  }
  return {};
}

Status DevicePipeline::State::decodeHeadIfReady() {
  if (exchange_.head != device_ || head_done_) return {};
  const bool ready = std::all_of(output_ports_.begin(), output_ports_.end(),
                                 [](const FilledPort& port) { return port.pending == 0; });
  if (!ready) return {};
  for (std::size_t i = 0; i < output_ports_.size(); ++i) {
    const Stopwatch watch(times_.compute);
    std::vector<Contribution> parts;
    for (const std::size_t transfer : output_ports_[i].transfers) {
      parts.push_back(contributionOf(transfer));
    }
    NARROWS_CHECK(gather(parts, outputs_[i].mutableView()));
  }
  if (bundle_->description.head.kind != HeadKind::none) {
    const Stopwatch watch(times_.head);
    const Preprocessing& preprocessing = bundle_->description.preprocessing;
    const ImageSize size = size_.value_or(ImageSize{preprocessing.width, preprocessing.height});
    std::vector<TensorView> ordered;
    for (const std::size_t output : head_order_) ordered.push_back(outputs_[output]);
    NARROWS_TRY(decoded, decodeHead(bundle_->description, ordered, size, head_options_));
    prediction_ = std::move(decoded);
  }
  head_done_ = true;
  return {};
}

/// The first piece that has not run and whose inputs are there.
LocalPiece* DevicePipeline::State::nextPiece() {
  for (LocalPiece& piece : pieces_) {
    const bool ready = std::all_of(piece.inputs.begin(), piece.inputs.end(),
                                   [](const FilledPort& port) { return port.pending == 0; });
    if (!piece.done && ready) return &piece;
  }
  return nullptr;
}

Result<bool> DevicePipeline::State::stepOnce(std::vector<ChannelFrame>& frames) {
  const std::size_t before = frames.size();
  NARROWS_CHECK(encodePicture(frames));
  for (std::size_t port = 0; port < inputs_.size(); ++port) {
    if (input_known_[port]) NARROWS_CHECK(encodeFrom({PieceId(), port}, frames));
  }
  if (frames.size() > before) return true;
  if (LocalPiece* piece = nextPiece()) {
    NARROWS_CHECK(runPiece(*piece));
    for (std::size_t port = 0; port < piece->outputs.size(); ++port) {
      NARROWS_CHECK(encodeFrom({piece->id, port}, frames));
    }
    return true;
  }
  const bool head_done = head_done_;
  NARROWS_CHECK(decodeHeadIfReady());
  return head_done_ != head_done;
}

Result<bool> DevicePipeline::State::step(std::vector<ChannelFrame>& frames) {
  if (!started_) return makeError("a run came before its picture was started");
  started_ = false;
  NARROWS_TRY(moved, stepOnce(frames));
  started_ = true;
  return moved;
}

Result<std::vector<ChannelFrame>> DevicePipeline::State::advance() {
  std::vector<ChannelFrame> frames;
  bool moved = true;
  while (moved) {
    NARROWS_TRY(more, step(frames));
    moved = more;
  }
  return frames;
}

bool DevicePipeline::State::finished() const {
  const auto done = [](const auto& list, auto member) {
    return std::all_of(list.begin(), list.end(), [&](const auto& entry) { return entry.*member; });
  };
  return started_ && done(pieces_, &LocalPiece::done) && done(outgoing_, &OutgoingChannel::sent) &&
         (exchange_.head != device_ || head_done_);
}

}  // namespace narrows
