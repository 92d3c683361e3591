#include "narrows/explore/explorer.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <set>

#include "narrows/base/file.h"
#include "tests/support/figure.h"

namespace narrows {
namespace {

DesignSpace makeSpace() {
  DesignSpace space;
  for (int i = 0; i < 9; ++i) space.cuts.push_back(fmt::format("cut{}", i));
  for (int bits = 1; bits <= 8; ++bits) {
    space.quantizers.push_back(fmt::format("{} bit", bits));
    space.hopes.push_back(bits / 8.0);
  }
  space.coders = {"plain", "small"};
  space.links = 3;
  return space;
}

double drawn(std::uint64_t seed, std::uint64_t a, std::uint64_t b) {
  std::mt19937_64 random(seed * 1'000'003 + a * 1009 + b);
  return std::uniform_real_distribution<double>(0, 1)(random);
}

/// Figures that follow from a seed. Accuracy is not monotone in bits.
class DrawnMeter final : public DesignMeter {
 public:
  DrawnMeter(std::uint64_t seed, const DesignSpace& space) : seed_(seed), space_(&space) {}

  Result<CutFrames> frames(std::size_t cut) override {
    ++coded;
    CutFrames frames{{Seconds(0.01), Seconds(0.02)}, {}};
    for (std::size_t q = 0; q < space_->quantizers.size(); ++q) {
      for (std::size_t c = 0; c < space_->coders.size(); ++c) {
        const double size = 50'000 * drawn(seed_, cut, 77) * static_cast<double>(q + 1);
        const double bytes =
            std::floor(16 + size * (c == 0 ? 1 : 0.4 + 0.3 * drawn(seed_, cut, q)));
        frames.rows.push_back({space_->cuts[cut], space_->quantizers[q], space_->coders[c], 4,
                               bytes, 3.5, static_cast<std::int64_t>(bytes) + 5,
                               Seconds(1e-4 * static_cast<double>(1 + c)), Seconds(1e-5)});
      }
    }
    return frames;
  }

  Result<AccuracyRow> accuracy(std::size_t cut, std::size_t quantizer) override {
    ++scored;
    const double lost = 30 * drawn(seed_, cut + 100, quantizer) / (1.0 + 4.0 * double(quantizer));
    return AccuracyRow{space_->cuts[cut], space_->quantizers[quantizer], 80 - lost + 0.4, 90};
  }

  std::size_t coded = 0;
  std::size_t scored = 0;

 private:
  std::uint64_t seed_;
  const DesignSpace* space_;
};

/// Deeper cuts compute more on the node; links differ in rate and power.
class SimplePricing final : public DesignPricing {
 public:
  Result<std::vector<DesignCost>> price(std::size_t cut, const CutTimes& times, Bytes bytes,
                                        Seconds encode, Seconds decode) override {
    std::vector<DesignCost> costs;
    for (int link = 0; link < 3; ++link) {
      DesignCost cost;
      const double node = 0.01 * static_cast<double>(cut);
      const double air = bytes.value() * (link + 1) * 1e-6;
      at(cost.scores, Objective::latency) =
          node + air + encode.value() + decode.value() + times.server.value();
      at(cost.scores, Objective::energy) = 2 * node + air / (link + 1) * 3 + encode.value();
      at(cost.scores, Objective::bytes) = bytes.value();
      cost.node_memory = 1000 * static_cast<double>(cut);
      costs.push_back(cost);
    }
    return costs;
  }
};

std::vector<EndDesign> makeEnds() {
  EndDesign on_node{"node", std::nullopt, {}, 0, {}};
  at(on_node.cost.scores, Objective::latency) = 0.2;
  at(on_node.cost.scores, Objective::energy) = 0.3;
  EndDesign picture{"picture", 0, {}, 0, {}};
  at(picture.cost.scores, Objective::latency) = 0.12;
  at(picture.cost.scores, Objective::energy) = 0.15;
  at(picture.cost.scores, Objective::bytes) = 60'000;
  return {on_node, picture};
}

using FrontKey = std::tuple<int, std::size_t, std::size_t, std::size_t, std::size_t>;

std::set<FrontKey> front(const Exploration& exploration) {
  std::set<FrontKey> keys;
  for (const ExploredDesign& d : exploration.designs) {
    if (!d.on_front) continue;
    keys.insert(
        {d.end ? static_cast<int>(*d.end) : -1, d.cut, d.quantizer, d.coder, d.link.value_or(99)});
  }
  return keys;
}

class ExplorerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto created = TemporaryDirectory::create("narrows-explore");
    ASSERT_TRUE(created.ok());
    directory_.emplace(std::move(*created));
  }

