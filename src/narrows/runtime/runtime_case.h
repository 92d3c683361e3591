#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "narrows/pipeline/local_pipeline.h"
#include "narrows/pipeline/small_bundle.h"
#include "narrows/runtime/edge_node.h"
#include "narrows/runtime/service.h"

/// What the tests of this folder share.
namespace narrows::test {

template <class T>
T must(Result<T> result) {
  if (!result.ok()) ADD_FAILURE() << result.error().message;
  return std::move(*result);
}

#define EXPECT_OK(expression)                                               \
  do {                                                                      \
    const auto expect_ok_status = (expression);                             \
    EXPECT_TRUE(expect_ok_status.ok()) << expect_ok_status.error().message; \
  } while (false)

inline PipelineOptions referencePipeline() {
  PipelineOptions options;
  options.engine = "reference";
  return options;
}

/// `count` pictures from seeds `first`, `first` + 1, ...; each comes `still` times.
class SeededSource : public FrameSource {
 public:
  SeededSource(std::size_t count, std::uint64_t first = 0, std::size_t still = 1)
      : count_(count), first_(first), still_(still) {}

  Result<std::optional<SourceFrame>> next() override {
    if (next_ == count_) return std::optional<SourceFrame>();
    const std::size_t index = next_++;
    if (before_) before_(index);
    const std::uint64_t seed = first_ + index / still_;
    return std::optional<SourceFrame>(
        SourceFrame{std::to_string(seed), Picture::fromImage(smallPicture(seed))});
  }
  std::optional<std::size_t> count() const override { return count_; }

  /// Called with the index of each picture before it is handed out.
  void before(std::function<void(std::size_t)> hook) { before_ = std::move(hook); }

 private:
  std::size_t count_;
  std::uint64_t first_;
  std::size_t still_;
  std::size_t next_ = 0;
  std::function<void(std::size_t)> before_;
};

/// What one process computes for the pictures of a SeededSource.
inline std::vector<Prediction> expectedPredictions(const std::shared_ptr<const Bundle>& bundle,
                                                   std::size_t count, std::uint64_t first = 0,
                                                   std::size_t still = 1) {
  auto pipeline = must(LocalPipeline::create(bundle, referencePipeline()));
  std::vector<Prediction> predictions;
  for (std::size_t i = 0; i < count; ++i) {
    Picture picture = Picture::fromImage(smallPicture(first + i / still));
    EXPECT_OK(pipeline.run(picture));
    predictions.push_back(pipeline.prediction());
  }
  return predictions;
}

/// A detector whose frames may refer to earlier ones of their stream.
inline std::shared_ptr<const Bundle> streamBundle(std::uint32_t key_interval, CoderKind coder) {
  auto bundle = std::make_shared<Bundle>(*smallSplit(SmallHead::yolov2));
  for (InterfaceParams& params : bundle->plan.interfaces) {
    auto& feature = std::get<FeatureInterface>(params);
    feature.key_interval = key_interval;
    feature.coder = CoderParams{coder};
  }
  return bundle;
}
/// A frame of such a stream where nothing changed: header, distance and reference
/// (docs/feature-frame.md).
inline constexpr std::size_t kStillFrame = 16;

struct NodeRun {
  NodeSummary summary;
  std::vector<FrameRecord> records;
  std::vector<NodeEvent> events;
};

/// Runs a node to the end of its source and keeps all it says.
inline NodeRun runNode(EdgeNode& node, FrameSource& source) {
  NodeRun run;
  std::mutex mutex;
  const std::atomic<bool> stop = false;
  auto summary = node.run(
      source,
      [&](const FrameRecord& record, Picture&) {
        run.records.push_back(record);
        return Status();
      },
      [&](const NodeEvent& event) {
        const std::lock_guard lock(mutex);
        run.events.push_back(event);
      },
      stop);
  if (!summary.ok()) {
    ADD_FAILURE() << summary.error().message;
    return run;
  }
  run.summary = *summary;
  return run;
}

/// One record for each picture, in order, each with the expected prediction.
inline void expectAnsweredOnce(const NodeRun& run, const std::vector<Prediction>& expected) {
  ASSERT_EQ(run.records.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const FrameRecord& record = run.records[i];
    EXPECT_EQ(record.frame, i);
    EXPECT_NE(record.answered, AnsweredBy::nobody) << i << ": " << record.error;
    EXPECT_EQ(record.prediction, expected[i]) << "frame " << i;
  }
}

}  // namespace narrows::test
