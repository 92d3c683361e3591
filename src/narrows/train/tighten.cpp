#include "narrows/train/tighten.h"

#include <algorithm>
#include <set>

#include "narrows/graph/extract.h"
#include "narrows/graph/half_weights.h"
#include "narrows/graph/passes.h"

namespace narrows {
namespace {

/// A network on its way, with what crosses its cut.
struct Design {
  Graph graph;
  std::string cut;
  /// Set once a quantizer has been trained; until then it is calibrated.
  std::optional<QuantizerParams> quantizer;
};

/// What is measured, and what a bundle is made of.
struct Measured {
  Graph graph;  // simplified
  Cut cut;
  std::vector<FeatureInterface> interfaces;
  PieceFigures figures;
};

class Tightener {
 public:
  Tightener(const ModelDescription& description, const DataSet& training, Validator& validator,
            const TightenRequest& request, const std::function<Status(const TightenRow&)>& row)
      : description_(description),
        training_(training),
        validator_(validator),
        request_(request),
        told_(row) {
    calibration_.items = spread(training.items, request.calibration_pictures);
    pictures_.emplace(calibration_.items, description.preprocessing);
  }

  Result<TightenResult> run(const Graph& graph) {
    Design design{graph, request_.cut, std::nullopt};
    uncut_ = graph;
    NARROWS_CHECK(findShared());
    NARROWS_CHECK(tellOriginal(design));
    if (quantizes()) NARROWS_CHECK(tell("quantized", design));
    if (request_.prune) {
      NARROWS_CHECK(prune(design, PruneStep::cut));
      NARROWS_CHECK(tell("pruned step 1", design));
      if (request_.prune->second_step) {
        NARROWS_CHECK(prune(design, PruneStep::before));
        NARROWS_CHECK(tell("pruned step 2", design));
      }
    }
    if (request_.autoencoder) {
      NARROWS_CHECK(addAutoencoder(design));
      NARROWS_CHECK(tell("autoencoder", design));
    }
    if (request_.fit.epochs > 0) {
      NARROWS_CHECK(trainWhole(design));
      NARROWS_CHECK(tell("trained", design));
    }
    if (request_.recovery) {
      NARROWS_CHECK(recover(design));
      NARROWS_CHECK(tell("recovered", design));
    }
    if (request_.half_weights) {
      NARROWS_TRY(halved, halveWeights(design.graph));
      design.graph = std::move(halved);
      NARROWS_CHECK(tell("half precision", design));
    }
    if (!last_) {  // nothing was asked for
      NARROWS_TRY(measured, measure(design));
      last_ = std::move(measured);
    }
    NARROWS_TRY(split, splitOf(design, *last_));
    result_.split = std::move(split);
    return std::move(result_);
  }

 private:
  static std::vector<DataItem> spread(const std::vector<DataItem>& items, std::size_t count) {
    if (count == 0 || count >= items.size()) return items;
    std::vector<DataItem> kept;
    for (std::size_t i = 0; i < count; ++i) kept.push_back(items[i * items.size() / count]);
    return kept;
  }

  /// Weights that stay as the given network has them.
  Status findShared() {
    if (request_.train_until.empty()) return {};
    const ValueId until = uncut_.findValue(request_.train_until);
    if (!until.valid()) return makeError("the network has no value {}", request_.train_until);
    NARROWS_TRY(nodes, nodesBetween(uncut_, uncut_.inputs(), {&until, 1}));
    std::set<ValueId> trained;
    for (const NodeId node : nodes) {
      const std::vector<ValueId>& inputs = uncut_.node(node).inputs;
      trained.insert(inputs.begin(), inputs.end());
    }
    for (std::size_t i = 0; i < uncut_.valueCount(); ++i) {
      const ValueId id(i);
      const Value& value = uncut_.value(id);
      if (value.isConstant() && value.type.shape.rank() >= 2 && !trained.contains(id)) {
        shared_.push_back(value.name);
      }
    }
    return {};
  }

  bool quantizes() const { return request_.quantizer.kind != QuantizerKind::none; }