  Store open(const std::string& name) {
    auto store = Store::open(directory_->path() / name, "test", {"1", "host", 1});
    EXPECT_TRUE(store.ok()) << store.error().message;
    return std::move(*store);
  }

  Exploration explore(DrawnMeter& meter, Store store, const ExploreOptions& options) {
    SimplePricing pricing;
    Explorer explorer(space_, options, meter, pricing, store);
    auto result = explorer.run(makeEnds());
    EXPECT_TRUE(result.ok()) << result.error().message;
    return std::move(*result);
  }

  struct BothWays {
    Exploration found;
    std::size_t scored = 0;
    /// By measuring everything.
    Exploration all;
  };
  BothWays exploreBothWays(std::uint64_t seed, ExploreOptions options) {
    DrawnMeter lazy(seed, space_);
    Exploration found = explore(lazy, open(fmt::format("lazy{}", seed)), options);
    options.exhaustive = true;
    DrawnMeter diligent(seed, space_);
    Exploration all = explore(diligent, open(fmt::format("all{}", seed)), options);
    return {std::move(found), lazy.scored, std::move(all)};
  }

  static ExploreOptions makeOptions(std::uint64_t seed) {
    ExploreOptions options;
    options.uncut = 80;
    options.each_link = seed % 3 == 0;
    if (seed % 2 == 0) options.bounds.drop = 4;
    if (seed % 5 == 0) options.bounds.latency = 0.1;
    if (seed % 7 == 0) options.bounds.memory = 5500;
    return options;
  }

  std::optional<TemporaryDirectory> directory_;
  DesignSpace space_ = makeSpace();
};

TEST_F(ExplorerTest, FindsTheFrontOfTheWholeSpaceWithoutMeasuringAllOfIt) {
  std::size_t measured = 0;
  std::size_t groups = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const auto [found, scored, all] = exploreBothWays(seed, makeOptions(seed));
    EXPECT_EQ(front(found), front(all)) << "seed " << seed;
    EXPECT_EQ(found.count.accuracies_here, scored);
    EXPECT_EQ(found.count.groups, 72u);
    EXPECT_LE(found.count.accuracies + found.count.bounded + found.count.bounded_before_coding,
              found.count.groups);
    measured += scored;
    groups += found.count.groups;
  }
  // The point of the bounds.
  EXPECT_LT(measured * 2, groups);
}

/// The drawn figures, one group without a drop.
class TrainedMeter final : public DesignMeter {
 public:
  TrainedMeter(DesignMeter& meter, std::size_t cut, std::size_t quantizer)
      : meter_(&meter), cut_(cut), quantizer_(quantizer) {}
  Result<CutFrames> frames(std::size_t cut) override { return meter_->frames(cut); }
  Result<AccuracyRow> accuracy(std::size_t cut, std::size_t quantizer) override {
    auto row = meter_->accuracy(cut, quantizer);
    if (row.ok() && cut == cut_ && quantizer == quantizer_) row->primary = 80;
    return row;
  }

 private:
  DesignMeter* meter_;
  std::size_t cut_;
  std::size_t quantizer_;
};

