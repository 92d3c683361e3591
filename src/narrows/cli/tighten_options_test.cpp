#include "narrows/cli/tighten_options.h"

#include <gtest/gtest.h>

namespace narrows {
namespace {

TEST(TightenOptions, RecoveryCanBeUsedOnItsOwn) {
  const std::vector<std::string> arguments = {"net.onnx", "--data",   "set", "--cut",
                                              "pool2",    "--epochs", "0",   "--recover",
                                              "2",        "--out",    "out"};
  TightenOptions options;
  EXPECT_EQ(parseTighten(arguments, options), Arguments::Outcome::run);
  EXPECT_EQ(options.training.epochs, 0u);
  EXPECT_EQ(options.recovery_blocks, 2);
}

TEST(TightenOptions, ImitatedTensorsAreNamedOneByOne) {
  const std::vector<std::string> arguments = {"--data",
                                              "set",
                                              "--cut",
                                              "pool2",
                                              "--teacher",
                                              "net.onnx",
                                              "--out",
                                              "out",
                                              "--teacher-feature",
                                              "pool3",
                                              "--teacher-feature",
                                              "pool4",
                                              "other.onnx"};
  TightenOptions options;
  EXPECT_EQ(parseTighten(arguments, options), Arguments::Outcome::run);
  EXPECT_EQ(options.training.teacher_features, (std::vector<std::string>{"pool3", "pool4"}));
  EXPECT_EQ(options.training.model.model, "other.onnx");
}

TEST(TightenOptions, AnAutoencoderStartsRandomOrFitted) {
  std::vector<std::string> arguments = {
      "net.onnx", "--data", "set",           "--cut", "pool2",
      "--out",    "out",    "--autoencoder", "8",     "--autoencoder-start",
      "fitted"};
  TightenOptions options;
  EXPECT_EQ(parseTighten(arguments, options), Arguments::Outcome::run);
  EXPECT_EQ(options.latent_start, "fitted");
  arguments.back() = "guessed";
  EXPECT_EQ(parseTighten(arguments, options), Arguments::Outcome::usage_error);
}

TEST(TightenOptions, TrainingNeedsAnEpoch) {
  const std::vector<std::string> arguments = {"net.onnx", "--data", "set", "--epochs",
                                              "0",        "--out",  "out"};
  TrainOptions options;
  EXPECT_EQ(parseTrain(arguments, options), Arguments::Outcome::usage_error);
}

}  // namespace
}  // namespace narrows
