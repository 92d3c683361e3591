#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/codec/params.h"
#include "narrows/graph/graph.h"
#include "narrows/torch/network.h"
#include "narrows/torch/task.h"

namespace narrows {

/// A quantizer at a value of the network.
struct TrainedInterface {
  std::string value;
  QuantizerParams quantizer;
  /// Low ends and steps, or the table of levels, are trained too; not for two_level.
  bool learned = false;
  /// What follows sees quantized values; otherwise only the clustering and rate terms act.
  bool in_forward = true;
  /// The rate term acts, under these tables of the context coder (empty: the standard ones).
  bool rate = false;
  ByteVector rate_tables;
};

/// A network whose answers are imitated; no labels are needed.
struct Teacher {
  Graph graph;
  /// Weight of the loss on the outputs: Kullback-Leibler for classifiers, else squared differences.
  double output_weight = 1;
  double temperature = 2;
  /// Values of the student and of the teacher that should be alike.
  std::vector<std::pair<std::string, std::string>> features;
  double feature_weight = 0;
};

enum class OptimizerKind : std::uint8_t { sgd, adamw };

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::adamw;
  /// Momentum of SGD (Nesterov's form); first decay of AdamW.
  double momentum = 0.9;
  /// Second decay of AdamW (Loshchilov and Hutter 2019, algorithm 2).
  double second_decay = 0.999;
  /// Of weights of rank 2 and more; biases and normalisations are left alone.
  double weight_decay = 5e-4;
  /// Longest gradient of all parameters together; 0: no limit.
  double gradient_limit = 10;
};

struct TrainerOptions {
  Task task;
  /// Weight of the task's loss.
  double task_weight = 1;
  std::vector<TrainedInterface> interfaces;
  std::optional<Teacher> teacher;
  OptimizerOptions optimizer;
  /// Constants that stay as they are, and so do the statistics of normalisations whose scale is
  /// among them.
  std::vector<std::string> frozen;
  /// Normalisations use the statistics of the batch, otherwise the stored ones.
  bool batch_norm_training = true;
  double batch_norm_momentum = 0.1;
  /// Convolutions of the network and of its teacher multiply in bf16; weights, sums and gradients
  /// of weights stay f32.
  bool bf16 = false;
  /// Where steps are computed: "cpu", "cuda" or "cuda:N".
  std::string device = "cpu";
  /// Decay of the running mean of the weights (0: none kept); it starts lower, as
  /// min(decay, (1 + step) / (10 + step)).
  double average_decay = 0;
};

/// What a step takes from the schedules.
struct StepFactors {
  double learning_rate = 1e-3;
  /// Weight of the clustering loss.
  double clustering = 0;
  /// Weight of each expected bit of a sample.
  double rate = 0;
};

/// Losses of one step, before their weights; `total` is what was minimised.
struct StepLosses {
  double total = 0;
  double task = 0;
  double output = 0;
  double feature = 0;
  double clustering = 0;
  /// Of a sample, all interfaces together.
  double expected_bits = 0;
};

/// Trains the constants of a graph, one step at a time. The same steps with the same number of
/// threads give the same bits. One thread at a time.
class Trainer {
 public:
  /// Fails on names that the graph lacks, heads that do not fit it, and quantizers that cannot be
  /// trained.
  static Result<Trainer> create(const Graph& graph, const TrainerOptions& options);
  Trainer(Trainer&&) noexcept;
  Trainer& operator=(Trainer&&) noexcept;
  ~Trainer();

  /// Fails when the batch does not fit the task or the loss is not a finite number; nothing has
  /// changed then.
  Result<StepLosses> step(const TrainBatch& batch, const StepFactors& factors);

  /// Mean over the samples of sum |gradient x value| of the task's and teacher's loss, for each
  /// channel (axis 1) of each named value: its importance by first-order Taylor expansion
  /// (Molchanov et al. 2017, equation 8). One vector for each value, added up over calls by the
  /// caller. Weights do not change.
  Result<std::vector<std::vector<double>>> channelImportance(const TrainBatch& batch,
                                                             std::span<const std::string> values);

  /// The graph with the trained constants, or their running mean.
  Result<Graph> graph(bool averaged = false) const;
  /// Of the interface at this position; with learned parameters as they are now.
  QuantizerParams quantizer(std::size_t interface) const;
  Status setQuantizer(std::size_t interface, const QuantizerParams& params);
  Status setRateTables(std::size_t interface, ByteSpan tables);
  std::int64_t steps() const;

  /// All that a later run needs to go on as if nothing had happened.
  std::vector<NamedTensor> state() const;
  /// Fails, with nothing changed, when the state is not one of a trainer of this graph and options.
  Status restore(std::span<const NamedTensor> state);

 private:
  struct State;
  explicit Trainer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace narrows
