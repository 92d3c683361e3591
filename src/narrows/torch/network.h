#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/graph/graph.h"
#include "narrows/tensor/tensor.h"

namespace narrows {

struct TorchOptions {
  /// Arithmetic in f64, and f64 outputs and gradients: for checks of gradients.
  bool double_precision = false;
  /// Normalisations use the statistics of the batch, and move the stored ones by `momentum`.
  bool batch_norm_training = false;
  double momentum = 0.1;
  /// "cpu", "cuda" or "cuda:N".
  std::string device = "cpu";
};

/// A tensor and whose it is.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// What `TorchNetwork::differentiate` gives.
struct Gradients {
  std::vector<Tensor> outputs;
  /// One for each input; zeros for those that are not floating-point.
  std::vector<Tensor> inputs;
  /// One for each parameter, by the constant's name.
  std::vector<NamedTensor> parameters;
};

/// An error that says why nothing can be computed on `device` ("cpu", "cuda" or "cuda:N").
Status checkTorchDevice(const std::string& device);

/// Threads of libtorch in this process, from now on.
void setTorchThreads(std::size_t threads);

/// A graph executed by libtorch, with gradients. Results agree with the reference engine within
/// float rounding. One thread at a time.
class TorchNetwork {
 public:
  static Result<TorchNetwork> create(const Graph& graph, const TorchOptions& options = {});
  TorchNetwork(TorchNetwork&&) noexcept;
  TorchNetwork& operator=(TorchNetwork&&) noexcept;
  ~TorchNetwork();

  /// The graph's outputs. Inputs may hold several samples in axis 0 where the graph has one; a
  /// graph with a node that cannot take them gives an error that names it.
  Result<std::vector<Tensor>> run(std::span<const TensorView> inputs);

  /// Gradients of sum over outputs of <output, weight>, one weight for each output, of its shape.
  /// Weights of outputs that are not floating-point are not looked at.
  Result<Gradients> differentiate(std::span<const TensorView> inputs,
                                  std::span<const TensorView> weights);

  /// Names of the constants that training changes.
  std::vector<std::string> parameterNames() const;
  /// New elements for one of them, of its shape.
  Status setParameter(std::string_view name, TensorView elements);
  /// The graph with the parameters and statistics as they are now.
  Result<Graph> graph() const;

 private:
  struct State;
  explicit TorchNetwork(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace narrows
