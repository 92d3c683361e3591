#include "narrows/bundle/bundle.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "narrows/base/file.h"
#include "narrows/bundle/archive.h"
#include "narrows/bundle/manifest.h"
#include "narrows/bundle/sha256.h"
#include "narrows/graph/random_graph.h"
#include "narrows/plan/json.h"
#include "narrows/plan/split.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

/// x -> conv a -> relu r -> conv b -> y, weights large enough to lie outside the model files.
Graph someGraph() {
  Graph graph;
  graph.name = "net";
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 3, 8, 8}});
  const ValueId w = graph.addConstant("w", randomTensor({DType::f32, Shape{32, 3, 3, 3}}, 1));
  const ValueId v = graph.addConstant("v", randomTensor({DType::f32, Shape{6, 32, 3, 3}}, 2));
  Conv2d conv;
  conv.window.kernel = {3, 3};
  conv.window.pads = {1, 1, 1, 1};
  auto a = graph.add(conv, {x, w}, "conv_a", "a");
  auto r = graph.add(Unary{UnaryKind::relu}, {*a}, "relu", "r");
  auto y = graph.add(conv, {*r, v}, "conv_b", "y");
  NARROWS_ASSERT(y.ok() && graph.setOutputs({*y}).ok());
  return graph;
}

Bundle someBundle() {
  const Graph graph = someGraph();
  auto cut = findCut(graph, "r");
  NARROWS_ASSERT(cut.ok());
  FeatureInterface interface = plainInterface(graph.type(cut->values[0]));
  interface.quantizer = {QuantizerKind::uniform, 4, Granularity::tensor, {0.0F}, {0.1F}};
  interface.coder.kind = CoderKind::zstd;
  auto split = splitAt(graph, *cut, {interface});
  NARROWS_ASSERT(split.ok());
  Bundle bundle;
  bundle.name = "net at r";
  bundle.plan = std::move(split->plan);
  bundle.pieces = std::move(split->pieces);
  bundle.description.name = "net";
  bundle.description.preprocessing.width = 8;
  bundle.description.preprocessing.height = 8;
  return bundle;
}

void expectSamePieces(const Bundle& a, const Bundle& b) {
  ASSERT_EQ(a.pieces.size(), b.pieces.size());
  for (std::size_t i = 0; i < a.pieces.size(); ++i) {
    EXPECT_TRUE(verify(b.pieces[i]).ok());
    ASSERT_EQ(a.pieces[i].nodeCount(), b.pieces[i].nodeCount());
    for (NodeId id : nodeIds(a.pieces[i])) {
      EXPECT_EQ(a.pieces[i].node(id).op, b.pieces[i].node(id).op);
      for (std::size_t k = 0; k < a.pieces[i].node(id).inputs.size(); ++k) {
        const Value& ours = a.pieces[i].value(a.pieces[i].node(id).inputs[k]);
        const Value& theirs = b.pieces[i].value(b.pieces[i].node(id).inputs[k]);
        ASSERT_EQ(ours.isConstant(), theirs.isConstant());
        if (!ours.isConstant()) continue;
        const ByteSpan x = ours.constant->view().bytes();
        const ByteSpan y = theirs.constant->view().bytes();
        EXPECT_TRUE(std::equal(x.begin(), x.end(), y.begin(), y.end()));
      }
    }
  }
}

class BundleTest : public testing::Test {
 protected:
  void SetUp() override {
    auto directory = TemporaryDirectory::create();
    ASSERT_TRUE(directory.ok());
    directory_.emplace(*std::move(directory));
  }
  fs::path at(std::string_view name) const { return directory_->path() / name; }

  std::string problemOf(const fs::path& path, const BundleReadOptions& options = {}) {
    auto bundle = readBundle(path, options);
    if (bundle.ok()) return "";
    EXPECT_EQ(bundle.error().message.rfind(path.string() + ": ", 0), 0u) << bundle.error().message;
    return bundle.error().message.substr(
        std::min(path.string().size() + 2, bundle.error().message.size()));
  }

  static std::string bytesOf(const fs::path& path) {
    auto text = readTextFile(path);
    EXPECT_TRUE(text.ok());
    return *std::move(text);
  }
  static void put(const fs::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }

  /// Files of the directory form, relative.
  static std::vector<std::string> filesOf(const fs::path& bundle) {
    std::vector<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(bundle)) {
      if (entry.is_regular_file()) {
        files.push_back(entry.path().lexically_relative(bundle).generic_string());
      }
    }
    return files;
  }

  /// Makes the manifest fit the files again.
  static void reseal(const fs::path& bundle) {
    auto manifest = parseManifest(bytesOf(bundle / "bundle.json"), "bundle.json");
    ASSERT_TRUE(manifest.ok());
    for (ManifestFile& file : manifest->files) {
      const std::string bytes = bytesOf(bundle / file.path);
      file.size = bytes.size();
      file.sha256 = sha256(asBytes(bytes));
    }
    put(bundle / "bundle.json", formatManifest(*manifest));
  }

  void write(std::string_view name) {
    const Status status = writeBundle(someBundle(), at(name));
    ASSERT_TRUE(status.ok()) << status.error().message;
  }

  std::optional<TemporaryDirectory> directory_;
};

