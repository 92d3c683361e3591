#include <cstdio>
#include <filesystem>

#include "narrows/base/file.h"
#include "narrows/formats/onnx_test_model.h"
#include "narrows/formats/onnx_writer.h"
#include "narrows/graph/random_graph.h"

// Writes the seeds of the ONNX reader's fuzz target: small random graphs, and forms of operators
// that the writer does not use.
namespace narrows {
namespace {

using test::OnnxTestModel;

OnnxTestModel oldForms() {
  OnnxTestModel model(9);
  model.input("x", {-1, 4, 6, 6});
  model.node("Clip", {"x"}, {"a"}).with("min", 0.0).with("max", 6.0);
  model.node("Pad", {"a"}, {"b"}).with("pads", Ints{0, 0, 1, 1, 0, 0, 1, 1});
  model.node("Slice", {"b"}, {"c"})
      .with("starts", Ints{1})
      .with("ends", Ints{7})
      .with("axes", Ints{2});
  model.node("Upsample", {"c"}, {"d"}).with("scales", std::vector<float>{1, 1, 2, 2});
  model.node("Split", {"d"}, {"e", "f"}).with("axis", 1).with("split", Ints{1, 3});
  model.node("Squeeze", {"e"}, {"g"}).with("axes", Ints{1});
  model.node("Unsqueeze", {"g"}, {"h"}).with("axes", Ints{1});
  model.node("ReduceSum", {"f"}, {"i"}).with("axes", Ints{1}).with("keepdims", 1);
  model.node("Sum", {"h", "i", "h"}, {"j"});
  model.node("Softmax", {"j"}, {"y"}).with("axis", 1);
  model.output("y");
  return model;
}

OnnxTestModel shapes() {
  OnnxTestModel model(18);
  model.input("x", {-1, 2, 4, 4}).floats("w", {2, 2, 3, 3}, std::vector<float>(36, 0.5f));
  model.node("Conv", {"x", "w"}, {"c"}).with("auto_pad", "SAME_UPPER");
  model.node("Shape", {"c"}, {"s"}).with("end", 2);
  model.ints("tail", {-1}).ints("axes", {2}).ints("sizes", {8});
  model.node("Concat", {"s", "tail"}, {"wanted"}).with("axis", 0);
  model.node("Reshape", {"c", "wanted"}, {"r"});
  model.node("ReduceMean", {"r", "axes"}, {"m"});
  model.node("Resize", {"m", "", "", "sizes"}, {"y"}).with("axes", Ints{2}).with("mode", "linear");
  model.output("y");
  return model;
}

OnnxTestModel decompositions() {
  OnnxTestModel model(20);
  model.input("x", {1, 4, 6}).floats("w", {4, 4, 3}, std::vector<float>(48, 0.25f));
  model.floats("s", {4}, {1, 2, 3, 4}).floats("b", {4}, {0, 0, 0, 1});
  model.node("ConvTranspose", {"x", "w"}, {"a"})
      .with("strides", Ints{2})
      .with("output_shape", Ints{12});
  model.node("InstanceNormalization", {"a", "s", "b"}, {"n"});
  model.node("Gelu", {"n"}, {"g"}).with("approximate", "tanh");
  model.node("Dropout", {"g"}, {"d", "mask"});
  model.node("MaxPool", {"d"}, {"p"}).with("kernel_shape", Ints{2}).with("ceil_mode", 1);
  model.node("LpNormalization", {"p"}, {"y"}).with("axis", 1);
  model.output("y").output("mask");
  return model;
}

}  // namespace
}  // namespace narrows

int main(int argc, char** argv) {
  using namespace narrows;
  if (argc != 2) {
    std::fputs("usage: narrows_onnx_reader_seeds FOLDER\n", stderr);
    return 2;
  }
  const std::filesystem::path folder(argv[1]);
  const auto put = [&folder](const std::string& name, const ByteVector& bytes) {
    NARROWS_ASSERT(writeFileAtomically(folder / name, bytes).ok());
  };
  put("old_forms.onnx", oldForms().bytes());
  put("shapes.onnx", shapes().bytes());
  put("decompositions.onnx", decompositions().bytes());
  for (std::uint32_t seed = 1; seed <= 8; ++seed) {
    RandomGraphOptions options;
    options.nodes = 8;
    auto bytes = serializeOnnx(randomGraph(seed, options));
    NARROWS_ASSERT(bytes.ok());
    put(fmt::format("random_{}.onnx", seed), *bytes);
  }
  return 0;
}
