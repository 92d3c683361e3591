#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/tensor/tensor.h"

namespace narrows::bench {

/// ONNX Runtime, loaded from its shared library; the yardstick of the benchmarks.
class OnnxRuntime {
 public:
  /// A model ready to run on one thread count.
  class Session {
   public:
    virtual ~Session() = default;
    /// Runs once; results stay inside until the next run.
    virtual Status run() = 0;
    /// The f32 elements of one output of the last run.
    virtual Result<std::span<const float>> output(std::size_t index) = 0;
  };

  virtual ~OnnxRuntime() = default;
  virtual std::string version() const = 0;
  /// `inputs` are read by every run and outlive the session. All tensors are f32.
  virtual Result<std::unique_ptr<Session>> open(ByteSpan model, std::size_t threads,
                                                std::vector<std::string> input_names,
                                                std::vector<TensorView> inputs,
                                                std::vector<std::string> output_names) = 0;

  static Result<std::unique_ptr<OnnxRuntime>> load(const std::filesystem::path& library);
};

}  // namespace narrows::bench
