#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "narrows/base/result.h"
#include "narrows/pipeline/picture.h"

namespace narrows {

/// A picture with the name by which its record can be told, or why there is none under that name.
struct SourceFrame {
  std::string name;
  Result<Picture> picture;
};

/// Pictures one after the other.
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  /// Absent at the end. An error ends the source: its place is lost. A single picture that cannot
  /// be read comes as a frame with an error instead.
  virtual Result<std::optional<SourceFrame>> next() = 0;
  /// How many pictures there are, when that is known.
  virtual std::optional<std::size_t> count() const = 0;
};

struct SourceOptions {
  /// Ends after so many pictures; 0 takes all.
  std::size_t max_frames = 0;
};

/// Opens what `path` names: a directory (its .jpg, .jpeg and .png files by name, not its
/// subdirectories), one such file, a video file, or a camera /dev/videoN. The last two need a build
/// with FFmpeg's libraries and the error says so.
Result<std::unique_ptr<FrameSource>> openSource(const std::filesystem::path& path,
                                                const SourceOptions& options = {});

/// A video file or camera, decoded by FFmpeg's libraries. In `video_source.cpp`, or in
/// `no_video_source.cpp` where they are missing.
Result<std::unique_ptr<FrameSource>> openVideo(const std::filesystem::path& path);

}  // namespace narrows
