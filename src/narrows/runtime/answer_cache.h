#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "narrows/runtime/message.h"

namespace narrows {

/// The latest answers by request id and digest, so that a request that comes again, because its
/// answer was lost on the way, gets the same answer. The least recently used go first. Not safe for
/// several threads.
class AnswerCache {
 public:
  AnswerCache(std::size_t max_answers, std::size_t max_bytes)
      : max_answers_(max_answers), max_bytes_(max_bytes) {}

  /// Null when there is none.
  std::shared_ptr<const InferReply> find(const std::string& key);
  /// An answer that is larger than all the room is not kept.
  void insert(const std::string& key, std::shared_ptr<const InferReply> reply);

  std::size_t size() const { return entries_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const InferReply> reply;
    std::size_t bytes = 0;
  };
  void dropOldest();

  std::size_t max_answers_;
  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<std::string, std::list<Entry>::iterator> index_;
};

}  // namespace narrows
