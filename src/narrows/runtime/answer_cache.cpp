#include "narrows/runtime/answer_cache.h"

namespace narrows {
namespace {

std::size_t sizeOf(const InferReply& reply) {
  std::size_t bytes = sizeof(InferReply) + reply.id.size() + reply.model.size();
  for (const NamedFrame& frame : reply.frames) bytes += frame.name.size() + frame.bytes.size();
  for (const NamedTensor& named : reply.tensors) {
    bytes += named.name.size() + named.tensor.type().bytes();
  }
  return bytes;
}

}  // namespace

std::shared_ptr<const InferReply> AnswerCache::find(const std::string& key) {
  const auto found = index_.find(key);
  if (found == index_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->reply;
}

void AnswerCache::insert(const std::string& key, std::shared_ptr<const InferReply> reply) {
  const std::size_t bytes = sizeOf(*reply) + key.size();
  if (bytes > max_bytes_ || max_answers_ == 0 || index_.contains(key)) return;
  while (entries_.size() >= max_answers_ || bytes_ + bytes > max_bytes_) dropOldest();
  entries_.push_front({key, std::move(reply), bytes});
  index_[key] = entries_.begin();
  bytes_ += bytes;
}

void AnswerCache::dropOldest() {
  bytes_ -= entries_.back().bytes;
  index_.erase(entries_.back().key);
  entries_.pop_back();
}

}  // namespace narrows
