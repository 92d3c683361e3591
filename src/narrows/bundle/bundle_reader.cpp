#include <algorithm>
#include <system_error>

#include "narrows/bundle/archive.h"
#include "narrows/bundle/bundle.h"
#include "narrows/bundle/manifest.h"
#include "narrows/bundle/sha256.h"
#include "narrows/formats/onnx_reader.h"
#include "narrows/plan/json.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kManifestPath = "bundle.json";
constexpr std::size_t kLargestText = std::size_t{16} << 20;

/// Files of a bundle in either form.
class Source {
 public:
  static Result<Source> open(const fs::path& path) {
    std::error_code code;
    const fs::file_status status = fs::status(path, code);
    if (!fs::exists(status)) return makeError("there is no such file or directory");
    Source source;
    if (fs::is_directory(status)) {
      source.directory_ = path;
      return source;
    }
    NARROWS_TRY(archive, MappedFile::open(path));
    NARROWS_TRY(members, readArchive(archive));
    source.members_ = std::move(members);
    return source;
  }

  bool isArchive() const { return directory_.empty(); }

  /// `name` has passed checkMemberName.
  Result<std::shared_ptr<const MappedFile>> file(const std::string& name) const {
    if (isArchive()) {
      const auto found = members_.find(name);
      if (found == members_.end()) return makeError("{}: not in the archive", name);
      return found->second;
    }
    fs::path path = directory_;
    for (const fs::path& part : fs::path(name)) {
      path /= part;
      std::error_code code;
      if (fs::is_symlink(fs::symlink_status(path, code))) {
        return makeError("{}: a link; a bundle holds files only", name);
      }
    }
    auto file = MappedFile::open(path);
    if (!file.ok()) return makeError("{}: missing or not a readable file", name);
    return std::move(*file);
  }

  /// Names of all files but the manifest; a directory that holds anything else is an error.
  Result<std::vector<std::string>> names() const {
    std::vector<std::string> names;
    for (const auto& member : members_) names.push_back(member.first);
    if (!isArchive()) {
      std::error_code code;
      for (fs::recursive_directory_iterator at(directory_, code), end; !code && at != end;
           at.increment(code)) {
        const fs::file_status status = at->symlink_status(code);
        if (fs::is_directory(status)) continue;
        names.push_back(at->path().lexically_relative(directory_).generic_string());
        if (!fs::is_regular_file(status)) {
          return makeError("{}: not a file; a bundle holds files only", names.back());
        }
      }
      if (code) return makeError("cannot list the directory: {}", code.message());
    }
    names.erase(std::remove(names.begin(), names.end(), kManifestPath), names.end());
    return names;
  }

 private:
  fs::path directory_;
  FileMap members_;
};

class Reader {
 public:
  Reader(const Source& source, const BundleReadOptions& options)
      : source_(source), options_(options) {}

  Result<Bundle> read() {
    NARROWS_CHECK(readManifest());
    Bundle bundle;
    bundle.name = manifest_.name;
    bundle.digest = manifest_.digest;
    NARROWS_TRY(plan_text, text("plan.json"));
    NARROWS_TRY(plan, parsePlan(plan_text, "plan.json"));
    bundle.plan = std::move(plan);
    NARROWS_TRY(description_text, text("MODEL.toml"));
    NARROWS_TRY(description, parseDescription(description_text, "MODEL.toml"));
    bundle.description = std::move(description);
    NARROWS_CHECK(checkDevice(bundle.plan));
    for (const Piece& piece : bundle.plan.pieces) {
      NARROWS_TRY(graph, readPiece(bundle.plan, piece));
      bundle.pieces.push_back(std::move(graph));
    }
    NARROWS_CHECK(comparePieces(bundle));
    NARROWS_CHECK(checkNothingElse());
    return bundle;
  }

 private:
  Status readManifest() {
    NARROWS_TRY(file, source_.file(std::string(kManifestPath)));
    NARROWS_CHECK(checkTextSize(kManifestPath, file->bytes().size()));
    NARROWS_TRY(manifest, parseManifest(asText(file->bytes()), kManifestPath));
    manifest_ = std::move(manifest);
    return {};
  }

  static Status checkTextSize(std::string_view name, std::size_t size) {
    if (size > kLargestText) return makeError("{}: {} bytes, at most {}", name, size, kLargestText);
    return {};
  }