TEST_F(BundleTest, BothFormsGiveBackWhatWasWritten) {
  const Bundle bundle = someBundle();
  for (const char* name : {"tree", "file.narrows"}) {
    SCOPED_TRACE(name);
    const Status status = writeBundle(bundle, at(name));
    ASSERT_TRUE(status.ok()) << status.error().message;
    auto read = readBundle(at(name));
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(read->name, bundle.name);
    EXPECT_EQ(read->description, bundle.description);
    EXPECT_EQ(formatPlan(read->plan), formatPlan(bundle.plan));
    expectSamePieces(bundle, *read);
  }
  EXPECT_TRUE(fs::is_directory(at("tree")));
  EXPECT_TRUE(fs::is_regular_file(at("file.narrows")));
  EXPECT_EQ(readBundle(at("tree"))->digest, readBundle(at("file.narrows"))->digest);
}

TEST_F(BundleTest, NothingIsLeftBesideTheBundle) {
  write("tree");
  write("file.narrows");
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(directory_->path())) ++entries;
  EXPECT_EQ(entries, 2u);
}

TEST_F(BundleTest, TheSameBundleGivesTheSameBytes) {
  write("a.narrows");
  write("b.narrows");
  EXPECT_EQ(bytesOf(at("a.narrows")), bytesOf(at("b.narrows")));
}

TEST_F(BundleTest, TheArchiveUnpacksIntoTheDirectoryForm) {
  write("tree");
  write("file.narrows");
  auto archive = MappedFile::open(at("file.narrows"));
  auto members = readArchive(*archive);
  ASSERT_TRUE(members.ok());
  const auto files = filesOf(at("tree"));
  EXPECT_EQ(members->size(), files.size());
  for (const std::string& file : files) {
    ASSERT_TRUE(members->contains(file)) << file;
    EXPECT_EQ(asText(members->at(file)->bytes()), bytesOf(at("tree") / file));
  }
}

TEST_F(BundleTest, WeightsStayMappedInBothForms) {
  for (const char* name : {"tree", "file.narrows"}) {
    SCOPED_TRACE(name);
    write(name);
    auto read = readBundle(at(name));
    ASSERT_TRUE(read.ok()) << read.error().message;
    std::size_t mapped = 0;
    for (const Graph& piece : read->pieces) {
      for (const Value& value : piece.values()) {
        if (!value.isConstant() || value.type.bytes() < 1024) continue;
        EXPECT_FALSE(value.constant->writable()) << value.name << " is a copy";
        ++mapped;
      }
    }
    EXPECT_EQ(mapped, 2u);
    // The tensors hold the mapping: the files may go away.
    fs::remove_all(at(name));
    expectSamePieces(someBundle(), *read);
  }
}

TEST_F(BundleTest, RefusesToReplaceWhatIsThere) {
  fs::create_directory(at("tree"));
  put(at("file.narrows"), "precious");
  EXPECT_EQ(writeBundle(someBundle(), at("tree")).error().message,
            at("tree").string() + ": it exists");
  EXPECT_FALSE(writeBundle(someBundle(), at("file.narrows")).ok());
  EXPECT_EQ(bytesOf(at("file.narrows")), "precious");
  EXPECT_FALSE(writeBundle(someBundle(), at("nowhere/at/all")).ok());
}

TEST_F(BundleTest, RefusesABundleThatDoesNotFitTogether) {
  Bundle bundle = someBundle();
  bundle.plan.pieces[0].name = "../node";
  EXPECT_NE(writeBundle(bundle, at("a")).error().message.find("piece \"../node\""),
            std::string::npos);
  bundle = someBundle();
  bundle.pieces.pop_back();
  EXPECT_FALSE(writeBundle(bundle, at("a")).ok());
  bundle = someBundle();
  bundle.plan.transfers.pop_back();
  EXPECT_FALSE(writeBundle(bundle, at("a")).ok());
  EXPECT_FALSE(fs::exists(at("a")));
}

TEST_F(BundleTest, ADeviceReadsItsOwnPiecesOnly) {
  write("tree");
  fs::remove(at("tree") / "pieces" / "server.onnx");
  fs::remove(at("tree") / "pieces" / "server.weights");
  EXPECT_EQ(problemOf(at("tree")), "pieces/server.onnx: missing or not a readable file");
  auto read = readBundle(at("tree"), {"node", true});
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->pieces.size(), 2u);
  EXPECT_EQ(read->pieces[0].nodeCount(), 2u);
  EXPECT_EQ(read->pieces[1].nodeCount(), 0u);
  EXPECT_EQ(problemOf(at("tree"), {"nod", true}),
            "plan.json: there is no device \"nod\"; known are node, server");
}

