#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "narrows/pipeline/device_pipeline.h"

namespace narrows {

/// What a server has received of one stream; `mutex` is held while `of` is used.
struct ReceivedStream {
  std::mutex mutex;
  StreamHistory of;
};

/// The frames that later ones may refer to, of the streams that came last. Which node a request
/// comes from its id tells: up to the last "/" it names the stream. Safe for several threads.
class StreamMemory {
 public:
  /// For frames of these channels to `device`, within `max_bytes`, but never fewer than one stream.
  StreamMemory(const Exchange& exchange, DeviceId device, std::size_t max_bytes);

  /// Null where there is nothing to remember: no channel has a key interval, or the id names no
  /// stream. A new stream takes the place of the one that was not asked for for longest.
  std::shared_ptr<ReceivedStream> find(std::string_view id);
  /// Most streams that are kept.
  std::size_t capacity() const { return capacity_; }

 private:
  struct Entry {
    std::string name;
    std::shared_ptr<ReceivedStream> stream;
  };

  std::size_t channels_;
  std::size_t capacity_ = 0;
  std::mutex mutex_;
  /// The one asked for last comes first.
  std::list<Entry> entries_;
};

}  // namespace narrows