  /// A file of the manifest, compared with what the manifest says of it.
  Result<std::shared_ptr<const MappedFile>> file(const std::string& name) {
    const ManifestFile* entry = manifest_.find(name);
    if (entry == nullptr) return makeError("{}: bundle.json does not list it", name);
    NARROWS_TRY(file, source_.file(name));
    if (file->bytes().size() != entry->size) {
      return makeError("{}: {} bytes, bundle.json says {}", name, file->bytes().size(),
                       entry->size);
    }
    if (options_.verify_checksums && sha256(file->bytes()) != entry->sha256) {
      return makeError("{}: its SHA-256 is not the one in bundle.json: the file is damaged", name);
    }
    used_.push_back(name);
    return std::move(file);
  }

  Result<std::string> text(const std::string& name) {
    NARROWS_TRY(mapped, file(name));
    NARROWS_CHECK(checkTextSize(name, mapped->bytes().size()));
    return std::string(asText(mapped->bytes()));
  }

  Status checkDevice(const Plan& plan) const {
    if (options_.only_device.empty()) return {};
    std::string known;
    for (const Device& device : plan.devices) {
      if (device.name == options_.only_device) return {};
      known += (known.empty() ? "" : ", ") + device.name;
    }
    return makeError("plan.json: there is no device \"{}\"; known are {}", options_.only_device,
                     known);
  }

  bool isWanted(const Plan& plan, const Piece& piece) const {
    return options_.only_device.empty() ||
           plan.devices[piece.device.index()].name == options_.only_device;
  }

  Result<Graph> readPiece(const Plan& plan, const Piece& piece) {
    const std::string model = fmt::format("pieces/{}.onnx", piece.name);
    const std::string weights = fmt::format("pieces/{}.weights", piece.name);
    NARROWS_CHECK(checkMemberName(model).within("plan.json"));
    if (!isWanted(plan, piece)) {
      skipped_.push_back(model);
      skipped_.push_back(weights);
      return Graph();
    }
    NARROWS_TRY(model_file, file(model));
    OnnxReadOptions read_options;
    if (manifest_.find(weights) != nullptr) {
      NARROWS_TRY(weights_file, file(weights));
      read_options.external_files.emplace(piece.name + ".weights", weights_file);
    }
    return readOnnx(model_file->bytes(), read_options).within(model);
  }

  Status comparePieces(const Bundle& bundle) const {
    if (options_.only_device.empty()) return checkPieces(bundle.plan, bundle.pieces);
    Plan part;  // the wanted pieces alone
    std::vector<Graph> graphs;
    for (std::size_t i = 0; i < bundle.pieces.size(); ++i) {
      if (!isWanted(bundle.plan, bundle.plan.pieces[i])) continue;
      part.pieces.push_back(bundle.plan.pieces[i]);
      graphs.push_back(bundle.pieces[i]);
    }
    return checkPieces(part, graphs);
  }

  /// Every file is listed and every listed file has a use.
  Status checkNothingElse() const {
    const auto in = [](const std::vector<std::string>& names, const std::string& name) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    for (const ManifestFile& file : manifest_.files) {
      if (!in(used_, file.path) && !in(skipped_, file.path)) {
        return makeError("bundle.json: \"{}\" belongs to no piece", file.path);
      }
    }
    NARROWS_TRY(names, source_.names());
    for (const std::string& name : names) {
      if (manifest_.find(name) == nullptr) {
        return makeError("{}: bundle.json does not list it", name);
      }
    }
    return {};
  }

  const Source& source_;
  const BundleReadOptions& options_;
  Manifest manifest_;
  std::vector<std::string> used_;
  std::vector<std::string> skipped_;
};

}  // namespace

Result<Bundle> readBundle(const fs::path& path, const BundleReadOptions& options) {
  NARROWS_TRY(source, Source::open(path).within(path.string()));
  return Reader(source, options).read().within(path.string());
}

Result<FileMap> openBundleFiles(const fs::path& path) {
  NARROWS_TRY(source, Source::open(path).within(path.string()));
  NARROWS_TRY(names, source.names().within(path.string()));
  names.emplace_back(kManifestPath);
  FileMap files;
  for (const std::string& name : names) {
    NARROWS_CHECK(checkMemberName(name).within(path.string()));
    NARROWS_TRY(file, source.file(name).within(path.string()));
    files.emplace(name, file);
  }
  return files;
}

}  // namespace narrows
