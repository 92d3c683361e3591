#include "narrows/bundle/bundle_pieces.h"

#include <algorithm>

#include "narrows/bundle/sha256.h"
#include "narrows/formats/onnx_reader.h"
#include "narrows/plan/json.h"

namespace narrows {
namespace {

constexpr std::size_t kLargestText = std::size_t{16} << 20;

Status checkTextSize(std::string_view name, std::size_t size) {
  if (size > kLargestText) return makeError("{}: {} bytes, at most {}", name, size, kLargestText);
  return {};
}

}  // namespace

std::string BundlePieces::modelPath(const Piece& piece) {
  return fmt::format("pieces/{}.onnx", piece.name);
}
std::string BundlePieces::weightsPath(const Piece& piece) {
  return fmt::format("pieces/{}.weights", piece.name);
}

Result<BundlePieces> BundlePieces::open(const std::filesystem::path& path, const Options& options) {
  NARROWS_TRY(files, BundleFiles::open(path).within(path.string()));
  BundlePieces bundle(std::move(files), options);
  NARROWS_CHECK(bundle.readTexts().within(path.string()));
  return bundle;
}

Status BundlePieces::readTexts() {
  NARROWS_TRY(manifest_file, files_.file(std::string(kManifestPath)));
  NARROWS_CHECK(checkTextSize(kManifestPath, manifest_file->bytes().size()));
  NARROWS_TRY(manifest, parseManifest(asText(manifest_file->bytes()), kManifestPath));
  manifest_ = std::move(manifest);
  NARROWS_TRY(plan_text, text("plan.json"));
  NARROWS_TRY(plan, parsePlan(plan_text, "plan.json"));
  plan_ = std::move(plan);
  NARROWS_TRY(description_text, text("MODEL.toml"));
  NARROWS_TRY(description, parseDescription(description_text, "MODEL.toml"));
  description_ = std::move(description);
  for (const Piece& piece : plan_.pieces) {
    NARROWS_CHECK(checkMemberName(modelPath(piece)).within("plan.json"));
  }
  return {};
}

/// A file of the manifest, compared with what the manifest says of it.
Result<std::shared_ptr<const MappedFile>> BundlePieces::file(const std::string& name,
                                                             bool verify) const {
  const ManifestFile* entry = manifest_.find(name);
  if (entry == nullptr) return makeError("{}: bundle.json does not list it", name);
  NARROWS_TRY(file, files_.file(name));
  if (file->bytes().size() != entry->size) {
    return makeError("{}: {} bytes, bundle.json says {}", name, file->bytes().size(), entry->size);
  }
  if (verify && sha256(file->bytes()) != entry->sha256) {
    return makeError("{}: its SHA-256 is not the one in bundle.json: the file is damaged", name);
  }
  return std::move(file);
}

Result<std::string> BundlePieces::text(const std::string& name) const {
  NARROWS_TRY(mapped, file(name, options_.verify_checksums));
  NARROWS_CHECK(checkTextSize(name, mapped->bytes().size()));
  return std::string(asText(mapped->bytes()));
}

Result<BundlePieces::Opened> BundlePieces::read(PieceId id) const {
  const Piece& piece = plan_.piece(id);
  const std::string model = modelPath(piece);
  NARROWS_TRY(model_file, file(model, options_.verify_checksums));
  Opened opened;
  OnnxReadOptions options;
  if (const std::string weights = weightsPath(piece); manifest_.find(weights) != nullptr) {
    NARROWS_TRY(mapped, file(weights, options_.verify_checksums && options_.verify_weights));
    opened.weights = mapped;
    opened.place = files_.placeOf(weights);
    options.external_files.emplace(piece.name + ".weights", mapped);
  }
  NARROWS_TRY(graph, readOnnx(model_file->bytes(), options).within(model));
  Plan alone;
  alone.pieces.push_back(piece);
  NARROWS_CHECK(checkPieces(alone, std::span(&graph, 1)));
  opened.graph = std::move(graph);
  return opened;
}

Status BundlePieces::checkNothingElse() const {
  std::vector<std::string> used{"plan.json", "MODEL.toml"};
  for (const Piece& piece : plan_.pieces) {
    used.push_back(modelPath(piece));
    used.push_back(weightsPath(piece));
  }
  for (const ManifestFile& file : manifest_.files) {
    if (std::find(used.begin(), used.end(), file.path) == used.end()) {
      return makeError("bundle.json: \"{}\" belongs to no piece", file.path);
    }
  }
  NARROWS_TRY(names, files_.names());
  for (const std::string& name : names) {
    if (manifest_.find(name) == nullptr) return makeError("{}: bundle.json does not list it", name);
  }
  return {};
}

}  // namespace narrows
