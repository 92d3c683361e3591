#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "narrows/pipeline/picture.h"
#include "narrows/runtime/frame_record.h"

namespace narrows {

struct RecordOutput {
  /// JSON lines on stdout; otherwise one short line for a person.
  bool json = false;
  /// JSON lines to this file as well; it appears when the run has ended. Empty: none.
  std::filesystem::path file;
  /// Pictures with their detections drawn in, as JPEG, into this directory. Empty: none.
  std::filesystem::path drawings;
  /// Names of the model's labels.
  std::vector<std::string> labels;
};

/// Prints, stores and draws what a node says about its pictures.
class RecordWriter {
 public:
  /// Fails when the file exists already or cannot be made, or the directory cannot.
  static Result<RecordWriter> create(RecordOutput output);

  Status write(const FrameRecord& record, Picture& picture);
  /// Gives the file its name.
  Status finish();

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  explicit RecordWriter(RecordOutput output) : output_(std::move(output)) {}
  Status draw(const FrameRecord& record, Picture& picture) const;
  std::filesystem::path unfinished() const;

  RecordOutput output_;
  std::unique_ptr<std::FILE, Closer> file_;
};

}  // namespace narrows
