#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/cost/plan_pricer.h"
#include "narrows/explore/objectives.h"
#include "narrows/explore/store.h"

namespace narrows {

/// Names of what designs are combined from. A group is a cut with a quantizer: its designs, one for
/// each coder and link, share an accuracy.
struct DesignSpace {
  std::vector<std::string> cuts;
  std::vector<std::string> quantizers;
  std::vector<std::string> coders;
  std::size_t links = 1;
  /// For each quantizer how likely it is to cost no accuracy, 0 to 1: a guess that orders the work
  /// and cannot change the result.
  std::vector<double> hopes;
};

/// What one frame of a design costs.
struct DesignCost {
  /// The drop is 0.
  Scores scores{};
  /// Bytes of the node: weights and activations.
  double node_memory = 0;
  Seconds node_compute;
  Seconds coding;  // both sides
  Seconds link;    // the answer included
  Seconds server_compute;
  Joules compute_energy;  // of the node
  Joules coding_energy;
  Joules link_energy;
  Origin origin = Origin::modelled;
};

/// Measures what the explorer asks for.
class DesignMeter {
 public:
  virtual ~DesignMeter() = default;
  struct CutFrames {
    CutTimes times;
    /// By quantizer and coder, each with its names.
    std::vector<FrameRow> rows;
  };
  virtual Result<CutFrames> frames(std::size_t cut) = 0;
  virtual Result<AccuracyRow> accuracy(std::size_t cut, std::size_t quantizer) = 0;
};

/// Prices a frame of a cut on every link. Costs must not fall when bytes or times grow.
class DesignPricing {
 public:
  virtual ~DesignPricing() = default;
  virtual Result<std::vector<DesignCost>> price(std::size_t cut, const CutTimes& times, Bytes bytes,
                                                Seconds encode, Seconds decode) = 0;
};

/// A design whose accuracy is known beforehand: all on the node, the picture sent, or a cut that
/// was trained.
struct EndDesign {
  std::string name;
  /// Nothing when nothing crosses.
  std::optional<std::size_t> link;
  DesignCost cost;
  /// Points lost.
  double drop = 0;
  /// Of what crosses, on the host that measured it.
  Seconds encode_time;
  Seconds decode_time = {};
  /// Of a trained design: position among the space's cuts.
  std::optional<std::size_t> cut = {};
};

/// What a design must keep to; infinite where nothing is asked.
struct DesignBounds {
  static constexpr double kNone = std::numeric_limits<double>::infinity();
  double drop = kNone;     // points
  double latency = kNone;  // s
  double energy = kNone;   // J of the node
  double bytes = kNone;
  double memory = kNone;  // bytes of the node
};

/// Whether a design keeps to the bounds that do not depend on accuracy.
bool keepsTo(const DesignBounds& bounds, const DesignCost& cost);

struct ExploreOptions {
  /// The drop is always one of them.
  std::vector<Objective> objectives{Objective::drop, Objective::energy, Objective::latency,
                                    Objective::bytes};
  DesignBounds bounds;
  /// Drops up to this many points count as none.
  double tolerance = 0.5;
  /// Only designs of one link are compared with each other.
  bool each_link = false;
  /// Measure every accuracy.
  bool exhaustive = false;
  /// Percent, of the uncut network.
  double uncut = 0;
};

/// One design of the space or an end, in the order: ends, then by cut, quantizer, coder and link.
struct ExploredDesign {
  std::optional<std::size_t> end;
  std::size_t cut = 0;
  std::size_t quantizer = 0;
  std::size_t coder = 0;
  std::optional<std::size_t> link;
  DesignCost cost;
  std::optional<FrameRow> frame;
  /// Points lost; nothing when it was not measured.
  std::optional<double> drop;
  bool on_front = false;
};

/// What the exploration did.
struct ExploreCount {
  std::size_t designs = 0;  // in the space, ends included
  std::size_t groups = 0;   // distinct accuracies
  /// Groups that were never coded: even with no feature bytes they would break a bound or be
  /// covered by an end.
  std::size_t bounded_before_coding = 0;
  /// Groups whose every design breaks a bound, or would be covered with no drop at all.
  std::size_t bounded = 0;
  /// Of the groups measured, those that this run measured itself.
  std::size_t accuracies = 0;
  std::size_t accuracies_here = 0;
  std::size_t cuts_coded_here = 0;
};

/// A measured group of which training could make more: without its drop, one of its designs at
/// least would stand beside the Pareto set.
struct TrainingChance {
  std::size_t cut = 0;
  std::size_t quantizer = 0;
  /// Points lost so far, above the tolerance.
  double drop = 0;
};

/// Why an accuracy was not measured: each design of the group breaks a bound, or is nowhere better
/// than one of `covered_by`, even with no drop at all.
struct SkippedGroup {
  std::size_t cut = 0;
  /// Nothing: all of them, with the least bytes that a frame can have.
  std::optional<std::size_t> quantizer;
  /// Positions of designs whose drop is known; ascending, each once.
  std::vector<std::size_t> covered_by;
  bool breaks_bound = false;
};

struct Exploration {
  /// Every end, and every design whose frames are known.
  std::vector<ExploredDesign> designs;
  ExploreCount count;
  std::vector<SkippedGroup> skipped;
  /// By drop, the smallest first.
  std::vector<TrainingChance> chances;
};

/// Finds the Pareto set of a space without measuring every accuracy.
///
/// A drop below zero counts as zero, so zero bounds every drop from below, whatever the quantizer:
/// nothing is assumed of how accuracy depends on bits. A group is left out only when each of its
/// designs, given no drop, is covered in all objectives by a design whose drop is known. First with
/// the least bytes a frame can have, before anything is coded; then with the bytes of real frames.
/// Which group is measured next is a guess at how many others it would cover. The result is the
/// Pareto set of the whole space.
class Explorer {
 public:
  /// All must outlive it.
  Explorer(const DesignSpace& space, const ExploreOptions& options, DesignMeter& meter,
           DesignPricing& pricing, Store& store);

