#include "narrows/cli/record_writer.h"

#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <cstring>

#include "narrows/base/file.h"
#include "narrows/vision/draw.h"

namespace narrows {
namespace {

constexpr int kDrawingQuality = 90;

std::string labelName(int label, std::span<const std::string> labels) {
  if (label >= 0 && static_cast<std::size_t>(label) < labels.size()) {
    return labels[static_cast<std::size_t>(label)];
  }
  return std::to_string(label);
}

std::string answerText(const FrameRecord& record, std::span<const std::string> labels) {
  if (!record.error.empty()) return record.error;
  if (!record.outputs.empty()) return fmt::format("{} outputs", record.outputs.size());
  std::string text;
  const auto add = [&](int label, float score) {
    text += fmt::format("{}{} {:.2f}", text.empty() ? "" : ", ", labelName(label, labels), score);
  };
  for (const ClassScore& entry : record.prediction.classes) add(entry.label, entry.score);
  for (const Detection& detection : record.prediction.detections) {
    add(detection.label, detection.score);
  }
  return text.empty() ? "nothing found" : text;
}

/// The picture's name without what a file system takes for a directory.
std::string fileStem(const FrameRecord& record) {
  std::string stem = std::filesystem::path(record.input).stem().string();
  for (char& c : stem) {
    if (c == '/' || c == '\\' || c == '#') c = '_';
  }
  return fmt::format("{:06}-{}", record.frame, stem);
}

}  // namespace

std::filesystem::path RecordWriter::unfinished() const {
  std::filesystem::path path = output_.file;
  path += ".part";
  return path;
}

Result<RecordWriter> RecordWriter::create(RecordOutput output) {
  RecordWriter writer(std::move(output));
  std::error_code error;
  if (!writer.output_.drawings.empty()) {
    std::filesystem::create_directories(writer.output_.drawings, error);
    if (error) return makeError("{}: {}", writer.output_.drawings.string(), error.message());
  }
  if (!writer.output_.file.empty()) {
    if (std::filesystem::exists(writer.output_.file)) {
      return makeError("{} exists already", writer.output_.file.string());
    }
    writer.file_.reset(std::fopen(writer.unfinished().c_str(), "w"));
    if (writer.file_ == nullptr) {
      return makeError("{}: {}", writer.unfinished().string(), std::strerror(errno));
    }
  }
  return writer;
}

Status RecordWriter::write(const FrameRecord& record, Picture& picture) {
  const std::string line = toJson(record, output_.labels);
  if (file_ != nullptr && std::fprintf(file_.get(), "%s\n", line.c_str()) < 0) {
    return makeError("{}: {}", unfinished().string(), std::strerror(errno));
  }
  if (output_.json) {
    fmt::print("{}\n", line);
  } else {
    fmt::print("{:>6} {:<28} {:<8} {:>8.1f} ms  {:>8} B  {}\n", record.frame, record.input,
               toString(record.answered), toMilliseconds(record.total), record.frame_bytes,
               answerText(record, output_.labels));
  }
  std::fflush(stdout);
  if (!output_.drawings.empty() && record.answered != AnsweredBy::nobody) {
    return draw(record, picture);
  }
  return {};
}

Status RecordWriter::draw(const FrameRecord& record, Picture& picture) const {
  NARROWS_TRY(image, picture.image());
  Image drawing = *image;
  drawDetections(drawing, record.prediction.detections, output_.labels);
  NARROWS_TRY(jpeg, encodeJpeg(drawing, kDrawingQuality));
  return writeFileAtomically(output_.drawings / (fileStem(record) + ".jpg"), jpeg);
}

Status RecordWriter::finish() {
  if (file_ == nullptr) return {};
  if (std::fclose(file_.release()) != 0) {
    return makeError("{}: {}", unfinished().string(), std::strerror(errno));
  }
  std::error_code error;
  std::filesystem::rename(unfinished(), output_.file, error);
  if (error) return makeError("{}: {}", output_.file.string(), error.message());
  return {};
}

}  // namespace narrows
