#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "narrows/eval/calibration.h"
#include "narrows/eval/validator.h"
#include "narrows/plan/split.h"
#include "narrows/prune/importance.h"
#include "narrows/train/bottleneck.h"
#include "narrows/train/fit.h"

namespace narrows {

enum class Importance : std::uint8_t { magnitude, norm, taylor };

/// Two-step structural pruning (Sanchez Leal et al., SAS 2023, equations 7 to 10).
struct PruneOptions {
  /// Points of accuracy that each step may leave below the uncut network.
  double max_drop = 3;
  Importance importance = Importance::taylor;
  std::size_t epochs = 2;
  /// Bisection over the share of removed groups.
  std::size_t trials = 4;
  bool second_step = true;
  /// Share of its channels that a value before the cut keeps at least.
  double least = 0.05;
  /// Goals that take the place of a step's search; 0: none. Step 1 removes as little as brings the
  /// mean frame of the network, not yet trained anew, to so many bytes.
  double frame_bytes = 0;
  /// Step 2 removes as little as leaves the node this share of the uncut network's MACs before the
  /// cut.
  double node_macs_share = 0;
};

struct TightenRequest {
  std::string cut;
  /// None when the kind is `none`: fp32 crosses.
  QuantizerSpec quantizer{QuantizerKind::none, 8, Granularity::channel};
  bool learned = false;
  /// Training does not see the quantizer; it is calibrated afterwards.
  bool post_training = false;
  Growth clustering;
  /// Weight of an expected bit.
  double rate = 0;
  /// The weight is driven so that the mean frame has at most so many bytes; 0: it stays.
  double target_bytes = 0;
  std::optional<PruneOptions> prune;
  std::optional<AutoencoderShape> autoencoder;
  /// It starts from a code in closed form, not from random weights, and nothing is reconstructed:
  /// where one 1x1 convolution reads the map, and the autoencoder has as many channels as that has
  /// outputs, as that one and the ReLU behind it, and with several times as many channels each
  /// output in so many parts (see `segmented`); else as the linear code that changes the network's
  /// outputs least (see `LinearCodeFinder`).
  bool fitted_start = false;
  std::size_t autoencoder_epochs = 5;
  /// Learning rate of the reconstruction; 0: that of the main training.
  double autoencoder_rate = 0;
  std::optional<EngineShape> recovery;
  std::size_t recovery_epochs = 5;
  /// Loop of the main training; those of other stages differ in the epochs.
  FitOptions fit;
  /// Task, teacher, optimizer.
  TrainerOptions trainer;
  /// Weights (constants of rank 2 and more) of the given network that this value does not depend on
  /// stay as they are, so that networks tightened at several cuts share them; scales, biases and
  /// statistics of normalisations are trained. Empty: all are trained.
  std::string train_until;
  BatchOptions batches;
  /// The pieces hold their weights in half precision and their normalisations as trained, not
  /// folded into the weights: those that training left alone are the given network's to the bit.
  bool half_weights = false;
  std::size_t calibration_pictures = 32;
  std::uint64_t seed = 1;
  std::size_t threads = 1;
};

/// One line of the table before and after each transformation. Accuracy and bytes are measured with
/// the pieces on the inference engine; counts are of the simplified pieces.
struct TightenRow {
  std::string stage;
  Accuracy accuracy;
  double mean_bytes = 0;
  std::size_t worst_bytes = 0;
  std::int64_t cut_elements = 0;
  std::int64_t node_macs = 0;
  std::int64_t node_parameters = 0;
  std::size_t node_memory = 0;
  std::int64_t server_macs = 0;
};

struct TightenResult {
  std::vector<TightenRow> rows;
  /// The last stage's pieces with their interfaces.
  SplitModel split;
};

/// Applies what is asked for, in the order prune, autoencoder, training, recovery; each stage
/// starts from what the one before it kept, and is told to `row` when it is measured. With a folder
/// in `fit` and `resume`, stages that have ended are not trained again.
Result<TightenResult> tighten(const Graph& graph, const ModelDescription& description,
                              const DataSet& training, Validator& validator,
                              const TightenRequest& request,
                              const std::function<Status(const TightenRow&)>& row);

}  // namespace narrows
