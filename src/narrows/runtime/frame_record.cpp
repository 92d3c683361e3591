#include "narrows/runtime/frame_record.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "narrows/pipeline/fnv1a.h"

namespace narrows {
namespace {

using Json = nlohmann::ordered_json;

/// Microseconds are enough; the digits beyond are noise.
double rounded(Seconds time) {
  return std::round(toMilliseconds(time) * 1e3) / 1e3;
}

void addNodeAndServer(Json& json, const FrameRecord& record) {
  json["node_ms"] = rounded(record.node);
  json["prepare_ms"] = rounded(record.prepare);
  json["encode_ms"] = rounded(record.encode);
  json["finish_ms"] = rounded(record.finish);
  json["frame_bytes"] = record.frame_bytes;
  if (record.frame_digest) json["frame_fnv1a"] = fmt::format("{:016x}", *record.frame_digest);
  json["wire_bytes"] = std::llround(record.wire_bytes);
  json["reply_bytes"] = std::llround(record.reply_bytes);
  json["link_ms"] = rounded(record.link);
  json["server_ms"] = rounded(record.server);
}

void addGroup(Json& json, const FrameRecord& record) {
  json["plan"] = record.group->plan;
  json["frame_bytes"] = record.frame_bytes;
  json["message_bytes"] = record.group->message_bytes;
  json["run_ms"] = rounded(record.group->run);
  json["replanning_ms"] = rounded(record.group->replanning);
}

Json labelled(int label, float score, std::span<const std::string> labels) {
  Json json;
  json["label"] = label;
  if (label >= 0 && static_cast<std::size_t>(label) < labels.size()) {
    json["name"] = labels[static_cast<std::size_t>(label)];
  }
  json["score"] = score;
  return json;
}

}  // namespace

std::string_view toString(AnsweredBy answered) {
  switch (answered) {
    case AnsweredBy::node:
      return "node";
    case AnsweredBy::server:
      return "server";
    case AnsweredBy::group:
      return "group";
    case AnsweredBy::fallback:
      return "fallback";
    case AnsweredBy::nobody:
      return "nobody";
  }
  return "nobody";
}

OutputSummary summarize(std::string_view name, TensorView tensor) {
  Fnv1a hash;
  hash.add(tensor.bytes());
  return {std::string(name), tensor.shape(), hash.value()};
}

std::string toJson(const FrameRecord& record, std::span<const std::string> labels) {
  Json json;
  json["frame"] = record.frame;
  json["input"] = record.input;
  json["answered"] = toString(record.answered);
  if (!record.error.empty()) json["error"] = record.error;
  json["attempts"] = record.attempts;
  if (record.group) {
    addGroup(json, record);
  } else {
    addNodeAndServer(json, record);
  }
  json["total_ms"] = rounded(record.total);
  if (!record.prediction.classes.empty()) {
    Json& classes = json["classes"] = Json::array();
    for (const ClassScore& entry : record.prediction.classes) {
      classes.push_back(labelled(entry.label, entry.score, labels));
    }
  }
  if (!record.outputs.empty()) {
    Json& outputs = json["outputs"] = Json::array();
    for (const OutputSummary& output : record.outputs) {
      outputs.push_back({{"name", output.name},
                         {"shape", toString(output.shape)},
                         {"fnv1a", fmt::format("{:016x}", output.digest)}});
    }
  }
  if (record.prediction.classes.empty() && record.outputs.empty() && record.error.empty()) {
    Json& detections = json["detections"] = Json::array();
    for (const Detection& detection : record.prediction.detections) {
      Json entry = labelled(detection.label, detection.score, labels);
      const Box& box = detection.box;
      entry["box"] = {box.x1, box.y1, box.x2, box.y2};
      detections.push_back(std::move(entry));
    }
  }
  // Names come from the file system: whatever is not UTF-8 is replaced rather than thrown at.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace narrows