  /// Called after each step of work with how many groups are decided: measured or ruled out.
  using Progress = std::function<void(std::size_t decided)>;

  Result<Exploration> run(std::vector<EndDesign> ends, const Progress& progress = {});

 private:
  struct Group {
    std::size_t cut = 0;
    std::size_t quantizer = 0;
    std::vector<std::size_t> designs;  // positions in designs_
    std::vector<std::size_t> best;     // of them, without what the group's own designs cover
    bool open = true;                  // not measured and not ruled out
    bool busy = false;                 // claimed by another process
  };

  Scores scoresOf(const ExploredDesign& design) const;
  bool covers(std::size_t known, const Scores& scores, std::optional<std::size_t> link,
              std::size_t position) const;
  std::optional<std::size_t> coveredBy(const Scores& scores, std::optional<std::size_t> link,
                                       std::size_t position) const;
  void skip(SkippedGroup group);
  Result<bool> canMatter(std::size_t cut);
  Status codeCuts(const Progress& progress);
  Result<std::optional<DesignMeter::CutFrames>> storedFrames(const std::string& cut);
  Result<std::optional<DesignMeter::CutFrames>> framesOf(std::size_t cut);
  Status addDesigns(std::size_t cut, const DesignMeter::CutFrames& frames);
  void reduceGroups();
  void findChances();
  Status takeAccuracies();
  Status measureOpenGroups(const Progress& progress);
  std::optional<std::size_t> mostPromising() const;
  void learn(Group& group, double drop);
  void ruleOut();
  void markFront();
  std::vector<TrainingChance> trainingChances() const;
  std::size_t decided() const;

  const DesignSpace* space_;
  const ExploreOptions* options_;
  DesignMeter* meter_;
  DesignPricing* pricing_;
  Store* store_;
  std::vector<Objective> costs_;  // the objectives without the drop
  std::vector<ExploredDesign> designs_;
  std::vector<std::size_t> known_;  // positions of designs with a drop, within bounds
  std::vector<Group> groups_;
  std::vector<std::vector<bool>> chances_;  // [a][b]: a without drop would cover all of b
  std::vector<double> kept_;                // by quantizer: measured groups without drop
  std::vector<double> measured_;
  ExploreCount count_;
  std::vector<SkippedGroup> skipped_;
};

}  // namespace narrows
