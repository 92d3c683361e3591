#include "narrows/bundle/manifest.h"

#include <gtest/gtest.h>

#include "narrows/bundle/sha256.h"

namespace narrows {
namespace {

Manifest someManifest() {
  Manifest manifest;
  manifest.name = "yolo \"at\" conv8";
  manifest.files = {{"plan.json", 12, sha256(asBytes("a"))}, {"pieces/n.onnx", 0, sha256({})}};
  return manifest;
}

std::string problemOf(std::string_view text) {
  auto manifest = parseManifest(text, "bundle.json");
  return manifest.ok() ? "" : manifest.error().message;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const std::size_t at = text.find(what);
  NARROWS_ASSERT(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

TEST(Sha256, GivesThePublishedDigests) {
  // FIPS 180-4, examples of NIST.
  EXPECT_EQ(sha256({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(asBytes("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Manifest, ReadsBackWhatItWrote) {
  Manifest manifest = someManifest();
  const std::string text = formatManifest(manifest);
  auto read = parseManifest(text, "bundle.json");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->name, manifest.name);
  EXPECT_EQ(read->digest, manifest.digest);
  ASSERT_EQ(read->files.size(), 2u);
  EXPECT_EQ(read->find("pieces/n.onnx")->sha256, sha256({}));
  EXPECT_EQ(read->find("x"), nullptr);
}

TEST(Manifest, AnyChangeOfAValueIsFound) {
  Manifest manifest = someManifest();
  const std::string text = formatManifest(manifest);
  EXPECT_EQ(problemOf(replaced(text, "yolo", "yoga")),
            "bundle.json: digest: it does not fit the document: the file is damaged");
  EXPECT_EQ(problemOf(replaced(text, "\"size\": 12", "\"size\": 13")),
            "bundle.json: digest: it does not fit the document: the file is damaged");
  EXPECT_EQ(problemOf(replaced(text, "\"version\": 1", "\"version\": 9")),
            "bundle.json: version: bundle format 9, this program reads 1");
  EXPECT_EQ(problemOf(replaced(text, "narrows-bundle", "bundle")),
            "bundle.json: format: expected \"narrows-bundle\", found \"bundle\"");
  EXPECT_EQ(problemOf(replaced(text, "pieces/n.onnx", "../n.onnx")),
            "bundle.json: files[1].path: file name \"../n.onnx\" is not a plain relative path");
  EXPECT_EQ(problemOf(replaced(text, "pieces/n.onnx", "plan.json")),
            "bundle.json: files[1]: \"plan.json\" is listed twice");
  EXPECT_EQ(problemOf(replaced(text, "\"sha256\": \"c", "\"sha256\": \"X")),
            "bundle.json: files[0].sha256: expected 64 lower-case hexadecimal digits");
}

TEST(Manifest, EveryPrefixIsAnError) {
  Manifest manifest = someManifest();
  const std::string text = formatManifest(manifest);
  for (std::size_t size = 0; size + 2 < text.size(); ++size) {
    EXPECT_NE(problemOf(text.substr(0, size)), "") << size;
  }
}

}  // namespace
}  // namespace narrows
