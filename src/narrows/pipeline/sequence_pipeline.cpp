#include "narrows/pipeline/sequence_pipeline.h"

#include <algorithm>

#include "narrows/pipeline/gather.h"
#include "narrows/pipeline/head_outputs.h"
#include "narrows/vision/preprocess.h"

namespace narrows {

std::string_view leanEngineName() {
  constexpr std::string_view kLean = "xnnpack";
  const auto names = engineNames();
  return std::find(names.begin(), names.end(), kLean) != names.end() ? kLean : defaultEngineName();
}

Result<SequencePipeline> SequencePipeline::open(const std::filesystem::path& path,
                                                const SequenceOptions& options) {
  NARROWS_TRY(bundle, BundlePieces::open(path, {true, options.verify_weights}));
  NARROWS_CHECK(bundle.checkNothingElse().within(path.string()));
  NARROWS_TRY(sequence, Sequence::of(bundle.plan()).within(path.string()));
  NARROWS_TRY(engine, makeEngine(options.engine.empty() ? leanEngineName()
                                                        : std::string_view(options.engine)));
  // What opening has touched of an archive leaves again.
  if (bundle.files().isArchive()) {
    const ByteSpan archive = bundle.files().archive()->bytes();
    releasePages(archive);
    readOnlyTouchedPages(archive);
    NARROWS_TRY(pages, FilePages::open(path));
    pages.drop(0, archive.size());
  }
  return SequencePipeline(std::move(bundle), std::move(sequence), std::move(engine), options);
}

Status SequencePipeline::run(Picture& picture) {
  const Plan& plan = bundle_.plan();
  if (plan.inputs.size() != 1) {
    return makeError("the model takes {} inputs, a picture feeds one", plan.inputs.size());
  }
  NARROWS_TRY(size, picture.size());
  NARROWS_TRY(image, picture.image());
  NARROWS_TRY(tensor, preprocess(*image, bundle_.description().preprocessing));
  std::vector<Tensor> inputs;
  inputs.push_back(std::move(tensor));
  return run(std::move(inputs), size);
}

Status SequencePipeline::run(std::vector<Tensor> inputs, std::optional<ImageSize> size) {
  const Plan& plan = bundle_.plan();
  const std::size_t pieces = sequence_.pieces();
  if (inputs.size() != plan.inputs.size()) {
    return makeError("the model takes {} inputs, {} are given", plan.inputs.size(), inputs.size());
  }
  made_.clear();
  buffers_.clear();
  for (std::size_t p = 0; p <= pieces; ++p) {
    made_.emplace_back(sequence_.sources(p).size());
    buffers_.emplace_back(sequence_.ports(p).size());
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].type() != plan.inputs[i].type) {
      return makeError("input \"{}\" of the model is {} {}, {} {} is given", plan.inputs[i].name,
                       toString(plan.inputs[i].type.dtype), toString(plan.inputs[i].type.shape),
                       toString(inputs[i].dtype()), toString(inputs[i].shape()));
    }
    made_[pieces][i] = std::move(inputs[i]);
  }
  outputs_.clear();
  prediction_ = {};
  peak_ = 0;
  for (std::size_t p = 0; p < pieces; ++p) {
    NARROWS_CHECK(runPiece(p).within(plan.pieces[p].name));
  }
  return finish(size);
}

TensorView SequencePipeline::source(std::size_t index) const {
  const Transfer& transfer = bundle_.plan().transfers[index];
  const std::size_t maker =
      transfer.source.piece.valid() ? transfer.source.piece.index() : sequence_.pieces();
  const std::optional<Tensor>& tensor = made_[maker][transfer.source.port];
  NARROWS_ASSERT(tensor);
  return tensor->view();
}

/// The buffer of a port, made when it is first written to. Sums start at zero, as a new tensor.
Tensor& SequencePipeline::bufferOf(std::size_t reader, std::size_t port, const TensorType& type) {
  std::optional<Tensor>& buffer = buffers_[reader][port];
  if (!buffer) buffer.emplace(type);
  return *buffer;
}

Status SequencePipeline::deliver(std::size_t index) {
  const Transfer& transfer = bundle_.plan().transfers[index];
  const bool inside = transfer.destination.piece.valid();
  const std::size_t reader = inside ? transfer.destination.piece.index() : sequence_.pieces();
  const std::size_t port = transfer.destination.port;
  const TensorType& type =
      inside ? bundle_.plan().pieces[reader].inputs[port].type : bundle_.plan().outputs[port].type;
  const MutableTensorView target = bufferOf(reader, port, type).mutableView();
  if (transfer.mode == TransferMode::add) {
    return addRegion(source(index), transfer.from, target, transfer.to);
  }
  copyRegion(source(index), transfer.from, target, transfer.to);
  return {};
}

