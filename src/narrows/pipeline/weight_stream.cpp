#include "narrows/pipeline/weight_stream.h"

#include <algorithm>

namespace narrows {
namespace {

/// Neighbours in the file are read together up to so many bytes.
constexpr std::size_t kRequest = 1 << 20;

}  // namespace

void StreamRoom::reserve(std::size_t bytes) {
  if (bytes <= size_) return;
  size_ = DirectFile::blockEnd(bytes);
  memory_.reset();
  memory_.reset(static_cast<std::byte*>(std::aligned_alloc(DirectFile::kBlock, size_)));
  NARROWS_ASSERT(memory_ != nullptr);
}

Result<std::unique_ptr<WeightStream>> WeightStream::open(const BundlePieces::Opened& piece,
                                                         StreamRoom& room) {
  NARROWS_TRY(file, DirectFile::open(piece.place.path));
  NARROWS_TRY(pages, FilePages::open(piece.place.path));
  // Small constants are read in the mapping.
  readOnlyTouchedPages(piece.weights->bytes());
  return std::unique_ptr<WeightStream>(
      new WeightStream(std::move(file), std::move(pages), piece, room));
}

WeightStream::~WeightStream() {
  stop();
  leave(weights_->bytes());
}

void WeightStream::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  stopping_ = false;
}

bool WeightStream::has(ByteSpan weights) const {
  const ByteSpan all = weights_->bytes();
  return weights.data() >= all.data() && weights.data() + weights.size() <= all.data() + all.size();
}

std::size_t WeightStream::placeOf(ByteSpan weights) const {
  return offset_ + static_cast<std::size_t>(weights.data() - weights_->bytes().data());
}

void WeightStream::leave(ByteSpan weights) {
  releasePages(weights);
  pages_.drop(placeOf(weights), weights.size());
}

void WeightStream::expect(std::vector<ByteSpan> blocks) {
  stop();
  plan(blocks);
  thread_ = std::thread([this] { read(); });
}

/// Which requests bring the blocks.
void WeightStream::plan(const std::vector<ByteSpan>& blocks) {
  requests_.clear();
  blocks_.clear();
  first_ = 0;
  in_room_.clear();
  outcome_ = {};
  const std::size_t together = std::min(kRequest, room_.bytes().size() / 4);
  std::size_t largest = 0;
  for (const ByteSpan weights : blocks) {
    if (!has(weights) || weights.empty()) continue;
    const std::size_t begin = DirectFile::blockBegin(placeOf(weights));
    const std::size_t end = DirectFile::blockEnd(placeOf(weights) + weights.size());
    const bool follows = !requests_.empty() && begin >= requests_.back().begin &&
                         begin <= requests_.back().end && end - requests_.back().begin <= together;
    if (follows) {
      requests_.back().end = std::max(requests_.back().end, end);
    } else {
      requests_.push_back({begin, end});
    }
    ++requests_.back().blocks;
    blocks_.push_back({weights, requests_.size() - 1});
    largest = std::max(largest, requests_.back().size());
  }
  room_.reserve(largest);
}

void WeightStream::read() {
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    {
      std::unique_lock lock(mutex_);
      std::optional<std::size_t> place;
      changed_.wait(lock, [&] {
        place = freePlace(requests_[i].size());
        return stopping_ || place;
      });
      if (stopping_) return;
      requests_[i].at = *place;
      in_room_.push_back(i);
    }
    Status status = fill(requests_[i]);
    const std::lock_guard lock(mutex_);
    requests_[i].done = status.ok();
    if (!status.ok()) outcome_ = std::move(status);
    changed_.notify_all();
    if (!outcome_.ok()) return;
  }
}

Status WeightStream::fill(const Request& request) const {
  NARROWS_TRY(got, file_.read(request.begin, room_.bytes().subspan(request.at, request.size())));
  const std::size_t end = std::min(request.end, offset_ + weights_->bytes().size());
  if (request.begin + got < end) return makeError("the file of weights became shorter");
  return {};
}

/// Where a request fits behind the last one in the room, or at its start; what is oldest leaves
/// first.
std::optional<std::size_t> WeightStream::freePlace(std::size_t size) const {
  if (in_room_.empty()) return 0;
  const std::size_t oldest = requests_[in_room_.front()].at;
  const Request& last = requests_[in_room_.back()];
  const std::size_t end = last.at + last.size();
  if (last.at < oldest) return end + size <= oldest ? std::optional(end) : std::nullopt;
  if (end + size <= room_.bytes().size()) return end;
  return size <= oldest ? std::optional<std::size_t>(0) : std::nullopt;
}

/// Blocks are asked for in about the order in which they are expected; equal constants of two
/// layers are blocks of their own.
WeightStream::Block* WeightStream::find(ByteSpan weights, Stage stage) {
  while (first_ < blocks_.size() && blocks_[first_].stage == Stage::released) ++first_;
  for (std::size_t i = first_; i < blocks_.size(); ++i) {
    Block& block = blocks_[i];
    const bool same =
        block.weights.data() == weights.data() && block.weights.size() == weights.size();
    if (same && block.stage == stage) return &block;
  }
  return nullptr;
}

Result<ByteSpan> WeightStream::hold(ByteSpan weights) {
  std::unique_lock lock(mutex_);
  Block* block = find(weights, Stage::waiting);
  if (block == nullptr) return makeError("weights that were not expected are asked for");
  block->stage = Stage::held;
  const Request& request = requests_[block->request];
  changed_.wait(lock, [&] { return request.done || !outcome_.ok(); });
  if (!request.done) return outcome_.error();
  return ByteSpan(
      room_.bytes().subspan(request.at + placeOf(weights) - request.begin, weights.size()));
}

void WeightStream::release(ByteSpan weights) {
  {
    const std::lock_guard lock(mutex_);
    Block* block = find(weights, Stage::held);
    NARROWS_ASSERT(block != nullptr);
    block->stage = Stage::released;
    --requests_[block->request].blocks;
    while (!in_room_.empty() && requests_[in_room_.front()].blocks == 0) in_room_.pop_front();
  }
  changed_.notify_all();
}

}  // namespace narrows
