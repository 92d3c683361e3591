#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "narrows/base/direct_file.h"
#include "narrows/base/file_pages.h"
#include "narrows/base/result.h"
#include "narrows/bundle/bundle_pieces.h"
#include "narrows/engine/weight_reader.h"

namespace narrows {

/// Memory for weights on their way, from one piece to the next.
class StreamRoom {
 public:
  explicit StreamRoom(std::size_t bytes) { reserve(bytes); }

  /// At least so many bytes; what it held is lost when it grows.
  void reserve(std::size_t bytes);
  /// Whole blocks of `DirectFile`.
  std::span<std::byte> bytes() const { return {memory_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::size_t size_ = 0;
};

/// Weights of one piece on their way from the disk: a thread of its own reads them past the
/// system's cache, as far ahead as the room goes.
class WeightStream final : public WeightReader {
 public:
  /// The room is used by one stream at a time; it grows where a block does not fit.
  static Result<std::unique_ptr<WeightStream>> open(const BundlePieces::Opened& piece,
                                                    StreamRoom& room);
  ~WeightStream() override;

  bool has(ByteSpan weights) const override;
  void expect(std::vector<ByteSpan> blocks) override;
  Result<ByteSpan> hold(ByteSpan weights) override;
  void release(ByteSpan weights) override;
  void leave(ByteSpan weights) override;

 private:
  /// A request for bytes [begin, end) of the file, whole blocks.
  struct Request {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::size_t at = 0;      // in the room
    std::size_t blocks = 0;  // of weights that have not been released
    bool done = false;

    std::size_t size() const { return end - begin; }
  };
  enum class Stage : std::uint8_t { waiting, held, released };
  /// A block of weights in the file.
  struct Block {
    ByteSpan weights;
    std::size_t request = 0;
    Stage stage = Stage::waiting;
  };

  WeightStream(DirectFile file, FilePages pages, const BundlePieces::Opened& piece,
               StreamRoom& room)
      : file_(std::move(file)),
        pages_(std::move(pages)),
        weights_(piece.weights),
        offset_(piece.place.offset),
        room_(room) {}

  std::size_t placeOf(ByteSpan weights) const;
  void plan(const std::vector<ByteSpan>& blocks);
  void read();
  Status fill(const Request& request) const;
  std::optional<std::size_t> freePlace(std::size_t size) const;
  Block* find(ByteSpan weights, Stage stage);
  void stop();

  DirectFile file_;
  FilePages pages_;
  std::shared_ptr<const MappedFile> weights_;
  std::size_t offset_;  // of the weights in the file
  StreamRoom& room_;

  std::thread thread_;
  std::mutex mutex_;  // of all below
  std::condition_variable changed_;
  std::vector<Request> requests_;
  std::vector<Block> blocks_;
  std::size_t first_ = 0;            // block that is not released
  std::deque<std::size_t> in_room_;  // requests, in the order of reading
  Status outcome_;
  bool stopping_ = false;
};

}  // namespace narrows
