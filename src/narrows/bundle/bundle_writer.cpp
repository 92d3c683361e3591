#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "narrows/bundle/archive.h"
#include "narrows/bundle/bundle.h"
#include "narrows/bundle/manifest.h"
#include "narrows/bundle/sha256.h"
#include "narrows/formats/onnx_writer.h"
#include "narrows/plan/json.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

/// A directory beside the target in which the bundle is made; removed at the end of its scope.
class Staging {
 public:
  static Result<Staging> create(const fs::path& target) {
    std::string pattern =
        (parentOf(target) / fmt::format(".{}.XXXXXX", target.filename().string())).string();
    if (::mkdtemp(pattern.data()) == nullptr) {
      return makeError("cannot make a directory beside it: {}",
                       std::system_category().message(errno));
    }
    return Staging(pattern);
  }
  Staging(Staging&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  Staging& operator=(Staging&&) = delete;
  ~Staging() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

  static fs::path parentOf(const fs::path& target) {
    return target.has_parent_path() ? target.parent_path() : fs::path(".");
  }

 private:
  explicit Staging(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

Status makeDirectory(const fs::path& path) {
  std::error_code code;
  fs::create_directory(path, code);
  if (code) return makeError("{}: cannot make the directory: {}", path.string(), code.message());
  // mkdtemp makes private directories; a bundle is as readable as any other output.
  fs::permissions(path, fs::perms(0755), code);
  return {};
}

Status syncDirectory(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return makeError("{}: {}", path.string(), std::system_category().message(errno));
  const int done = ::fsync(fd);
  const int code = errno;
  ::close(fd);
  if (done != 0) return makeError("{}: {}", path.string(), std::system_category().message(code));
  return {};
}

/// Renames without replacing what is there.
Status moveTo(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
    return syncDirectory(Staging::parentOf(to));
  }
  // Some file systems lack the flag.
  if (errno == EINVAL || errno == ENOSYS) {
    std::error_code code;
    if (fs::exists(fs::symlink_status(to, code))) return makeError("it exists");
    fs::rename(from, to, code);
    if (code) return makeError("cannot rename: {}", code.message());
    return syncDirectory(Staging::parentOf(to));
  }
  return makeError("cannot rename: {}", std::system_category().message(errno));
}

Status checkPieceName(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  if (name.empty() || name.size() > 64 || name[0] == '.' ||
      !std::all_of(name.begin(), name.end(), is_plain)) {
    return makeError("piece \"{}\": expected 1 to 64 letters, digits, \"-\", \"_\" and \".\"",
                     name);
  }
  return {};
}

Status writePieces(const Bundle& bundle, const fs::path& tree) {
  NARROWS_CHECK(makeDirectory(tree / "pieces"));
  for (std::size_t i = 0; i < bundle.pieces.size(); ++i) {
    const std::string& name = bundle.plan.pieces[i].name;
    const fs::path model = tree / "pieces" / (name + ".onnx");
    const fs::path weights = tree / "pieces" / (name + ".weights");
    NARROWS_CHECK(
        writeOnnx(bundle.pieces[i], model, weights).within(fmt::format("pieces/{}.onnx", name)));
  }
  return syncDirectory(tree / "pieces");
}

/// Paths of all files below `tree`, relative to it and sorted.
Result<std::vector<std::string>> listTree(const fs::path& tree) {
  std::vector<std::string> paths;
  std::error_code code;
  for (fs::recursive_directory_iterator at(tree, code), end; !code && at != end;
       at.increment(code)) {
    if (at->is_directory()) continue;
    paths.push_back(at->path().lexically_relative(tree).generic_string());
  }
  if (code) return makeError("{}: cannot list: {}", tree.string(), code.message());
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// Writes everything below `tree`; gives the paths of the files, the manifest first.
Result<std::vector<std::string>> writeTree(const Bundle& bundle, const fs::path& tree) {
  NARROWS_CHECK(makeDirectory(tree));
  NARROWS_CHECK(writeFileAtomically(tree / "plan.json", asBytes(formatPlan(bundle.plan))));
  NARROWS_CHECK(
      writeFileAtomically(tree / "MODEL.toml", asBytes(formatDescription(bundle.description))));
  NARROWS_CHECK(writePieces(bundle, tree));
  NARROWS_TRY(paths, listTree(tree));
  Manifest manifest;
  manifest.name = bundle.name;
  for (const std::string& path : paths) {
    NARROWS_TRY(file, MappedFile::open(tree / path));
    manifest.files.push_back({path, file->bytes().size(), sha256(file->bytes())});
  }
  NARROWS_CHECK(writeFileAtomically(tree / "bundle.json", asBytes(formatManifest(manifest))));
  NARROWS_CHECK(syncDirectory(tree));
  paths.insert(paths.begin(), "bundle.json");
  return std::move(paths);
}

Status write(const Bundle& bundle, const fs::path& path) {
  std::error_code code;
  if (fs::exists(fs::symlink_status(path, code))) return makeError("it exists");
  NARROWS_CHECK(checkPlan(bundle.plan).within("plan.json"));
  NARROWS_CHECK(checkPieces(bundle.plan, bundle.pieces));
  for (const Piece& piece : bundle.plan.pieces) NARROWS_CHECK(checkPieceName(piece.name));
  if (bundle.name.size() > 1024) return makeError("a name of {} bytes", bundle.name.size());
  NARROWS_TRY(staging, Staging::create(path));
  const fs::path tree = staging.path() / "tree";
  NARROWS_TRY(paths, writeTree(bundle, tree));
  if (path.extension() != ".narrows") return moveTo(tree, path);
  std::vector<std::pair<std::string, fs::path>> members;
  members.reserve(paths.size());
  for (const std::string& name : paths) members.emplace_back(name, tree / name);
  NARROWS_CHECK(writeArchive(staging.path() / "archive", members));
  return moveTo(staging.path() / "archive", path);
}

}  // namespace

Status writeBundle(const Bundle& bundle, const fs::path& path) {
  return write(bundle, path).within(path.string());
}

}  // namespace narrows
