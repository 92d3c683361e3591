#include "narrows/runtime/frame_source.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "narrows/base/file.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

bool isPictureName(const fs::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array<std::string_view, 3> kKnown = {".jpg", ".jpeg", ".png"};
  return std::ranges::find(kKnown, extension) != kKnown.end();
}

/// Picture files in a fixed order.
class FileSource : public FrameSource {
 public:
  explicit FileSource(std::vector<fs::path> files) : files_(std::move(files)) {}

  Result<std::optional<SourceFrame>> next() override {
    if (next_ == files_.size()) return std::optional<SourceFrame>();
    const fs::path& path = files_[next_++];
    return std::optional<SourceFrame>(SourceFrame{path.filename().string(), read(path)});
  }

  std::optional<std::size_t> count() const override { return files_.size(); }

 private:
  static Result<Picture> read(const fs::path& path) {
    NARROWS_TRY(bytes, readFile(path, kMaxPictureFileBytes));
    if (bytes.empty()) return makeError("{}: is empty", path.string());
    return Picture::fromFile(std::move(bytes));
  }

  std::vector<fs::path> files_;
  std::size_t next_ = 0;
};

class LimitedSource : public FrameSource {
 public:
  LimitedSource(std::unique_ptr<FrameSource> source, std::size_t limit)
      : source_(std::move(source)), left_(limit) {}

  Result<std::optional<SourceFrame>> next() override {
    if (left_ == 0) return std::optional<SourceFrame>();
    --left_;
    return source_->next();
  }
  std::optional<std::size_t> count() const override {
    const auto all = source_->count();
    return all ? std::min(*all, left_) : left_;
  }

 private:
  std::unique_ptr<FrameSource> source_;
  std::size_t left_;
};

Result<std::unique_ptr<FrameSource>> openDirectory(const fs::path& path) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    if (isPictureName(entry->path()) && entry->is_regular_file(error)) {
      files.push_back(entry->path());
    }
  }
  if (error) return makeError("{}: {}", path.string(), error.message());
  if (files.empty()) return makeError("{}: has no .jpg, .jpeg or .png file", path.string());
  std::ranges::sort(files);
  return std::unique_ptr<FrameSource>(std::make_unique<FileSource>(std::move(files)));
}

Result<std::unique_ptr<FrameSource>> openAny(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return makeError("{}: no such file or directory", path.string());
  if (fs::is_directory(status)) return openDirectory(path);
  if (fs::is_regular_file(status) && isPictureName(path)) {
    return std::unique_ptr<FrameSource>(std::make_unique<FileSource>(std::vector{path}));
  }
  return openVideo(path);
}

}  // namespace

Result<std::unique_ptr<FrameSource>> openSource(const fs::path& path,
                                                const SourceOptions& options) {
  NARROWS_TRY(source, openAny(path));
  if (options.max_frames == 0) return std::move(source);
  return std::unique_ptr<FrameSource>(
      std::make_unique<LimitedSource>(std::move(source), options.max_frames));
}

}  // namespace narrows