/// Ports that are put together when their reader runs.
Status SequencePipeline::fill(std::size_t reader) {
  for (const Sequence::Port& port : sequence_.ports(reader)) {
    if (port.borrowed || port.early) continue;
    for (const std::size_t transfer : port.transfers) NARROWS_CHECK(deliver(transfer));
  }
  return {};
}

Status SequencePipeline::runPiece(std::size_t index) {
  const Piece& piece = bundle_.plan().pieces[index];
  NARROWS_TRY(opened, bundle_.read(PieceId(index)));
  std::unique_ptr<WeightStream> stream;
  EngineOptions options{options_.threads};
  if (options_.stream && opened.weights != nullptr) {
    NARROWS_TRY(begun, WeightStream::open(opened, room_));
    stream = std::move(begun);
    options.kept_weights = 0;
    options.weight_reader = stream.get();
  }
  NARROWS_TRY(program, engine_->compile(opened.graph, options));
  opened.graph = Graph();
  NARROWS_CHECK(fill(index));
  std::vector<TensorView> inputs;
  for (std::size_t i = 0; i < piece.inputs.size(); ++i) {
    const Sequence::Port& port = sequence_.ports(index)[i];
    inputs.push_back(port.borrowed ? source(port.transfers[0]) : buffers_[index][i]->view());
  }
  std::vector<MutableTensorView> outputs;
  for (std::size_t i = 0; i < piece.outputs.size(); ++i) {
    outputs.push_back(made_[index][i].emplace(piece.outputs[i].type).mutableView());
  }
  const ProgramMemory memory = program->memory();
  const std::size_t total =
      sequence_.held(index).during + memory.weights + memory.arena + memory.scratch;
  if (total > peak_) {
    peak_ = total;
    peak_piece_ = index;
  }
  NARROWS_CHECK(program->run(inputs, outputs));
  program.reset();
  stream.reset();
  forget(index);
  for (const Sequence::Source& source : sequence_.sources(index)) {
    for (const std::size_t transfer : source.early) NARROWS_CHECK(deliver(transfer));
  }
  for (std::size_t i = 0; i < piece.outputs.size(); ++i) {
    if (sequence_.sources(index)[i].last <= index) made_[index][i].reset();
  }
  return {};
}

/// What nobody reads after this piece.
void SequencePipeline::forget(std::size_t piece) {
  for (std::optional<Tensor>& buffer : buffers_[piece]) buffer.reset();
  for (std::size_t maker = 0; maker < made_.size(); ++maker) {
    if (maker >= piece && maker != sequence_.pieces()) continue;
    for (std::size_t i = 0; i < made_[maker].size(); ++i) {
      if (sequence_.sources(maker)[i].last <= piece) made_[maker][i].reset();
    }
  }
}

Status SequencePipeline::finish(std::optional<ImageSize> size) {
  const std::size_t pieces = sequence_.pieces();
  NARROWS_CHECK(fill(pieces));
  for (std::size_t i = 0; i < buffers_[pieces].size(); ++i) {
    const Sequence::Port& port = sequence_.ports(pieces)[i];
    if (!port.borrowed) {
      outputs_.push_back(std::move(*buffers_[pieces][i]));
    } else {
      const TensorView view = source(port.transfers[0]);
      outputs_.emplace_back(view.type());
      std::ranges::copy(view.bytes(), outputs_.back().mutableView().bytes().begin());
    }
  }
  made_.clear();
  buffers_.clear();
  if (bundle_.description().head.kind == HeadKind::none) return {};
  const Preprocessing& preprocessing = bundle_.description().preprocessing;
  NARROWS_TRY(ordered, headOutputs(bundle_.plan(), bundle_.description().head));
  std::vector<TensorView> views;
  views.reserve(ordered.size());
  for (const std::size_t output : ordered) views.push_back(outputs_[output]);
  NARROWS_TRY(decoded,
              decodeHead(bundle_.description(), views,
                         size.value_or(ImageSize{preprocessing.width, preprocessing.height}),
                         options_.head));
  prediction_ = std::move(decoded);
  return {};
}

}  // namespace narrows