  /// Interfaces for the design as it is: the trained quantizer, else a calibrated one; coder tables
  /// fitted to the calibration pictures.
  Result<std::vector<FeatureInterface>> fitInterfaces(const Graph& simple, const Cut& cut,
                                                      const Design& design) {
    CoderParams coder{quantizes() ? CoderKind::context : CoderKind::zstd, -1, {}};
    if (!quantizes()) {
      std::vector<FeatureInterface> plain;
      for (const ValueId value : cut.values) {
        plain.push_back(plainInterface(simple.type(value)));
        plain.back().coder = coder;
      }
      return plain;
    }
    NARROWS_TRY(statistics, calibrateCut(validator_.engine(), simple, cut, description_, *pictures_,
                                         request_.quantizer.granularity, request_.threads));
    NARROWS_TRY(interfaces, statistics.fit(request_.quantizer, coder));
    if (design.quantizer) {
      interfaces[0].quantizer = *design.quantizer;
      NARROWS_CHECK(statistics.fitCoder(interfaces, coder));
    }
    return interfaces;
  }

  Result<Measured> measure(const Design& design) {
    NARROWS_TRY(simple, simplify(design.graph));
    NARROWS_TRY(cut, findCut(simple, design.cut));
    NARROWS_TRY(interfaces, fitInterfaces(simple, cut, design));
    NARROWS_TRY(figures, validator_.score(simple, cut, interfaces));
    return Measured{std::move(simple), std::move(cut), std::move(interfaces), figures};
  }

  Status addRow(std::string stage, const Measured& measured) {
    TightenRow row;
    row.stage = std::move(stage);
    row.accuracy = measured.figures.accuracy;
    row.mean_bytes = measured.figures.mean_bytes;
    row.worst_bytes = measured.figures.worst_bytes;
    row.cut_elements = cutElements(measured.graph, measured.cut);
    row.node_macs = measured.cut.before.macs;
    row.node_parameters = measured.cut.before.parameters;
    row.node_memory = measured.cut.memory_before.total();
    row.server_macs = measured.cut.after.macs;
    result_.rows.push_back(row);
    return told_ ? told_(row) : Status();
  }

  /// The cut network with fp32 crossing as it is, uncoded: what reductions are counted from.
  Status tellOriginal(const Design& design) {
    NARROWS_TRY(simple, simplify(design.graph));
    NARROWS_TRY(cut, findCut(simple, design.cut));
    if (cut.values.size() != 1) return makeError("{}: expected a cut of one tensor", design.cut);
    Measured measured;
    measured.figures.accuracy = validator_.uncut();
    measured.figures.mean_bytes = 4.0 * static_cast<double>(cutElements(simple, cut));
    measured.figures.worst_bytes = static_cast<std::size_t>(measured.figures.mean_bytes);
    measured.graph = std::move(simple);
    measured.cut = std::move(cut);
    return addRow("original", measured);
  }

  Status tell(std::string stage, const Design& design) {
    NARROWS_TRY(measured, measure(design));
    last_ = std::move(measured);
    return addRow(std::move(stage), *last_);
  }

  Result<SplitModel> splitOf(const Design& design, const Measured& measured) const {
    if (!request_.half_weights) return splitAt(measured.graph, measured.cut, measured.interfaces);
    // Simplifying would widen the weights and fold the normalisations into them.
    NARROWS_TRY(cut, findCut(design.graph, design.cut));
    return splitAt(design.graph, cut, measured.interfaces);
  }

  /// The calibrated quantizer of a graph that is not simplified.
  Result<QuantizerParams> calibrated(const Graph& graph, const std::string& cut_name,
                                     const QuantizerSpec& quantizer) {
    NARROWS_TRY(simple, simplify(graph));
    NARROWS_TRY(cut, findCut(simple, cut_name));
    NARROWS_TRY(statistics, calibrateCut(validator_.engine(), simple, cut, description_, *pictures_,
                                         quantizer.granularity, request_.threads));
    NARROWS_TRY(interfaces, statistics.fit(quantizer, {CoderKind::raw, -1, {}}));
    return std::move(interfaces[0].quantizer);
  }

