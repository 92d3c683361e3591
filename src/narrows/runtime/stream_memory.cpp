#include "narrows/runtime/stream_memory.h"

#include <algorithm>

#include "narrows/codec/lossless.h"

namespace narrows {

StreamMemory::StreamMemory(const Exchange& exchange, DeviceId device, std::size_t max_bytes)
    : channels_(exchange.channels.size()) {
  std::size_t bytes = 0;
  for (const Channel& channel : exchange.channels) {
    const auto* feature = std::get_if<FeatureInterface>(&channel.params);
    if (channel.to != device || feature == nullptr || feature->key_interval == 0) continue;
    bytes += kTemporalReach * std::max<std::size_t>(symbolLayout(*feature).symbols(), 1);
  }
  if (bytes > 0) capacity_ = std::max<std::size_t>(max_bytes / bytes, 1);
}

std::shared_ptr<ReceivedStream> StreamMemory::find(std::string_view id) {
  const std::size_t slash = id.rfind('/');
  if (capacity_ == 0 || slash == std::string_view::npos) return nullptr;
  const std::string_view name = id.substr(0, slash);
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.name == name; });
  if (found != entries_.end()) {
    entries_.splice(entries_.begin(), entries_, found);
    return entries_.front().stream;
  }
  if (entries_.size() >= capacity_) entries_.pop_back();
  auto stream = std::make_shared<ReceivedStream>();
  stream->of.resize(channels_);
  entries_.push_front({std::string(name), std::move(stream)});
  return entries_.front().stream;
}

}  // namespace narrows