TEST_F(ExplorerTest, EverySkippedGroupIsJustifiedByWhatItNames) {
  std::size_t before_coding = 0;
  std::size_t after_coding = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const ExploreOptions options = makeOptions(seed);
    const BothWays both = exploreBothWays(seed, options);
    const Exploration& found = both.found;
    const Exploration& all = both.all;
    std::size_t skipped = 0;
    for (const SkippedGroup& group : found.skipped) {
      skipped += group.quantizer ? 1 : space_.quantizers.size();
      ++(group.quantizer ? after_coding : before_coding);
      for (const ExploredDesign& design : all.designs) {
        if (design.end || design.cut != group.cut) continue;
        if (group.quantizer && design.quantizer != *group.quantizer) continue;
        const Scores& scores = design.cost.scores;
        const bool broken = at(scores, Objective::latency) > options.bounds.latency ||
                            design.cost.node_memory > options.bounds.memory;
        const bool covered =
            std::any_of(group.covered_by.begin(), group.covered_by.end(), [&](std::size_t by) {
              const ExploredDesign& better = found.designs[by];
              if (options.each_link && better.link && better.link != design.link) return false;
              return better.drop.has_value() && *better.drop <= options.tolerance &&
                     at(better.cost.scores, Objective::latency) <= at(scores, Objective::latency) &&
                     at(better.cost.scores, Objective::energy) <= at(scores, Objective::energy) &&
                     at(better.cost.scores, Objective::bytes) <= at(scores, Objective::bytes);
            });
        EXPECT_TRUE(covered || (broken && group.breaks_bound)) << "seed " << seed;
      }
    }
    EXPECT_EQ(skipped, found.count.bounded + found.count.bounded_before_coding) << "seed " << seed;
  }
  EXPECT_GT(before_coding, 0u);
  EXPECT_GT(after_coding, 0u);
}

TEST_F(ExplorerTest, ChancesAreTheGroupsThatWouldReachTheFrontWithoutTheirDrop) {
  std::size_t chances = 0;
  for (const std::uint64_t seed : {2, 3, 5, 8}) {
    const ExploreOptions options = makeOptions(seed);
    DrawnMeter meter(seed, space_);
    const Exploration found = explore(meter, open(fmt::format("found{}", seed)), options);
    std::set<std::pair<std::size_t, std::size_t>> measured;
    for (const ExploredDesign& design : found.designs) {
      if (!design.end && design.drop && *design.drop > options.tolerance)
        measured.insert({design.cut, design.quantizer});
    }
    std::set<std::pair<std::size_t, std::size_t>> named;
    double last = 0;
    for (const TrainingChance& chance : found.chances) {
      named.insert({chance.cut, chance.quantizer});
      EXPECT_GE(chance.drop, last);
      EXPECT_GT(chance.drop, options.tolerance);
      last = chance.drop;
    }
    chances += named.size();
    for (const auto& [cut, quantizer] : measured) {
      TrainedMeter trained(meter, cut, quantizer);
      Store store = open(fmt::format("trained{}-{}-{}", seed, cut, quantizer));
      SimplePricing pricing;
      ExploreOptions all = options;
      all.exhaustive = true;
      Explorer explorer(space_, all, trained, pricing, store);
      auto whole = explorer.run(makeEnds());
      ASSERT_TRUE(whole.ok());
      bool reaches = false;
      for (const ExploredDesign& design : whole->designs) {
        reaches = reaches || (design.on_front && !design.end && design.cut == cut &&
                              design.quantizer == quantizer);
      }
      EXPECT_EQ(named.contains({cut, quantizer}), reaches)
          << "seed " << seed << " cut " << cut << " quantizer " << quantizer;
    }
  }
  EXPECT_GT(chances, 0u);
}

TEST_F(ExplorerTest, MeasuresNothingTwice) {
  DrawnMeter first(3, space_);
  const Exploration once = explore(first, open("store"), makeOptions(3));
  DrawnMeter second(3, space_);
  const Exploration again = explore(second, open("store"), makeOptions(3));
  EXPECT_GT(first.scored, 0u);
  EXPECT_EQ(second.scored, 0u);
  EXPECT_EQ(second.coded, 0u);
  EXPECT_EQ(front(once), front(again));
  EXPECT_EQ(once.count.accuracies, again.count.accuracies);
}

/// Dies at a drawn call.
class MortalMeter final : public DesignMeter {
 public:
  MortalMeter(DesignMeter& meter, std::size_t calls) : meter_(&meter), calls_(calls) {}
  Result<CutFrames> frames(std::size_t cut) override {
    live();
    return meter_->frames(cut);
  }
  Result<AccuracyRow> accuracy(std::size_t cut, std::size_t quantizer) override {
    live();
    return meter_->accuracy(cut, quantizer);
  }