  Result<TrainerOptions> trainerOptions(const Design& design, bool with_terms) {
    TrainerOptions options = request_.trainer;
    options.frozen = shared_;
    if (!quantizes()) return options;
    TrainedInterface interface;
    interface.value = design.cut;
    if (design.quantizer) {
      interface.quantizer = *design.quantizer;
    } else {
      NARROWS_TRY(params, calibrated(design.graph, design.cut, request_.quantizer));
      interface.quantizer = std::move(params);
    }
    interface.learned = request_.learned && with_terms;
    interface.in_forward = !request_.post_training;
    interface.rate = (request_.rate > 0 || request_.target_bytes > 0) && with_terms;
    options.interfaces.push_back(std::move(interface));
    return options;
  }

  /// Before each epoch: a quantizer that is not learned is calibrated anew on what it now sees, and
  /// the rate term gets tables of the maps of now.
  Status refit(Trainer& trainer, const Design& design, const TrainerOptions& options, bool fixed) {
    if (options.interfaces.empty()) return {};
    const TrainedInterface& interface = options.interfaces[0];
    if (!interface.learned && !fixed) {
      NARROWS_TRY(graph, trainer.graph());
      NARROWS_TRY(params, calibrated(graph, design.cut, request_.quantizer));
      NARROWS_CHECK(trainer.setQuantizer(0, params));
    }
    if (!interface.rate) return {};
    NARROWS_TRY(graph, trainer.graph());
    NARROWS_TRY(simple, simplify(graph));
    NARROWS_TRY(cut, findCut(simple, design.cut));
    const Design now{graph, design.cut, trainer.quantizer(0)};
    NARROWS_TRY(interfaces, fitInterfaces(simple, cut, now));
    return trainer.setRateTables(0, interfaces[0].coder.tables);
  }

  struct Stage {
    std::string name;
    std::size_t epochs = 0;
    bool validate_each = false;
    /// The quantizer stays as the design has it.
    bool fixed_quantizer = false;
    bool with_terms = false;
    /// 0: that of the main training.
    double learning_rate = 0;
  };

  /// Trains the design; it then holds the kept weights, and the quantizer if that is trained.
  Status train(Design& design, const TrainerOptions& options, const Stage& stage) {
    NARROWS_TRY(trainer, Trainer::create(design.graph, options));
    NARROWS_TRY(batches, BatchSource::create(training_, description_, request_.batches));
    FitOptions fit_options = request_.fit;
    fit_options.name = stage.name;
    fit_options.epochs = stage.epochs;
    if (stage.learning_rate > 0) fit_options.learning_rate.peak = stage.learning_rate;
    fit_options.fingerprint += " stage " + stage.name;
    if (!stage.validate_each) fit_options.validate_every = std::max<std::size_t>(1, stage.epochs);
    fit_options.rate_control.target_bytes = stage.with_terms ? request_.target_bytes : 0;
    if (!stage.with_terms) fit_options.clustering.most = 0;
    const bool learned = !options.interfaces.empty() && options.interfaces[0].learned;
    FitHooks hooks;
    hooks.before_epoch = [&](Trainer& now, std::size_t) {
      return refit(now, design, options, stage.fixed_quantizer);
    };
    if (stage.validate_each) {
      hooks.validate = [&](const Trainer& now) -> Result<Validation> {
        NARROWS_TRY(graph, now.graph(true));
        Design candidate{std::move(graph), design.cut, design.quantizer};
        if (learned) candidate.quantizer = now.quantizer(0);
        NARROWS_TRY(measured, measure(candidate));
        return Validation{measured.figures.accuracy.primary, measured.figures.mean_bytes};
      };
    }
    NARROWS_CHECK(fit(trainer, batches, fit_options, hooks));
    NARROWS_TRY(trained, trainer.graph(true));
    design.graph = std::move(trained);
    if (learned) design.quantizer = trainer.quantizer(0);
    return {};
  }

  /// Some batches of the training pictures as they are, for what is estimated from them.
  Status visitSample(const std::function<Status(const TrainBatch&)>& visit) {
    BatchOptions plain = request_.batches;
    plain.augmentation = {};
    NARROWS_TRY(batches, BatchSource::create(training_, description_, plain));
    constexpr std::size_t kBatches = 8;
    for (std::size_t i = 0; i < std::min(kBatches, batches.batchesPerEpoch()); ++i) {
      NARROWS_TRY(batch, batches.batch(0, i));
      NARROWS_CHECK(visit(batch));
    }
    return {};
  }

