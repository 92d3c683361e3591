#include "narrows/data/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "tests/support/shared_data.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

TruthBox truthAt(Box box, int label = 0) {
  return {label, box, false, false};
}

/// One class, one picture for each flag: a truth box and a detection on it (hit) or off it.
std::vector<ScoredPicture> curveOf(const std::vector<bool>& hits, std::size_t missed) {
  std::vector<ScoredPicture> pictures;
  float score = 0.99F;
  for (bool hit : hits) {
    ScoredPicture picture;
    if (hit) picture.truth.push_back(truthAt({0.1F, 0.1F, 0.5F, 0.5F}));
    picture.detections.push_back({0, score, {0.1F, 0.1F, 0.5F, 0.5F}});
    score -= 0.01F;
    pictures.push_back(picture);
  }
  for (std::size_t i = 0; i < missed; ++i) {
    pictures.push_back({{}, {truthAt({0.1F, 0.1F, 0.5F, 0.5F})}});
  }
  return pictures;
}

TEST(TopK, CountsBestAndBestFive) {
  TopKAccuracy accuracy;
  EXPECT_EQ(accuracy.top1(), 0);
  Prediction prediction;
  for (int label = 0; label < 5; ++label) prediction.classes.push_back({label, 0.2F});
  accuracy.add(prediction, 0);
  accuracy.add(prediction, 4);
  accuracy.add(prediction, 5);
  accuracy.add({}, 0);
  EXPECT_EQ(accuracy.count(), 4);
  EXPECT_EQ(accuracy.top1(), 0.25);
  EXPECT_EQ(accuracy.top5(), 0.5);
}

// Hit, miss, hit, with four truths: precision 1, 1/2, 2/3 at recall 1/4, 1/4, 2/4. Monotone: 1 up
// to recall 0.25, 2/3 up to 0.5, 0 beyond.
TEST(AveragePrecision, HandMadeCurve) {
  const auto pictures = curveOf({true, false, true}, 2);
  // (1/4) * 1 + (1/4) * (2/3).
  EXPECT_NEAR(averagePrecision(pictures, ApRule::voc_area).map, 0.25 + 0.25 * 2 / 3, 1e-12);
  // Recalls 0, .1, .2 give 1; .3, .4, .5 give 2/3; the other five 0.
  EXPECT_NEAR(averagePrecision(pictures, ApRule::voc_11_point).map, (3 + 3 * 2.0 / 3) / 11, 1e-12);
  // Recalls 0 to .25 are 26 points at 1, .26 to .50 are 25 points at 2/3.
  EXPECT_NEAR(averagePrecision(pictures, ApRule::coco).map, (26 + 25 * 2.0 / 3) / 101, 1e-12);
}

TEST(AveragePrecision, PerfectNothingAndNoTruth) {
  for (ApRule rule : {ApRule::voc_area, ApRule::voc_11_point, ApRule::coco}) {
    EXPECT_NEAR(averagePrecision(curveOf({true, true}, 0), rule).map, 1.0, 1e-12);
    EXPECT_EQ(averagePrecision(curveOf({false, false}, 3), rule).map, 0.0);
    EXPECT_EQ(averagePrecision(curveOf({false}, 0), rule).map, 0.0);
    EXPECT_TRUE(averagePrecision(curveOf({false}, 0), rule).classes.empty());
    EXPECT_EQ(averagePrecision({}, rule).map, 0.0);
  }
}

TEST(AveragePrecision, SecondDetectionOfOneTruthIsAMiss) {
  ScoredPicture picture;
  picture.truth = {truthAt({0, 0, 0.5F, 0.5F}), truthAt({0.6F, 0.6F, 1, 1})};
  picture.detections = {
      {0, 0.9F, {0, 0, 0.5F, 0.5F}}, {0, 0.8F, {0, 0, 0.5F, 0.49F}}, {0, 0.7F, {0.6F, 0.6F, 1, 1}}};
  // Hit, miss, hit of two: (1/2) * 1 + (1/2) * (2/3).
  EXPECT_NEAR(averagePrecision({&picture, 1}, ApRule::voc_area).map, 0.5 + 1.0 / 3, 1e-12);
}

TEST(AveragePrecision, ThresholdIsReachedAtEquality) {
  ScoredPicture picture;
  picture.truth = {truthAt({0, 0, 1, 1})};
  picture.detections = {{0, 0.9F, {0, 0, 1, 0.5F}}};
  for (ApRule rule : {ApRule::voc_area, ApRule::coco}) {
    EXPECT_NEAR(averagePrecision({&picture, 1}, rule, 0.5).map, 1.0, 1e-12);
    EXPECT_EQ(averagePrecision({&picture, 1}, rule, 0.5001).map, 0.0);
  }
}