TEST_F(BundleTest, EveryTruncatedOrDamagedFileIsNamed) {
  write("tree");
  for (const std::string& file : filesOf(at("tree"))) {
    SCOPED_TRACE(file);
    const std::string bytes = bytesOf(at("tree") / file);
    for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 23) {
      put(at("tree") / file, bytes.substr(0, size));
      EXPECT_EQ(problemOf(at("tree")).rfind(file, 0), 0u) << problemOf(at("tree"));
    }
    for (std::size_t i = 0; i < 40; ++i) {
      std::string damaged = bytes;
      damaged[i * (bytes.size() - 1) / 39] ^= 0x40;
      put(at("tree") / file, damaged);
      EXPECT_EQ(problemOf(at("tree")).rfind(file, 0), 0u) << problemOf(at("tree"));
    }
    put(at("tree") / file, bytes + "x");
    EXPECT_NE(problemOf(at("tree")), "");
    put(at("tree") / file, bytes);
  }
  EXPECT_EQ(problemOf(at("tree")), "");
}

TEST_F(BundleTest, EveryTruncatedOrDamagedArchiveIsAnError) {
  write("file.narrows");
  const std::string bytes = bytesOf(at("file.narrows"));
  for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 50) {
    put(at("file.narrows"), bytes.substr(0, size));
    EXPECT_NE(problemOf(at("file.narrows")), "") << size;
  }
  for (std::size_t i = 0; i < 200; ++i) {
    std::string damaged = bytes;
    damaged[i * (bytes.size() - 1) / 199] ^= 0x21;
    put(at("file.narrows"), damaged);
    EXPECT_NE(problemOf(at("file.narrows")), "") << i;
  }
}

TEST_F(BundleTest, ChecksumsCanBeSkippedForSpeed) {
  write("tree");
  const fs::path weights = at("tree") / "pieces" / "node.weights";
  std::string bytes = bytesOf(weights);
  bytes[0] ^= 1;
  put(weights, bytes);
  EXPECT_EQ(problemOf(at("tree")),
            "pieces/node.weights: its SHA-256 is not the one in bundle.json: the file is damaged");
  EXPECT_EQ(problemOf(at("tree"), {"", false}), "");
}

TEST_F(BundleTest, RefusesFilesThatAreNotListedOrLinks) {
  write("tree");
  put(at("tree") / "stray", "x");
  EXPECT_EQ(problemOf(at("tree")), "stray: bundle.json does not list it");
  fs::remove(at("tree") / "stray");
  fs::rename(at("tree") / "plan.json", at("plan.json"));
  fs::create_symlink(at("plan.json"), at("tree") / "plan.json");
  EXPECT_EQ(problemOf(at("tree")), "plan.json: a link; a bundle holds files only");
  fs::remove(at("tree") / "plan.json");
  EXPECT_EQ(problemOf(at("tree")), "plan.json: missing or not a readable file");
}

TEST_F(BundleTest, RefusesAListedFileThatBelongsToNoPiece) {
  write("tree");
  auto manifest = parseManifest(bytesOf(at("tree") / "bundle.json"), "bundle.json");
  put(at("tree") / "pieces" / "extra.onnx", "x");
  manifest->files.push_back({"pieces/extra.onnx", 1, sha256(asBytes("x"))});
  put(at("tree") / "bundle.json", formatManifest(*manifest));
  EXPECT_EQ(problemOf(at("tree")), "bundle.json: \"pieces/extra.onnx\" belongs to no piece");
}

TEST_F(BundleTest, APieceThatDoesNotFitThePlanIsAnError) {
  write("tree");
  const std::string node = bytesOf(at("tree") / "pieces" / "node.onnx");
  fs::copy_file(at("tree") / "pieces" / "server.onnx", at("tree") / "pieces" / "node.onnx",
                fs::copy_options::overwrite_existing);
  reseal(at("tree"));
  EXPECT_NE(problemOf(at("tree")), "");
  put(at("tree") / "pieces" / "node.onnx", node);
  put(at("tree") / "pieces" / "server.onnx", "not a model");
  reseal(at("tree"));
  EXPECT_EQ(problemOf(at("tree")).rfind("pieces/server.onnx: ", 0), 0u) << problemOf(at("tree"));
}

TEST_F(BundleTest, SaysWhatIsNoBundle) {
  EXPECT_EQ(problemOf(at("nothing")), "there is no such file or directory");
  put(at("x.narrows"), "hello");
  EXPECT_EQ(problemOf(at("x.narrows")), "offset 0: the archive ends without its end mark");
  put(at("y.narrows"), std::string(5000, 'x'));
  EXPECT_EQ(problemOf(at("y.narrows")), "offset 0: not a ustar header");
  fs::create_directory(at("empty"));
  EXPECT_EQ(problemOf(at("empty")), "bundle.json: missing or not a readable file");
}

}  // namespace
}  // namespace narrows