  Result<std::vector<double>> importanceOf(const Design& design, const ChannelGroups& groups) {
    switch (request_.prune->importance) {
      case Importance::magnitude:
        return magnitudeImportance(design.graph, groups);
      case Importance::norm:
        return normImportance(design.graph, groups);
      case Importance::taylor:
        break;
    }
    NARROWS_TRY(options, trainerOptions(design, false));
    NARROWS_TRY(trainer, Trainer::create(design.graph, options));
    const std::vector<ValueId> values = importanceValues(design.graph, groups);
    std::vector<std::string> names;
    for (const ValueId value : values) names.push_back(design.graph.value(value).name);
    std::vector<std::vector<double>> sums;
    const auto add = [&](const TrainBatch& batch) -> Status {
      NARROWS_TRY(weights, trainer.channelImportance(batch, names));
      if (sums.empty()) {
        sums = std::move(weights);
        return {};
      }
      for (std::size_t v = 0; v < sums.size(); ++v) {
        for (std::size_t c = 0; c < sums[v].size(); ++c) sums[v][c] += weights[v][c];
      }
      return {};
    };
    NARROWS_CHECK(visitSample(add));
    return sumByGroup(groups, values, sums);
  }

  /// What a step chooses from.
  struct Candidates {
    ChannelGroups groups;
    std::vector<bool> allowed;
    std::vector<double> importance;
    /// Share of its channels that each value keeps at least.
    double least = 0;
  };

  Result<Design> without(const Design& design, const Candidates& from, double share) {
    const auto removed =
        chooseGroups(design.graph, from.groups, from.allowed, from.importance, share, from.least);
    NARROWS_TRY(smaller, removeChannels(design.graph, from.groups, removed));
    return Design{std::move(smaller), design.cut, std::nullopt};
  }

  Status fineTune(Design& design, std::string name) {
    if (request_.prune->epochs == 0) return {};
    NARROWS_TRY(options, trainerOptions(design, false));
    Stage stage;
    stage.name = std::move(name);
    stage.epochs = request_.prune->epochs;
    return train(design, options, stage);
  }

  /// Removes channels by one step, fine-tuned; the design becomes that network.
  Status prune(Design& design, PruneStep step) {
    const bool first = step == PruneStep::cut;
    Candidates from{ChannelGroups::find(design.graph), {}, {}, 0};
    const ValueId at = design.graph.findValue(design.cut);
    if (!at.valid()) return makeError("the network has no value {}", design.cut);
    NARROWS_TRY(cut, makeCut(design.graph, {at}));
    from.allowed = stepGroups(design.graph, from.groups, cut, step);
    if (std::none_of(from.allowed.begin(), from.allowed.end(), [](bool c) { return c; })) return {};
    NARROWS_TRY(importance, importanceOf(design, from.groups));
    from.importance = std::move(importance);
    from.least = first ? 0 : request_.prune->least;
    if (first && request_.prune->frame_bytes > 0) {
      return pruneTo(design, from, "step1", [&](const Design& candidate) -> Result<bool> {
        NARROWS_TRY(measured, measure(candidate));
        return measured.figures.mean_bytes <= request_.prune->frame_bytes;
      });
    }
    if (!first && request_.prune->node_macs_share > 0) {
      const double most =
          request_.prune->node_macs_share * static_cast<double>(result_.rows[0].node_macs);
      return pruneTo(design, from, "step2", [&](const Design& candidate) -> Result<bool> {
        NARROWS_TRY(simple, simplify(candidate.graph));
        NARROWS_TRY(place, findCut(simple, candidate.cut));
        return static_cast<double>(place.before.macs) <= most;
      });
    }
    return pruneWithin(design, from, first ? "step1" : "step2");
  }

