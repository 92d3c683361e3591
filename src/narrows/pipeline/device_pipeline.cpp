#include "narrows/pipeline/device_pipeline.h"

#include <string>

#include "narrows/pipeline/device_state.h"

namespace narrows {
namespace {

Result<std::size_t> deviceIndex(const Plan& plan, std::string_view name) {
  std::string known;
  for (std::size_t i = 0; i < plan.devices.size(); ++i) {
    if (plan.devices[i].name == name) return i;
    known += (known.empty() ? "" : ", ") + plan.devices[i].name;
  }
  return makeError("the plan has no device \"{}\"; it has {}", name, known);
}

}  // namespace

PipelineTimes& PipelineTimes::operator+=(const PipelineTimes& other) {
  picture += other.picture;
  compute += other.compute;
  encode += other.encode;
  decode += other.decode;
  head += other.head;
  return *this;
}

DevicePipeline::DevicePipeline(std::unique_ptr<State> state) : state_(std::move(state)) {}
DevicePipeline::DevicePipeline(DevicePipeline&&) noexcept = default;
DevicePipeline& DevicePipeline::operator=(DevicePipeline&&) noexcept = default;
DevicePipeline::~DevicePipeline() = default;

Result<DevicePipeline> DevicePipeline::create(std::shared_ptr<const Bundle> bundle,
                                              std::string_view device,
                                              const PipelineOptions& options) {
  NARROWS_TRY(index, deviceIndex(bundle->plan, device));
  if (bundle->pieces.size() != bundle->plan.pieces.size()) {
    return makeError("the plan has {} pieces, the bundle holds {}", bundle->plan.pieces.size(),
                     bundle->pieces.size());
  }
  NARROWS_TRY(exchange, planExchange(bundle->plan));
  auto state = std::make_unique<State>(std::move(bundle), std::move(exchange), DeviceId(index));
  NARROWS_CHECK(state->compile(options));
  NARROWS_CHECK(state->connect());
  return DevicePipeline(std::move(state));
}

Result<DevicePipeline> DevicePipeline::twin() const {
  auto state = std::make_unique<State>(state_->bundle_, state_->exchange_, state_->device_);
  state->share(*state_);
  NARROWS_CHECK(state->connect());
  return DevicePipeline(std::move(state));
}

bool DevicePipeline::carries(const Bundle& bundle, DeviceId device) {
  for (std::size_t i = 0; i < bundle.plan.pieces.size(); ++i) {
    if (bundle.plan.pieces[i].device == device && bundle.pieces[i].outputs().empty()) return false;
  }
  return true;
}

Status DevicePipeline::start(Picture& picture, std::uint32_t sequence) {
  return state_->start(picture, sequence);
}
void DevicePipeline::startRemote(std::uint32_t sequence, std::optional<ImageSize> size) {
  state_->begin(sequence, size);
}
Status DevicePipeline::startTensors(std::span<const TensorView> inputs, std::uint32_t sequence,
                                    std::optional<ImageSize> size) {
  return state_->startTensors(inputs, sequence, size);
}
Status DevicePipeline::receive(std::size_t channel, ByteSpan frame, StreamHistory* stream) {
  return state_->receive(channel, frame, stream);
}
bool DevicePipeline::lacksReference() const {
  return state_->lacks_reference_;
}
void DevicePipeline::acknowledge(std::uint32_t sequence) {
  for (OutgoingChannel& channel : state_->outgoing_) channel.encoder.acknowledge(sequence);
}
void DevicePipeline::startAnew() {
  for (OutgoingChannel& channel : state_->outgoing_) channel.encoder.startAnew();
}
Result<std::vector<ChannelFrame>> DevicePipeline::advance() {
  return state_->advance();
}
Result<bool> DevicePipeline::step(std::vector<ChannelFrame>& frames) {
  return state_->step(frames);
}
bool DevicePipeline::finished() const {
  return state_->finished();
}
const Prediction& DevicePipeline::prediction() const {
  return state_->prediction_;
}
std::span<const Tensor> DevicePipeline::outputs() const {
  return state_->outputs_;
}
const PipelineTimes& DevicePipeline::times() const {
  return state_->times_;
}
ProgramMemory DevicePipeline::memory() const {
  ProgramMemory sum;
  for (const auto& piece : state_->pieces_) {
    const ProgramMemory memory = piece.program->memory();
    sum.weights += memory.weights - memory.shared_weights;
    sum.arena += memory.arena;
    sum.scratch += memory.scratch;
  }
  return sum;
}
const Exchange& DevicePipeline::exchange() const {
  return state_->exchange_;
}
DeviceId DevicePipeline::device() const {
  return state_->device_;
}
bool DevicePipeline::decodesHead() const {
  return state_->exchange_.head == state_->device_;
}
bool DevicePipeline::isSource() const {
  return state_->plan().source_device == state_->device_;
}

}  // namespace narrows
