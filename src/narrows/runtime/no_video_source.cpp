#include "narrows/runtime/frame_source.h"

namespace narrows {

Result<std::unique_ptr<FrameSource>> openVideo(const std::filesystem::path& path) {
  return makeError(
      "{}: is no .jpg, .jpeg or .png file, and this build has no FFmpeg to read it as a video",
      path.string());
}

}  // namespace narrows