  /// The smallest share of removed channels that reaches a goal; the largest when none does.
  Status pruneTo(Design& design, const Candidates& from, const std::string& name,
                 const std::function<Result<bool>(const Design&)>& reached) {
    double low = 0;
    double high = 1;
    NARROWS_TRY(already, reached(design));
    if (already) return {};
    constexpr int kHalvings = 7;
    for (int i = 0; i < kHalvings; ++i) {
      const double share = (low + high) / 2;
      NARROWS_TRY(candidate, without(design, from, share));
      NARROWS_TRY(enough, reached(candidate));
      (enough ? high : low) = share;
    }
    NARROWS_TRY(smaller, without(design, from, high));
    NARROWS_CHECK(fineTune(smaller, name));
    design = std::move(smaller);
    return {};
  }

  /// Bisection for the largest share of removed channels whose fine-tuned network stays within the
  /// allowed drop.
  Status pruneWithin(Design& design, const Candidates& from, const std::string& name) {
    const double floor = validator_.uncut().primary - request_.prune->max_drop;
    double low = 0;
    double high = 1;
    std::optional<Design> best;
    for (std::size_t trial = 1; trial <= request_.prune->trials; ++trial) {
      // The strongest one first: where it holds, nothing else needs to be tried.
      const double share = trial == 1 ? 1.0 : (low + high) / 2;
      NARROWS_TRY(candidate, without(design, from, share));
      NARROWS_CHECK(fineTune(candidate, fmt::format("{}-trial{}", name, trial)));
      NARROWS_TRY(measured, measure(candidate));
      if (measured.figures.accuracy.primary >= floor) {
        low = share;
        best = std::move(candidate);
        if (share == 1.0) break;
      } else {
        high = share;
      }
    }
    if (best) design = std::move(*best);
    return {};
  }

  Status addAutoencoder(Design& design) {
    return request_.fitted_start ? addFittedAutoencoder(design) : addRandomAutoencoder(design);
  }

  Status addFittedAutoencoder(Design& design) {
    NARROWS_TRY(start, fitStart(design));
    NARROWS_TRY(inserted, insertAutoencoder(design.graph, design.cut, *request_.autoencoder,
                                            request_.seed, &start));
    design = Design{std::move(inserted.graph), inserted.cut, std::nullopt};
    return {};
  }

  Result<AutoencoderStart> fitStart(const Design& design) {
    const std::int64_t channels = request_.autoencoder->channels;
    NARROWS_TRY(finder, LinearCodeFinder::create(design.graph, design.cut, request_.seed,
                                                 request_.trainer.device));
    NARROWS_CHECK(visitSample([&](const TrainBatch& batch) { return finder.add(batch.pictures); }));
    // Of all codes that lose nothing, what is sent anyway further on is sparse and of one sign.
    const auto reader = pointwiseReader(design.graph, design.cut);
    const std::int64_t outputs = reader ? reader->bias.shape()[0] : 0;
    if (outputs != channels && !(reader && reader->rectified && channels % outputs == 0)) {
      NARROWS_TRY(code, finder.find(channels));
      return AutoencoderStart{std::move(code), false, 0};
    }
    NARROWS_TRY(code, finder.decoderFor(reader->weight.view(), reader->bias.view()));
    AutoencoderStart start{std::move(code), reader->rectified, 0};
    if (outputs == channels) return start;
    NARROWS_TRY(highest, highestOf(design, start));
    return segmented(start, highest, channels / outputs);
  }

  /// The highest value of each of the start's numbers on the calibration pictures.
  Result<std::vector<double>> highestOf(const Design& design, const AutoencoderStart& start) {
    AutoencoderShape shape = *request_.autoencoder;
    shape.channels = start.code.encode.shape()[0];
    NARROWS_TRY(inserted,
                insertAutoencoder(design.graph, design.cut, shape, request_.seed, &start));
    constexpr int kBits = 8;
    NARROWS_TRY(range, calibrated(inserted.graph, inserted.cut,
                                  {QuantizerKind::uniform, kBits, Granularity::channel}));
    std::vector<double> highest;
    highest.reserve(range.low.size());
    for (std::size_t i = 0; i < range.low.size(); ++i) {
      highest.push_back(static_cast<double>(range.low[i]) +
                        ((1 << kBits) - 1) * static_cast<double>(range.step[i]));
    }
    return highest;
  }