TEST(AveragePrecision, DifficultTruthIsNeitherNeededNorPunished) {
  ScoredPicture picture;
  picture.truth = {truthAt({0, 0, 0.4F, 0.4F}), {0, {0.5F, 0.5F, 1, 1}, true, false}};
  picture.detections = {{0, 0.9F, {0.5F, 0.5F, 1, 1}}, {0, 0.8F, {0, 0, 0.4F, 0.4F}}};
  for (ApRule rule : {ApRule::voc_area, ApRule::voc_11_point, ApRule::coco}) {
    const DetectionAccuracy accuracy = averagePrecision({&picture, 1}, rule);
    EXPECT_NEAR(accuracy.map, 1.0, 1e-12);
    EXPECT_EQ(accuracy.classes.at(0).truths, 1);
  }
}

// VOC: the best overlap decides even when it is taken. COCO: the next free one is.
TEST(AveragePrecision, RulesDifferOnTakenTruth) {
  ScoredPicture picture;
  picture.truth = {truthAt({0, 0, 1, 1}), truthAt({0, 0, 1, 0.8F})};
  picture.detections = {{0, 0.9F, {0, 0, 1, 1}}, {0, 0.8F, {0, 0, 1, 0.95F}}};
  EXPECT_NEAR(averagePrecision({&picture, 1}, ApRule::voc_area).map, 0.5, 1e-12);
  EXPECT_NEAR(averagePrecision({&picture, 1}, ApRule::coco).map, 1.0, 1e-12);
}

// A crowd takes any number of detections that lie inside it.
TEST(AveragePrecision, CrowdTakesManyDetections) {
  ScoredPicture picture;
  picture.truth = {truthAt({0.8F, 0.8F, 1, 1}), {0, {0, 0, 0.5F, 0.5F}, false, true}};
  picture.detections = {{0, 0.9F, {0, 0, 0.1F, 0.1F}},
                        {0, 0.8F, {0.2F, 0.2F, 0.3F, 0.3F}},
                        {0, 0.7F, {0.8F, 0.8F, 1, 1}}};
  EXPECT_NEAR(averagePrecision({&picture, 1}, ApRule::coco).map, 1.0, 1e-12);
}

TEST(AveragePrecision, CocoKeepsAHundredDetectionsOfAClassInAPicture) {
  ScoredPicture picture;
  picture.truth = {truthAt({0, 0, 1, 1}), truthAt({0, 0, 1, 1}, 1)};
  for (int i = 0; i < 100; ++i) {
    picture.detections.push_back({0, 0.9F, {0, 0, 0.1F, 0.1F}});
  }
  picture.detections.push_back({0, 0.5F, {0, 0, 1, 1}});
  picture.detections.push_back({1, 0.5F, {0, 0, 1, 1}});
  const auto coco = averagePrecision({&picture, 1}, ApRule::coco);
  EXPECT_EQ(coco.classes.at(0).ap, 0.0);
  EXPECT_NEAR(coco.classes.at(1).ap, 1.0, 1e-12);
  EXPECT_NEAR(averagePrecision({&picture, 1}, ApRule::voc_area).classes.at(0).ap, 1.0 / 101, 1e-12);
}

// One truth, one detection of IoU 0.72: a hit at 0.5, 0.55, 0.6, 0.65, 0.7, a miss at the other
// five.
TEST(CocoAccuracy, MeansOverTenThresholds) {
  ScoredPicture picture;
  picture.truth = {truthAt({0, 0, 1, 1})};
  picture.detections = {{0, 0.9F, {0, 0, 1, 0.72F}}};
  const CocoAccuracy accuracy = cocoAccuracy({&picture, 1});
  EXPECT_NEAR(accuracy.ap50, 1.0, 1e-12);
  EXPECT_NEAR(accuracy.ap, 0.5, 1e-12);
}

TEST(TruthFrom, KeepsWhatIsSureEnough) {
  Prediction prediction;
  prediction.detections = {{2, 0.9F, {0, 0, 1, 1}}, {1, 0.2F, {0, 0, 1, 1}}};
  EXPECT_EQ(truthFrom(prediction, 0.5F), std::vector<TruthBox>{truthAt({0, 0, 1, 1}, 2)});
}

