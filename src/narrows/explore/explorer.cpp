#include "narrows/explore/explorer.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "narrows/codec/frame.h"

namespace narrows {
namespace {

constexpr std::chrono::milliseconds kWait{100};
/// Weight of the guess against measured groups of the same quantizer.
constexpr double kGuessWeight = 2;

std::string codingTask(const std::string& cut) {
  return "frames " + cut;
}

std::string accuracyTask(const std::string& cut, const std::string& quantizer) {
  return "accuracy " + cut + " " + quantizer;
}

}  // namespace

Explorer::Explorer(const DesignSpace& space, const ExploreOptions& options, DesignMeter& meter,
                   DesignPricing& pricing, Store& store)
    : space_(&space),
      options_(&options),
      meter_(&meter),
      pricing_(&pricing),
      store_(&store),
      kept_(space.quantizers.size()),
      measured_(space.quantizers.size()) {
  NARROWS_ASSERT(space.hopes.size() == space.quantizers.size());
  for (Objective objective : options.objectives) {
    if (objective != Objective::drop) costs_.push_back(objective);
  }
}

bool keepsTo(const DesignBounds& bounds, const DesignCost& cost) {
  return at(cost.scores, Objective::latency) <= bounds.latency &&
         at(cost.scores, Objective::energy) <= bounds.energy &&
         at(cost.scores, Objective::bytes) <= bounds.bytes && cost.node_memory <= bounds.memory;
}

Scores Explorer::scoresOf(const ExploredDesign& design) const {
  Scores scores = design.cost.scores;
  const double drop = design.drop.value_or(0);
  at(scores, Objective::drop) = drop <= options_->tolerance ? 0 : drop;
  return scores;
}

/// Whether a design with a known drop is at least as good as these scores, and would stay if both
/// were equal.
bool Explorer::covers(std::size_t known, const Scores& scores, std::optional<std::size_t> link,
                      std::size_t position) const {
  const ExploredDesign& design = designs_[known];
  if (options_->each_link && design.link && link && *design.link != *link) return false;
  const Scores mine = scoresOf(design);
  if (at(mine, Objective::drop) > at(scores, Objective::drop)) return false;
  if (!coversIn(costs_, mine, scores)) return false;
  const bool equal =
      at(mine, Objective::drop) == at(scores, Objective::drop) && coversIn(costs_, scores, mine);
  return !equal || known < position;
}

/// The first such design.
std::optional<std::size_t> Explorer::coveredBy(const Scores& scores,
                                               std::optional<std::size_t> link,
                                               std::size_t position) const {
  for (std::size_t known : known_) {
    if (covers(known, scores, link, position)) return known;
  }
  return std::nullopt;
}

void Explorer::skip(SkippedGroup group) {
  std::vector<std::size_t>& by = group.covered_by;
  std::sort(by.begin(), by.end());
  by.erase(std::unique(by.begin(), by.end()), by.end());
  skipped_.push_back(std::move(group));
}

/// Whether a design of the cut could be on the front with the least bytes a frame can have.
Result<bool> Explorer::canMatter(std::size_t cut) {
  if (options_->exhaustive) return true;
  NARROWS_TRY(costs,
              pricing_->price(cut, {}, Bytes(static_cast<double>(kFrameHeaderBytes)), {}, {}));
  SkippedGroup skipped{cut, std::nullopt, {}, false};
  for (std::size_t link = 0; link < costs.size(); ++link) {
    if (!keepsTo(options_->bounds, costs[link])) {
      skipped.breaks_bound = true;
      continue;
    }
    const auto by = coveredBy(costs[link].scores, link, designs_.size());
    if (!by) return true;
    skipped.covered_by.push_back(*by);
  }
  skip(std::move(skipped));
  return false;
}

Result<std::optional<DesignMeter::CutFrames>> Explorer::storedFrames(const std::string& cut) {
  NARROWS_TRY(times, store_->cutTimes());
  const auto found = times.find(cut);
  if (found == times.end()) return std::optional<DesignMeter::CutFrames>();
  DesignMeter::CutFrames frames{found->second, {}};
  NARROWS_TRY(rows, store_->frames());
  for (FrameRow& row : rows) {
    if (row.cut == cut) frames.rows.push_back(std::move(row));
  }
  return std::optional(std::move(frames));
}

/// From the store, or measured; nothing while another process measures them.
Result<std::optional<DesignMeter::CutFrames>> Explorer::framesOf(std::size_t cut) {
  const std::string& name = space_->cuts[cut];
  NARROWS_TRY(stored, storedFrames(name));
  if (stored) return std::move(stored);
  const std::string task = codingTask(name);
  NARROWS_TRY(claimed, store_->claim(task));
  if (!claimed) return std::optional<DesignMeter::CutFrames>();
  // They may have been measured since the store was last read.
  NARROWS_TRY(now_stored, storedFrames(name));
  if (now_stored) {
    NARROWS_CHECK(store_->release(task));
    return std::move(now_stored);
  }
  auto measured = meter_->frames(cut).within("cut " + name);
  if (measured.ok()) {
    NARROWS_CHECK(store_->addFrames(name, measured->times, measured->rows));
    ++count_.cuts_coded_here;
  }
  NARROWS_CHECK(store_->release(task));
  if (!measured.ok()) return measured.takeError();
  return std::optional(std::move(*measured));
}

Status Explorer::addDesigns(std::size_t cut, const DesignMeter::CutFrames& frames) {
  for (std::size_t q = 0; q < space_->quantizers.size(); ++q) {
    Group group{cut, q, {}, {}, true, false};
    for (std::size_t c = 0; c < space_->coders.size(); ++c) {
      const auto row = std::find_if(frames.rows.begin(), frames.rows.end(), [&](const auto& r) {
        return r.quantizer == space_->quantizers[q] && r.coder == space_->coders[c];
      });
      if (row == frames.rows.end()) {
        return makeError("the store has no frames of cut {}, {} and {}", space_->cuts[cut],
                         space_->quantizers[q], space_->coders[c]);
      }
      NARROWS_TRY(costs, pricing_->price(cut, frames.times, Bytes(row->mean_bytes),
                                         row->encode_time, row->decode_time));
      for (std::size_t link = 0; link < costs.size(); ++link) {
        if (keepsTo(options_->bounds, costs[link])) group.designs.push_back(designs_.size());
        designs_.push_back({std::nullopt, cut, q, c, link, costs[link], *row, std::nullopt, false});
      }
    }
    groups_.push_back(std::move(group));
  }
  return {};
}

/// Frames of every cut that can matter. What other processes are coding is taken up at the end.
Status Explorer::codeCuts(const Progress& progress) {
  std::vector<std::optional<DesignMeter::CutFrames>> frames(space_->cuts.size());
  std::vector<std::size_t> left;
  for (std::size_t cut = 0; cut < space_->cuts.size(); ++cut) {
    NARROWS_TRY(matters, canMatter(cut));
    if (matters) {
      left.push_back(cut);
    } else {
      count_.bounded_before_coding += space_->quantizers.size();
    }
  }
  while (!left.empty()) {
    const std::size_t before = left.size();
    for (std::size_t& cut : left) {
      NARROWS_TRY(found, framesOf(cut));
      if (!found) continue;
      if (progress) progress(decided());
      frames[cut] = std::move(found);
      cut = space_->cuts.size();
    }
    left.erase(std::remove(left.begin(), left.end(), space_->cuts.size()), left.end());
    if (left.size() == before) std::this_thread::sleep_for(kWait);
  }
  for (std::size_t cut = 0; cut < frames.size(); ++cut) {
    if (frames[cut]) NARROWS_CHECK(addDesigns(cut, *frames[cut]));
  }
  return {};
}

/// A group's designs differ in cost alone: only its cheapest can cover others or stay uncovered.
void Explorer::reduceGroups() {
  for (Group& group : groups_) {
    for (std::size_t position : group.designs) {
      const bool beaten =
          std::any_of(group.designs.begin(), group.designs.end(), [&](std::size_t other) {
            if (other == position) return false;
            if (options_->each_link && designs_[other].link != designs_[position].link)
              return false;
            const Scores& a = designs_[other].cost.scores;
            const Scores& b = designs_[position].cost.scores;
            return coversIn(costs_, a, b) && (!coversIn(costs_, b, a) || other < position);
          });
      if (!beaten) group.best.push_back(position);
    }
    group.open = !group.best.empty();
    if (group.open) continue;
    ++count_.bounded;
    skip({group.cut, group.quantizer, {}, true});
  }
}

void Explorer::findChances() {
  chances_.assign(groups_.size(), std::vector<bool>(groups_.size()));
  for (std::size_t a = 0; a < groups_.size(); ++a) {
    for (std::size_t b = 0; b < groups_.size(); ++b) {
      if (a == b || !groups_[b].open) continue;
      const auto& mine = groups_[a].best;
      const auto& theirs = groups_[b].best;
      chances_[a][b] = std::all_of(theirs.begin(), theirs.end(), [&](std::size_t their) {
        return std::any_of(mine.begin(), mine.end(), [&](std::size_t my) {
          if (options_->each_link && designs_[my].link != designs_[their].link) return false;
          return coversIn(costs_, designs_[my].cost.scores, designs_[their].cost.scores);
        });
      });
    }
  }
}

void Explorer::learn(Group& group, double drop) {
  group.open = false;
  ++count_.accuracies;
  measured_[group.quantizer] += 1;
  if (drop <= options_->tolerance) kept_[group.quantizer] += 1;
  for (ExploredDesign& design : designs_) {
    if (!design.end && design.cut == group.cut && design.quantizer == group.quantizer)
      design.drop = drop;
  }
  if (drop > options_->bounds.drop) return;
  known_.insert(known_.end(), group.best.begin(), group.best.end());
}

/// Closes the groups whose designs are covered even without a drop.
void Explorer::ruleOut() {
  if (options_->exhaustive) return;
  for (Group& group : groups_) {
    if (!group.open) continue;
    const std::size_t all = space_->coders.size() * space_->links;
    SkippedGroup skipped{group.cut, group.quantizer, {}, group.designs.size() < all};
    const bool covered = std::all_of(group.best.begin(), group.best.end(), [&](std::size_t p) {
      const auto by = coveredBy(designs_[p].cost.scores, designs_[p].link, p);
      if (by) skipped.covered_by.push_back(*by);
      return by.has_value();
    });
    if (!covered) continue;
    group.open = false;
    ++count_.bounded;
    skip(std::move(skipped));
  }
}

/// Of the open groups, one expected to rule out most others.
std::optional<std::size_t> Explorer::mostPromising() const {
  std::optional<std::size_t> best;
  double best_promise = -1;
  for (std::size_t a = 0; a < groups_.size(); ++a) {
    if (!groups_[a].open || groups_[a].busy) continue;
    const std::size_t q = groups_[a].quantizer;
    const double chance =
        (kept_[q] + kGuessWeight * space_->hopes[q]) / (measured_[q] + kGuessWeight);
    double others = 0;
    for (std::size_t b = 0; b < groups_.size(); ++b)
      others += groups_[b].open && chances_[a][b] ? 1 : 0;
    // Among groups that rule out nothing the likeliest comes first.
    const double promise = chance * (others + 0.01);
    if (promise > best_promise) {
      best_promise = promise;
      best = a;
    }
  }
  return best;
}

/// Learns what the store has, and what other processes have added.
Status Explorer::takeAccuracies() {
  NARROWS_TRY(rows, store_->accuracies());
  for (const AccuracyRow& row : rows) {
    for (Group& group : groups_) {
      if (!group.open || space_->cuts[group.cut] != row.cut ||
          space_->quantizers[group.quantizer] != row.quantizer)
        continue;
      learn(group, options_->uncut - row.primary);
    }
  }
  for (Group& group : groups_) group.busy = false;
  return {};
}

Status Explorer::measureOpenGroups(const Progress& progress) {
  NARROWS_CHECK(takeAccuracies());
  ruleOut();
  while (true) {
    const auto next = mostPromising();
    if (!next) {
      const bool waiting = std::any_of(groups_.begin(), groups_.end(),
                                       [](const Group& group) { return group.open; });
      if (!waiting) return {};
      std::this_thread::sleep_for(kWait);
      NARROWS_CHECK(takeAccuracies());
      ruleOut();
      continue;
    }
    Group& group = groups_[*next];
    const std::string& cut = space_->cuts[group.cut];
    const std::string& quantizer = space_->quantizers[group.quantizer];
    const std::string task = accuracyTask(cut, quantizer);
    NARROWS_TRY(claimed, store_->claim(task));
    if (!claimed) {
      group.busy = true;
      continue;
    }
    // It may have been measured since the store was last read.
    NARROWS_CHECK(takeAccuracies());
    if (group.open) {
      auto row = meter_->accuracy(group.cut, group.quantizer).within("cut " + cut);
      if (row.ok()) {
        NARROWS_CHECK(store_->addAccuracy(*row));
        ++count_.accuracies_here;
        learn(group, options_->uncut - row->primary);
      } else {
        NARROWS_CHECK(store_->release(task));
        return row.takeError();
      }
    }
    NARROWS_CHECK(store_->release(task));
    ruleOut();
    if (progress) progress(decided());
  }
}

std::size_t Explorer::decided() const {
  return count_.accuracies + count_.bounded + count_.bounded_before_coding;
}

void Explorer::markFront() {
  std::vector<std::size_t> candidates;
  for (std::size_t i = 0; i < designs_.size(); ++i) {
    const ExploredDesign& design = designs_[i];
    if (design.drop && *design.drop <= options_->bounds.drop &&
        keepsTo(options_->bounds, design.cost))
      candidates.push_back(i);
  }
  for (std::size_t candidate : candidates) {
    ExploredDesign& design = designs_[candidate];
    const Scores scores = scoresOf(design);
    design.on_front = std::none_of(candidates.begin(), candidates.end(), [&](std::size_t other) {
      return other != candidate && covers(other, scores, design.link, candidate);
    });
  }
}

std::vector<TrainingChance> Explorer::trainingChances() const {
  std::vector<TrainingChance> chances;
  for (const Group& group : groups_) {
    for (const std::size_t position : group.best) {
      const ExploredDesign& design = designs_[position];
      if (!design.drop || *design.drop <= options_->tolerance) break;
      if (coveredBy(design.cost.scores, design.link, position)) continue;
      chances.push_back({group.cut, group.quantizer, *design.drop});
      break;
    }
  }
  std::stable_sort(chances.begin(), chances.end(),
                   [](const auto& a, const auto& b) { return a.drop < b.drop; });
  return chances;
}

Result<Exploration> Explorer::run(std::vector<EndDesign> ends, const Progress& progress) {
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const EndDesign& end = ends[i];
    ExploredDesign design;
    design.end = i;
    design.link = end.link;
    design.cost = end.cost;
    design.drop = end.drop;
    if (end.drop <= options_->bounds.drop && keepsTo(options_->bounds, end.cost))
      known_.push_back(designs_.size());
    designs_.push_back(std::move(design));
  }
  count_.groups = space_->cuts.size() * space_->quantizers.size();
  count_.designs = ends.size() + count_.groups * space_->coders.size() * space_->links;
  NARROWS_CHECK(codeCuts(progress));
  reduceGroups();
  findChances();
  NARROWS_CHECK(measureOpenGroups(progress));
  markFront();
  std::vector<TrainingChance> chances = trainingChances();
  return Exploration{std::move(designs_), count_, std::move(skipped_), std::move(chances)};
}

}  // namespace narrows