  Status addRandomAutoencoder(Design& design) {
    NARROWS_TRY(inserted,
                insertAutoencoder(design.graph, design.cut, *request_.autoencoder, request_.seed));
    // Reconstruction alone first: everything else stays, the value before is the target.
    TrainerOptions options = request_.trainer;
    options.task = {};
    options.interfaces.clear();
    options.teacher = Teacher{design.graph, 0, 1, {{inserted.restored, design.cut}}, 1};
    options.batch_norm_training = false;
    options.frozen = allBut(inserted);
    Design widened{std::move(inserted.graph), inserted.cut, std::nullopt};
    Stage stage;
    stage.name = "autoencoder";
    stage.epochs = request_.autoencoder_epochs;
    stage.learning_rate = request_.autoencoder_rate;
    stage.fixed_quantizer = true;
    if (stage.epochs > 0) NARROWS_CHECK(train(widened, options, stage));
    design = std::move(widened);
    return {};
  }

  Status trainWhole(Design& design) {
    NARROWS_TRY(options, trainerOptions(design, true));
    Stage stage;
    stage.name = "tighten";
    stage.epochs = request_.fit.epochs;
    stage.validate_each = true;
    stage.with_terms = true;
    return train(design, options, stage);
  }

  /// Node frozen, its quantizer with it; the engine learns the task, the uncut network's answers
  /// and, where the map has its shape still, the uncut network's features.
  Status recover(Design& design) {
    if (quantizes() && !design.quantizer) {
      NARROWS_TRY(params, calibrated(design.graph, design.cut, request_.quantizer));
      design.quantizer = std::move(params);
    }
    // An autoencoder's engine works on the decoded map, which has the shape of the original one.
    const std::string place = design.graph.findValue(request_.cut + ".decoder.b").valid()
                                  ? request_.cut + ".decoder.b"
                                  : design.cut;
    NARROWS_TRY(inserted,
                insertReconstruction(design.graph, place, *request_.recovery, request_.seed));
    Design widened{inserted.graph, design.cut, design.quantizer};
    NARROWS_TRY(options, trainerOptions(widened, false));
    for (TrainedInterface& interface : options.interfaces) interface.in_forward = true;
    options.frozen = allBut(inserted);
    options.batch_norm_training = false;
    Teacher teacher{
        uncut_, 1, request_.trainer.teacher ? request_.trainer.teacher->temperature : 2, {}, 0};
    const ValueId original = uncut_.findValue(request_.cut);
    const ValueId restored = inserted.graph.findValue(inserted.restored);
    if (uncut_.shape(original) == inserted.graph.shape(restored)) {
      teacher.features = {{inserted.restored, request_.cut}};
      teacher.feature_weight = 1;
    }
    options.teacher = std::move(teacher);
    Stage stage;
    stage.name = "recovery";
    stage.epochs = request_.recovery_epochs;
    stage.validate_each = true;
    stage.fixed_quantizer = true;
    NARROWS_CHECK(train(widened, options, stage));
    design = std::move(widened);
    return {};
  }

  static std::vector<std::string> allBut(const Inserted& inserted) {
    std::vector<std::string> names;
    for (const Value& value : inserted.graph.values()) {
      if (!value.isConstant()) continue;
      if (std::find(inserted.constants.begin(), inserted.constants.end(), value.name) ==
          inserted.constants.end()) {
        names.push_back(value.name);
      }
    }
    return names;
  }

  const ModelDescription& description_;
  const DataSet& training_;
  Validator& validator_;
  const TightenRequest& request_;
  const std::function<Status(const TightenRow&)>& told_;
  DataSet calibration_;
  std::optional<PictureSource> pictures_;
  Graph uncut_;
  std::vector<std::string> shared_;
  std::optional<Measured> last_;  // of the stage told last
  TightenResult result_;
};

}  // namespace

Result<TightenResult> tighten(const Graph& graph, const ModelDescription& description,
                              const DataSet& training, Validator& validator,
                              const TightenRequest& request,
                              const std::function<Status(const TightenRow&)>& row) {
  return Tightener(description, training, validator, request, row).run(graph);
}

}  // namespace narrows