// The oracle: precision and recall are recomputed from nothing for every prefix of the ranking, and
// the area is summed over distinct recalls. Quadratic, and shares no code with the product.
double slowOverlap(const Box& a, const Box& b) {
  const double w = std::min<double>(a.x2, b.x2) - std::max<double>(a.x1, b.x1);
  const double h = std::min<double>(a.y2, b.y2) - std::max<double>(a.y1, b.y1);
  if (w <= 0 || h <= 0) return 0;
  const double first = (double{a.x2} - a.x1) * (double{a.y2} - a.y1);
  const double second = (double{b.x2} - b.x1) * (double{b.y2} - b.y1);
  return w * h / (first + second - w * h);
}

struct Ranked {
  float score;
  std::size_t picture;
  std::size_t order;
  Box box;
};

std::vector<Ranked> rankClass(const std::vector<ScoredPicture>& pictures, int label) {
  std::vector<Ranked> ranking;
  for (std::size_t p = 0; p < pictures.size(); ++p) {
    for (std::size_t d = 0; d < pictures[p].detections.size(); ++d) {
      const Detection& detection = pictures[p].detections[d];
      if (detection.label == label) ranking.push_back({detection.score, p, d, detection.box});
    }
  }
  std::sort(ranking.begin(), ranking.end(), [](const Ranked& a, const Ranked& b) {
    return std::tuple(-a.score, a.picture, a.order) < std::tuple(-b.score, b.picture, b.order);
  });
  return ranking;
}

/// Hits among the first `count` of the ranking: truths that are the best match of at least one.
std::size_t hitsOfPrefix(const std::vector<ScoredPicture>& pictures, int label,
                         const std::vector<Ranked>& ranking, std::size_t count, double threshold) {
  std::set<std::pair<std::size_t, std::size_t>> found;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& truth = pictures[ranking[i].picture].truth;
    double best = 0;
    std::size_t which = truth.size();
    for (std::size_t t = 0; t < truth.size(); ++t) {
      if (truth[t].label != label) continue;
      const double iou = slowOverlap(ranking[i].box, truth[t].box);
      if (iou > best) {
        best = iou;
        which = t;
      }
    }
    if (which < truth.size() && best >= threshold) found.emplace(ranking[i].picture, which);
  }
  return found.size();
}

struct SlowAp {
  double area = 0;
  double eleven = 0;
};

SlowAp slowAp(const std::vector<ScoredPicture>& pictures, int label, double threshold) {
  std::size_t truths = 0;
  for (const ScoredPicture& picture : pictures) {
    for (const TruthBox& truth : picture.truth) truths += truth.label == label ? 1 : 0;
  }
  const std::vector<Ranked> ranking = rankClass(pictures, label);
  // Best precision over all prefixes that find at least `hits` truths.
  std::vector<double> best(truths + 1, 0.0);
  for (std::size_t n = 1; n <= ranking.size(); ++n) {
    const std::size_t hits = hitsOfPrefix(pictures, label, ranking, n, threshold);
    const double precision = static_cast<double>(hits) / static_cast<double>(n);
    for (std::size_t h = 0; h <= hits; ++h) best[h] = std::max(best[h], precision);
  }
  SlowAp ap;
  for (std::size_t h = 1; h <= truths; ++h) ap.area += best[h] / static_cast<double>(truths);
  for (std::size_t tenth = 0; tenth <= 10; ++tenth) {
    // The fewest truths whose share is tenth / 10 or more.
    const std::size_t needed = (tenth * truths + 9) / 10;
    ap.eleven += best[needed] / 11;
  }
  return ap;
}

std::set<int> classesOf(const std::vector<ScoredPicture>& pictures) {
  std::set<int> classes;
  for (const ScoredPicture& picture : pictures) {
    for (const TruthBox& truth : picture.truth) classes.insert(truth.label);
  }
  return classes;
}

void expectLikeOracle(const std::vector<ScoredPicture>& pictures, double threshold) {
  const auto area = averagePrecision(pictures, ApRule::voc_area, threshold);
  const auto eleven = averagePrecision(pictures, ApRule::voc_11_point, threshold);
  const std::set<int> classes = classesOf(pictures);
  ASSERT_EQ(area.classes.size(), classes.size());
  double sum_area = 0;
  double sum_eleven = 0;
  std::size_t i = 0;
  for (int label : classes) {
    const SlowAp expected = slowAp(pictures, label, threshold);
    EXPECT_EQ(area.classes[i].label, label);
    EXPECT_NEAR(area.classes[i].ap, expected.area, 1e-9) << "class " << label;
    EXPECT_NEAR(eleven.classes[i].ap, expected.eleven, 1e-9) << "class " << label;
    sum_area += expected.area;
    sum_eleven += expected.eleven;
    ++i;
  }
  EXPECT_NEAR(area.map, sum_area / static_cast<double>(classes.size()), 1e-9);
  EXPECT_NEAR(eleven.map, sum_eleven / static_cast<double>(classes.size()), 1e-9);
}

