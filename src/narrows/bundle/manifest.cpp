#include "narrows/bundle/manifest.h"

#include <algorithm>
#include <set>

#include "narrows/bundle/archive.h"
#include "narrows/bundle/bundle.h"
#include "narrows/bundle/sha256.h"
#include "narrows/plan/json_value.h"

namespace narrows {
namespace {

constexpr std::string_view kFormat = "narrows-bundle";
constexpr std::size_t kMostFiles = 65536;

JsonValue::Object withoutDigest(const Manifest& manifest) {
  JsonValue::Array files;
  for (const ManifestFile& file : manifest.files) {
    files.emplace_back(JsonValue::Object{{"path", file.path},
                                         {"size", static_cast<std::int64_t>(file.size)},
                                         {"sha256", file.sha256}});
  }
  return {{"format", kFormat},
          {"version", std::int64_t{kBundleVersion}},
          {"name", manifest.name},
          {"files", std::move(files)}};
}

std::string digestOf(const Manifest& manifest) {
  return sha256(asBytes(formatJson(withoutDigest(manifest))));
}

Result<std::string> readHash(const JsonCursor& cursor) {
  NARROWS_TRY(hash, cursor.text());
  const bool hexadecimal = hash.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (hash.size() != 64 || !hexadecimal) {
    return cursor.error("expected 64 lower-case hexadecimal digits");
  }
  return hash;
}

Result<ManifestFile> readFileEntry(const JsonCursor& cursor) {
  NARROWS_CHECK(cursor.expectKeys({"path", "size", "sha256"}));
  NARROWS_TRY(path_at, cursor.at("path"));
  NARROWS_TRY(path, path_at.text());
  NARROWS_CHECK(checkMemberName(path).within(path_at.path()));
  NARROWS_TRY(size_at, cursor.at("size"));
  NARROWS_TRY(size, size_at.integer(0, std::int64_t{1} << 50));
  NARROWS_TRY(hash_at, cursor.at("sha256"));
  NARROWS_TRY(hash, readHash(hash_at));
  return ManifestFile{std::move(path), static_cast<std::uint64_t>(size), std::move(hash)};
}

/// Before all else, so that a bundle of another version is called that and nothing worse.
Status checkFormat(const JsonCursor& root) {
  NARROWS_TRY(format_at, root.at("format"));
  NARROWS_TRY(format, format_at.text());
  if (format != kFormat) {
    return format_at.error(fmt::format("expected \"{}\", found \"{}\"", kFormat, format));
  }
  NARROWS_TRY(version_at, root.at("version"));
  NARROWS_TRY(version, version_at.integer(0, std::int64_t{1} << 50));
  if (version != kBundleVersion) {
    return version_at.error(
        fmt::format("bundle format {}, this program reads {}", version, kBundleVersion));
  }
  return {};
}

}  // namespace

const ManifestFile* Manifest::find(std::string_view path) const {
  const auto found =
      std::find_if(files.begin(), files.end(), [&](const auto& file) { return file.path == path; });
  return found == files.end() ? nullptr : &*found;
}

std::string formatManifest(Manifest& manifest) {
  manifest.digest = digestOf(manifest);
  JsonValue::Object object = withoutDigest(manifest);
  object.emplace_back("digest", manifest.digest);
  return formatJson(object);
}

Result<Manifest> parseManifest(std::string_view text, std::string_view origin) {
  NARROWS_TRY(document, parseJson(text, origin));
  const JsonCursor root(document, std::string(origin));
  NARROWS_CHECK(checkFormat(root));
  NARROWS_CHECK(root.expectKeys({"format", "version", "name", "files", "digest"}));
  Manifest manifest;
  NARROWS_TRY(name_at, root.at("name"));
  NARROWS_TRY(name, name_at.text());
  manifest.name = std::move(name);
  NARROWS_TRY(files_at, root.at("files"));
  NARROWS_TRY(items, files_at.items(kMostFiles));
  std::set<std::string> paths;
  for (const JsonCursor& item : items) {
    NARROWS_TRY(file, readFileEntry(item));
    if (!paths.insert(file.path).second) {
      return item.error(fmt::format("\"{}\" is listed twice", file.path));
    }
    manifest.files.push_back(std::move(file));
  }
  NARROWS_TRY(digest_at, root.at("digest"));
  NARROWS_TRY(digest, readHash(digest_at));
  manifest.digest = std::move(digest);
  if (manifest.digest != digestOf(manifest)) {
    return digest_at.error("it does not fit the document: the file is damaged");
  }
  return manifest;
}

}  // namespace narrows
