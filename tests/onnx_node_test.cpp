#include <gtest/gtest.h>

#include <cstdlib>

#include "narrows/engine/engine.h"
#include "tests/onnx_node_case.h"
#include "tests/support/figure.h"
#include "tests/support/shared_data.h"

namespace narrows::test {
namespace {

class OnnxNodeTest : public testing::TestWithParam<std::string_view> {
 protected:
  /// Runs the cases; none may fail and `least_passed` must pass, so that a reader or an engine that
  /// forgets an operator is noticed.
  void expectCases(std::string_view what, const std::vector<NodeCase>& cases,
                   std::size_t least_passed) {
    Tally tally;
    for (const NodeCase& node_case : cases) {
      tally.add(node_case.name, runCase(node_case, GetParam()));
    }
    fmt::print("{} on {}: {}", what, GetParam(), tally.report());
    // One engine's figures stand for all: each must pass what another does.
    if (GetParam() == defaultEngineName()) {
      const auto count = [&](Verdict verdict) { return static_cast<double>(tally.count(verdict)); };
      recordFigure(fmt::format("onnx_{}_passed", what), count(Verdict::passed), "tests");
      if (what == "node_tests")
        recordFigure("onnx_node_tests_failed", count(Verdict::failed), "tests");
    }
    EXPECT_EQ(tally.count(Verdict::failed), 0u) << tally.failures();
    EXPECT_GE(tally.count(Verdict::passed), least_passed);
  }

  void expectFolder(const char* folder, std::string_view what, std::size_t least_passed) {
    NARROWS_REQUIRE_SHARED();
    auto archive = unpackedArchive("onnx-backend-tests");
    ASSERT_TRUE(archive.ok()) << archive.error().message;
    expectCases(what, nodeCases(*archive / folder), least_passed);
  }
};

TEST_P(OnnxNodeTest, Node) {
  expectFolder("node", "node_tests", 986);
}
TEST_P(OnnxNodeTest, Simple) {
  expectFolder("simple", "simple", 7);
}
TEST_P(OnnxNodeTest, PytorchConverted) {
  expectFolder("pytorch-converted", "pytorch", 82);
}

/// Whole published networks. They take billions of products each, so unless NARROWS_FULL is set the
/// fastest engine leaves out the largest, and others run only the two smallest.
TEST_P(OnnxNodeTest, Light) {
  NARROWS_REQUIRE_SHARED();
  auto archive = unpackedArchive("onnx-backend-tests");
  ASSERT_TRUE(archive.ok()) << archive.error().message;
  std::vector<NodeCase> cases = lightCases(*archive / "light");
  ASSERT_EQ(cases.size(), 9u);
  if (std::getenv("NARROWS_FULL") == nullptr) {
    const bool fast = GetParam() == defaultEngineName();
    std::erase_if(cases, [fast](const NodeCase& node_case) {
      if (fast) return node_case.name == "light_vgg19";
      return node_case.name != "light_squeezenet" && node_case.name != "light_shufflenet";
    });
  }
  expectCases("light", cases, cases.size());
}

INSTANTIATE_TEST_SUITE_P(Engines, OnnxNodeTest, testing::ValuesIn(engineNames()),
                         [](const auto& engine) { return std::string(engine.param); });

}  // namespace
}  // namespace narrows::test