std::vector<ScoredPicture> randomPictures(unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(0, 1);
  const auto randomBox = [&] {
    const float x = uniform(random) * 0.6F, y = uniform(random) * 0.6F;
    return Box{x, y, x + 0.1F + uniform(random) * 0.3F, y + 0.1F + uniform(random) * 0.3F};
  };
  std::vector<ScoredPicture> pictures(12);
  for (ScoredPicture& picture : pictures) {
    const int count = static_cast<int>(random() % 6);
    for (int i = 0; i < count; ++i) {
      const int label = static_cast<int>(random() % 3);
      const Box box = randomBox();
      picture.truth.push_back(truthAt(box, label));
      for (int copy = static_cast<int>(random() % 3); copy > 0; --copy) {
        Box near = box;
        near.x1 += (uniform(random) - 0.5F) * 0.1F;
        near.y2 += (uniform(random) - 0.5F) * 0.1F;
        // Few distinct scores, so that ties occur.
        picture.detections.push_back({label, static_cast<float>(random() % 20) / 20, near});
      }
    }
    picture.detections.push_back({static_cast<int>(random() % 4), uniform(random), randomBox()});
  }
  return pictures;
}

TEST(AveragePrecision, LikeTheSlowOracleOnRandomPictures) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const auto pictures = randomPictures(seed);
    expectLikeOracle(pictures, 0.5);
    expectLikeOracle(pictures, 0.8);
  }
}

// With distinct boxes and at most one truth near each detection, COCO's matching equals VOC's, and
// its 101 points approach the area.
TEST(AveragePrecision, CocoApproachesTheAreaWhereMatchingAgrees) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    auto pictures = randomPictures(seed);
    for (ScoredPicture& picture : pictures) {
      if (picture.truth.size() > 1) picture.truth.resize(1);
    }
    const double coco = averagePrecision(pictures, ApRule::coco).map;
    const double area = averagePrecision(pictures, ApRule::voc_area).map;
    EXPECT_NEAR(coco, area, 0.011);
  }
}

/// indoor-map-85: lines "class [score] left top right bottom" in whole pixels that belong to the
/// box.
std::vector<ScoredPicture> readIndoor(const fs::path& root) {
  std::map<std::string, int> labels;
  const auto labelOf = [&labels](const std::string& name) {
    return labels.emplace(name, static_cast<int>(labels.size())).first->second;
  };
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(root / "ground-truth")) {
    files.insert(entry.path());
  }
  std::vector<ScoredPicture> pictures;
  for (const fs::path& file : files) {
    ScoredPicture picture;
    std::string line;
    for (std::ifstream truth(file); std::getline(truth, line);) {
      std::istringstream fields(line);
      std::string name;
      Box box;
      if (!(fields >> name >> box.x1 >> box.y1 >> box.x2 >> box.y2)) continue;
      picture.truth.push_back(truthAt({box.x1, box.y1, box.x2 + 1, box.y2 + 1}, labelOf(name)));
    }
    for (std::ifstream found(root / "detection-results" / file.filename());
         std::getline(found, line);) {
      std::istringstream fields(line);
      std::string name;
      float score = 0;
      Box box;
      if (!(fields >> name >> score >> box.x1 >> box.y1 >> box.x2 >> box.y2)) continue;
      picture.detections.push_back(
          {labelOf(name), score, {box.x1, box.y1, box.x2 + 1, box.y2 + 1}});
    }
    pictures.push_back(picture);
  }
  return pictures;
}

TEST(IndoorMap85, LikeTheSlowOracle) {
  NARROWS_REQUIRE_SHARED();
  auto path = test::unpackedDataset("indoor-map-85");
  ASSERT_TRUE(path.ok()) << path.error().message;
  const auto pictures = readIndoor(*path);
  ASSERT_EQ(pictures.size(), 85U);
  std::size_t truths = 0;
  std::size_t detections = 0;
  for (const ScoredPicture& picture : pictures) {
    truths += picture.truth.size();
    detections += picture.detections.size();
  }
  EXPECT_EQ(truths, 686U);
  EXPECT_EQ(detections, 494U);
  EXPECT_EQ(classesOf(pictures).size(), 30U);
  expectLikeOracle(pictures, 0.5);
  const double map = averagePrecision(pictures, ApRule::voc_area).map;
  RecordProperty("indoor_map_percent", std::to_string(map * 100));
  std::printf("indoor-map-85: mAP %.4f %% (VOC area, IoU 0.5)\n", map * 100);
}

}  // namespace
}  // namespace narrows
