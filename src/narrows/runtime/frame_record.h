#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/units.h"
#include "narrows/runtime/message.h"
#include "narrows/vision/detection.h"

namespace narrows {

/// Where an answer was completed.
enum class AnsweredBy : std::uint8_t {
  /// By the plan on the node alone.
  node,
  server,
  /// By a group of workers.
  group,
  /// On the node, with the server's share, because the server did not answer.
  fallback,
  /// No answer; the record's error says why.
  nobody,
};
std::string_view toString(AnsweredBy answered);

/// An output of a model whose outputs are given as they are.
struct OutputSummary {
  std::string name;
  Shape shape;
  /// FNV-1a of the elements, to compare runs.
  std::uint64_t digest = 0;
  friend bool operator==(const OutputSummary&, const OutputSummary&) = default;
};
OutputSummary summarize(std::string_view name, TensorView tensor);

/// What a group's record tells instead of the times of node and server.
struct GroupPart {
  /// Number of the plan that gave the answer; 0 without one.
  std::uint32_t plan = 0;
  /// Of the run that gave the answer; and without a plan because the group changed. Measured.
  Seconds run;
  Seconds replanning;
  /// Whole messages between workers, in bytes.
  std::size_t message_bytes = 0;
};

/// What became of one picture. There is one record for each, in the order of the input.
struct FrameRecord {
  std::uint64_t frame = 0;
  std::string input;
  AnsweredBy answered = AnsweredBy::nobody;
  std::string error;
  /// Requests sent for it.
  int attempts = 0;
  /// Measured: preparing the picture and running the node's pieces; then making the frames.
  Seconds node;
  Seconds encode;
  /// The part of `node` that prepared the picture.
  Seconds prepare;
  /// Finishing on the node: the server's share when it did not answer, and the head.
  Seconds finish;
  /// Feature or picture frames, their headers included.
  std::size_t frame_bytes = 0;
  /// FNV-1a of the frames one after another, to compare runs; absent without frames.
  std::optional<std::uint64_t> frame_digest;
  /// The whole request as it crosses the link, once; modelled (docs/protocol.md).
  double wire_bytes = 0;
  /// The reply likewise; 0 without one.
  double reply_bytes = 0;
  /// Emulated time on the link, up and down, of all attempts; 0 without an emulated link.
  Seconds link;
  /// As the server measured it: waiting and computing.
  Seconds server;
  /// From the start of the picture's processing to its answer.
  Seconds total;
  Prediction prediction;
  std::vector<OutputSummary> outputs;
  /// Only of groups.
  std::optional<GroupPart> group;
};

/// One line of JSON without the line's end; names of labels where `labels` has them.
std::string toJson(const FrameRecord& record, std::span<const std::string> labels);

}  // namespace narrows