 private:
  void live() {
    if (calls_-- == 0) raise(SIGKILL);
  }
  DesignMeter* meter_;
  std::size_t calls_;
};

/// Explores in another process; whether it came to its end.
bool exploredIn(pid_t process) {
  int status = 0;
  EXPECT_EQ(waitpid(process, &status, 0), process);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(ExplorerTest, KilledAndResumedItEndsWithTheSameStore) {
  constexpr std::uint64_t kSeed = 11;
  std::mt19937_64 random(kSeed);
  DrawnMeter meter(kSeed, space_);
  const Exploration unbroken = explore(meter, open("unbroken"), makeOptions(kSeed));
  const auto attempt = [&](std::size_t calls) {
    const pid_t child = fork();
    if (child == 0) {
      DrawnMeter inner(kSeed, space_);
      MortalMeter mortal(inner, calls);
      SimplePricing pricing;
      Store store = open("broken");
      const ExploreOptions options = makeOptions(kSeed);
      Explorer explorer(space_, options, mortal, pricing, store);
      _exit(explorer.run(makeEnds()).ok() ? 0 : 1);
    }
    return exploredIn(child);
  };
  int killed = 0;
  while (killed < 10 && !attempt(random() % 4)) ++killed;
  EXPECT_EQ(killed, 10) << "seed " << kSeed;
  EXPECT_TRUE(attempt(1'000'000));
  Store a = open("unbroken");
  Store b = open("broken");
  EXPECT_EQ(*a.frames(), *b.frames());
  EXPECT_EQ(*a.accuracies(), *b.accuracies());
  const bool equal = *a.frames() == *b.frames() && *a.accuracies() == *b.accuracies();
  test::recordFigure("resume_store_equal", equal ? 1 : 0, "1 or 0");
}

TEST_F(ExplorerTest, TwoProcessesShareTheWork) {
  constexpr std::uint64_t kSeed = 5;
  ExploreOptions options = makeOptions(1);
  options.exhaustive = true;
  std::vector<pid_t> children;
  for (int i = 0; i < 2; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      DrawnMeter meter(kSeed, space_);
      SimplePricing pricing;
      Store store = open("shared");
      Explorer explorer(space_, options, meter, pricing, store);
      auto result = explorer.run(makeEnds());
      if (!result.ok()) _exit(1);
      // What each has measured itself, for the parent to add up.
      const std::string name = fmt::format("count{}", i);
      const std::string text = fmt::format("{} {}", meter.scored, meter.coded);
      const bool written =
          writeFileAtomically(
              directory_->path() / name,
              ByteSpan(reinterpret_cast<const std::byte*>(text.data()), text.size()))
              .ok();
      _exit(written ? 0 : 1);
    }
    children.push_back(child);
  }
  for (pid_t child : children) EXPECT_TRUE(exploredIn(child));
  std::size_t scored = 0;
  std::size_t coded = 0;
  for (int i = 0; i < 2; ++i) {
    auto text = readTextFile(directory_->path() / fmt::format("count{}", i));
    ASSERT_TRUE(text.ok());
    std::size_t end = 0;
    scored += std::stoul(*text, &end);
    coded += std::stoul(text->substr(end));
  }
  Store store = open("shared");
  EXPECT_EQ(store.accuracies()->size(), 72u);
  EXPECT_EQ(scored, 72u);
  EXPECT_EQ(coded, 9u);
}

TEST_F(ExplorerTest, AMeasurementThatFailsEndsTheRunAndLeavesNoClaim) {
  class Failing final : public DesignMeter {
   public:
    Result<CutFrames> frames(std::size_t) override { return makeError("no pictures"); }
    Result<AccuracyRow> accuracy(std::size_t, std::size_t) override { return makeError("none"); }
  };
  Failing failing;
  SimplePricing pricing;
  Store store = open("failing");
  const ExploreOptions options = makeOptions(1);
  Explorer explorer(space_, options, failing, pricing, store);
  const auto result = explorer.run(makeEnds());
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message, "cut cut0: no pictures");
  EXPECT_TRUE(*store.claim("frames cut0"));
}

}  // namespace
}  // namespace narrows
