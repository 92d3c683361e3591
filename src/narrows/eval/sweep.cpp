#include "narrows/eval/sweep.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <numeric>

#include "narrows/base/file.h"
#include "narrows/codec/frame.h"
#include "narrows/engine/part_clock.h"
#include "narrows/eval/frame_meter.h"
#include "narrows/eval/parallel.h"
#include "narrows/eval/piece_runner.h"
#include "narrows/eval/predictor.h"

namespace narrows {
namespace {

Result<std::vector<Predictor>> makePredictors(const Engine& engine, const Graph& graph,
                                              const ModelDescription& description,
                                              std::size_t count) {
  std::vector<Predictor> predictors;
  for (std::size_t i = 0; i < count; ++i) {
    NARROWS_TRY(predictor, Predictor::create(engine, graph, description, 1));
    predictors.push_back(std::move(predictor));
  }
  return predictors;
}

/// Calls `progress` from one thread at a time.
class SharedProgress {
 public:
  explicit SharedProgress(const Sweep::Progress& progress) : progress_(progress) {}
  void step() {
    if (!progress_) return;
    std::lock_guard lock(mutex_);
    progress_();
  }

 private:
  const Sweep::Progress& progress_;
  std::mutex mutex_;
};

/// Whether picture `index` of `count` is among `wanted` that are spread evenly; all when 0.
bool isSampled(std::size_t index, std::size_t count, std::size_t wanted) {
  if (wanted == 0 || wanted >= count) return true;
  return (index + 1) * wanted / count != index * wanted / count;
}

/// One quantizer for all coders.
Result<FittedCoders> fitCoders(const CutCalibration& calibration, const QuantizerSpec& spec,
                               std::span<const CoderParams> coders) {
  NARROWS_TRY(interfaces, calibration.fit(spec, coders[0]));
  FittedCoders fitted = {interfaces};
  for (const CoderParams& coder : coders.subspan(1)) {
    NARROWS_CHECK(calibration.fitCoder(interfaces, coder));
    fitted.push_back(interfaces);
  }
  return fitted;
}

/// What one worker needs for one cut: both pieces, and a meter for each quantizer and coder.
struct CutWorker {
  PieceRunner node;
  Predictor server;
  std::vector<std::vector<FrameMeter>> meters;  // [quantizer][coder]
  Seconds node_time{};
  Seconds server_time{};
};

/// Frames of a coder hold what those of the first one hold.
Status sameMaps(const FittedCut& fitted, const FrameMeter& first, const FrameMeter& coded,
                std::size_t coder) {
  if (coded.sameMaps(first)) return {};
  return makeError("{} and {} decode to different maps", toString(fitted.coders[coder].kind),
                   toString(fitted.coders[0].kind));
}

/// Frames of slow coders. When they are of few pictures, they are coded after all others, a
/// quantizer at a time, so that all workers share those pictures; else with their picture.
class SlowFrames {
 public:
  SlowFrames(const FittedCut& fitted, std::size_t count, std::size_t wanted, std::size_t workers)
      : fitted_(&fitted), count_(count), wanted_(wanted) {
    constexpr std::size_t kPicturesOfAWorker = 4;
    if ((wanted == 0 ? count : wanted) > kPicturesOfAWorker * workers) return;
    for (std::size_t c = 1; c < fitted.coders.size(); ++c) {
      if (isSlow(fitted.coders[c])) coders_.push_back(c);
    }
    if (!coders_.empty()) maps_.resize(count);
  }

  /// Whether a coder leaves out that picture, or has it later.
  bool skips(std::size_t coder, std::size_t turn) const {
    if (std::find(coders_.begin(), coders_.end(), coder) != coders_.end()) return true;
    return coder > 0 && isSlow(fitted_->coders[coder]) && !isSampled(turn, count_, wanted_);
  }
  /// One call for each turn; different turns may meet.
  void keep(std::size_t turn, std::size_t index, std::span<const TensorView> maps) {
    if (coders_.empty() || !isSampled(turn, count_, wanted_)) return;
    maps_[turn].index = index;
    for (const TensorView& map : maps) maps_[turn].tensors.push_back(copyOf(map));
  }
  Status code(ThreadPool& pool, std::vector<CutWorker>& workers) const {
    std::vector<const Picture*> kept;
    for (const Picture& picture : maps_) {
      if (!picture.tensors.empty()) kept.push_back(&picture);
    }
    const std::size_t quantizers = fitted_->quantizers.size();
    return forEachFallible(
        pool, kept.size() * quantizers, [&](std::size_t job, std::size_t worker) -> Status {
          const Picture& picture = *kept[job / quantizers];
          const std::size_t q = job % quantizers;
          const std::vector<TensorView> maps(picture.tensors.begin(), picture.tensors.end());
          const auto sequence = static_cast<std::uint32_t>(picture.index);
          // The first coder's frames are counted already; packing gives their maps for less.
          std::vector<FeatureInterface> interfaces = fitted_->interfaces[q][0];
          for (FeatureInterface& interface : interfaces) interface.coder = {};
          NARROWS_TRY(packed, FrameMeter::create(interfaces));
          NARROWS_CHECK(packed.measure(maps, sequence));
          for (const std::size_t c : coders_) {
            FrameMeter& meter = workers[worker].meters[q][c];
            NARROWS_CHECK(meter.measure(maps, sequence));
            NARROWS_CHECK(sameMaps(*fitted_, packed, meter, c));
          }
          return {};
        });
  }

 private:
  struct Picture {
    std::size_t index = 0;
    std::vector<Tensor> tensors;
  };
  const FittedCut* fitted_;
  std::size_t count_;
  std::size_t wanted_;
  std::vector<std::size_t> coders_;
  std::vector<Picture> maps_;  // by turn; empty where not sampled
};

}  // namespace

bool isSlow(const CoderParams& coder) {
  return coder.kind == CoderKind::lzma || (coder.kind == CoderKind::context && coder.level > 0);
}

std::string scoreName(const SweepBaseline& baseline) {
  return std::string(toString(baseline.metric)) + (baseline.against_truth ? "" : " agreement");
}

Result<Sweep> Sweep::create(const Engine& engine, const Graph& graph,
                            const ModelDescription& description, const DataSet& data,
                            const SweepOptions& options, const Progress& progress) {
  NARROWS_ASSERT(!options.coders.empty() && !options.quantizers.empty());
  if (graph.inputs().size() != 1)
    return makeError("the network has {} inputs, expected one picture", graph.inputs().size());
  const Preprocessing& preprocessing = description.preprocessing;
  const Shape expected{1, 3, preprocessing.height, preprocessing.width};
  if (graph.shape(graph.inputs()[0]) != expected) {
    return makeError("the network takes {}, its description says {}",
                     toString(graph.shape(graph.inputs()[0])), toString(expected));
  }
  Sweep sweep(engine, graph, description, data, options);
  ThreadPool pool(options.threads);
  NARROWS_TRY(predictors, makePredictors(engine, graph, description, pool.size()));
  sweep.predictors_ = std::move(predictors);
  std::vector<Prediction> predictions(data.items.size());
  std::vector<std::size_t> file_bytes(data.items.size());
  std::vector<Seconds> times(pool.size());
  SharedProgress shared(progress);
  NARROWS_CHECK(forEachFallible(
      pool, data.items.size(), [&](std::size_t index, std::size_t worker) -> Status {
        NARROWS_TRY(picture, sweep.pictures_.get(index));
        file_bytes[index] = picture.file_bytes;
        const Tensor input = normalizeImage(picture.image, preprocessing);
        const TensorView view = input.view();
        const Seconds start = runMoment(1);
        NARROWS_TRY(prediction, sweep.predictors_[worker].predict({&view, 1}, picture.original));
        times[worker] += runMoment(1) - start;
        predictions[index] = std::move(prediction);
        shared.step();
        return {};
      }));
  NARROWS_TRY(scorer, Scorer::create(description, data, std::move(predictions)));
  SweepBaseline& baseline = sweep.baseline_;
  baseline.metric = scorer.metric();
  baseline.against_truth = scorer.againstTruth();
  baseline.pictures = data.items.size();
  baseline.uncut = scorer.uncut();
  baseline.raw_image_bytes =
      static_cast<std::size_t>(preprocessing.width * preprocessing.height * 3);
  baseline.file_bytes = std::accumulate(file_bytes.begin(), file_bytes.end(), 0.0) /
                        static_cast<double>(file_bytes.size());
  for (const Seconds time : times) {
    baseline.uncut_time += time / static_cast<double>(data.items.size());
  }
  sweep.scorer_ = std::move(scorer);
  return sweep;
}

Result<FittedCut> Sweep::fitCut(const Cut& cut, PictureSource& calibration_pictures,
                                std::vector<QuantizerSpec> quantizers,
                                std::vector<CoderParams> coders) const {
  NARROWS_ASSERT(!quantizers.empty() && !coders.empty());
  // Statistics per tensor and per channel are gathered only when some quantizer asks for them.
  std::map<Granularity, CutCalibration> calibrations;
  for (const QuantizerSpec& spec : quantizers) {
    if (calibrations.contains(spec.granularity)) continue;
    NARROWS_TRY(calibration,
                calibrateCut(*engine_, *graph_, cut, *description_, calibration_pictures,
                             spec.granularity, options_.threads));
    calibrations.emplace(spec.granularity, std::move(calibration));
  }
  // Quantizers and tables take longer to fit than many frames to code: once for all workers.
  FittedCut fitted{cut, std::move(quantizers), std::move(coders), {}};
  fitted.interfaces.resize(fitted.quantizers.size());
  ThreadPool pool(options_.threads);
  NARROWS_CHECK(
      forEachFallible(pool, fitted.interfaces.size(), [&](std::size_t turn, std::size_t) -> Status {
        // The widest take longest and mostly come last: begun first, no worker waits for them.
        const std::size_t q = fitted.interfaces.size() - 1 - turn;
        const QuantizerSpec& spec = fitted.quantizers[q];
        NARROWS_TRY(interfaces, fitCoders(calibrations.at(spec.granularity), spec, fitted.coders));
        fitted.interfaces[q] = std::move(interfaces);
        return {};
      }));
  return fitted;
}

Result<CutSweep> Sweep::measureCut(const Cut& cut, PictureSource& calibration_pictures,
                                   const Progress& progress) {
  NARROWS_TRY(fitted, fitCut(cut, calibration_pictures, options_.quantizers, options_.coders));
  return measureCut(fitted, {}, progress);
}

Result<CutSweep> Sweep::measureCut(const FittedCut& fitted, const CutScope& scope,
                                   const Progress& progress) {
  const std::size_t total = data_->items.size();
  const std::size_t count = scope.pictures == 0 ? total : std::min(scope.pictures, total);
  NARROWS_ASSERT(!scope.score || count == total);
  NARROWS_TRY(pieces, cutPieces(*graph_, fitted.cut));
  ThreadPool pool(options_.threads);
  std::vector<CutWorker> workers;
  for (std::size_t i = 0; i < pool.size(); ++i) {
    NARROWS_TRY(node, PieceRunner::create(*engine_, pieces.node, 1));
    NARROWS_TRY(server, Predictor::create(*engine_, pieces.server, *description_, 1));
    CutWorker worker{std::move(node), std::move(server), {}, {}, {}};
    for (const FittedCoders& coders : fitted.interfaces) {
      auto& meters = worker.meters.emplace_back();
      for (const std::vector<FeatureInterface>& interfaces : coders) {
        NARROWS_TRY(meter, FrameMeter::create(interfaces));
        meters.push_back(std::move(meter));
      }
    }
    workers.push_back(std::move(worker));
  }

  const std::size_t quantizers = fitted.quantizers.size();
  SlowFrames slow(fitted, count, options_.slow_coder_frames, pool.size());
  // Without scores the server piece runs only for its time.
  const std::size_t predicted = scope.score ? quantizers : 1;
  std::vector<std::vector<Prediction>> predictions(predicted, std::vector<Prediction>(count));
  SharedProgress shared(progress);
  NARROWS_CHECK(
      forEachFallible(pool, count, [&](std::size_t turn, std::size_t worker_index) -> Status {
        CutWorker& worker = workers[worker_index];
        const std::size_t index = turn * total / count;
        NARROWS_TRY(picture, pictures_.get(index));
        std::span<const TensorView> maps;
        if (scope.kept && scope.kept->has(index)) {
          maps = scope.kept->of(index);
        } else {
          const Tensor input = normalizeImage(picture.image, description_->preprocessing);
          const TensorView view = input.view();
          const Seconds start = runMoment(1);
          NARROWS_TRY(made, worker.node.run({&view, 1}));
          worker.node_time += runMoment(1) - start;
          if (scope.kept) scope.kept->keep(index, made);
          maps = made;
        }
        slow.keep(turn, index, maps);
        for (std::size_t q = 0; q < quantizers; ++q) {
          auto& meters = worker.meters[q];
          for (std::size_t c = 0; c < meters.size(); ++c) {
            if (slow.skips(c, turn)) continue;
            NARROWS_CHECK(meters[c].measure(maps, static_cast<std::uint32_t>(index)));
            if (c > 0) NARROWS_CHECK(sameMaps(fitted, meters[0], meters[c], c));
          }
          if (q >= predicted) continue;
          const Seconds decoded = runMoment(1);
          NARROWS_TRY(prediction, worker.server.predict(meters[0].decoded(), picture.original));
          worker.server_time += runMoment(1) - decoded;
          predictions[q][turn] = std::move(prediction);
        }
        shared.step();
        return {};
      }));
  NARROWS_CHECK(slow.code(pool, workers));

  CutSweep result{fitted.cut, {}, {}, {}};
  for (const CutWorker& worker : workers) {
    result.node_time += worker.node_time / static_cast<double>(count);
    result.server_time += worker.server_time / static_cast<double>(count * predicted);
  }
  for (std::size_t q = 0; q < quantizers; ++q) {
    SweepRow row{fitted.quantizers[q], {}, {}};
    if (scope.score) row.accuracy = scorer_->score(predictions[q]);
    for (std::size_t c = 0; c < fitted.coders.size(); ++c) {
      FrameStatistics sum;
      for (const CutWorker& worker : workers) sum.add(worker.meters[q][c].statistics());
      row.coders.push_back({fitted.coders[c], sum.frames, sum.meanBytes(), sum.bytesDeviation(),
                            sum.worst_bytes, sum.meanEncodeTime(), sum.meanDecodeTime()});
    }
    result.rows.push_back(std::move(row));
  }
  return result;
}

Result<ImageSweep> Sweep::measureImage(const ImageInterface& interface, const Progress& progress) {
  ThreadPool pool(options_.threads);
  const std::size_t count = data_->items.size();
  std::vector<Prediction> predictions(count);
  std::vector<FrameStatistics> statistics(pool.size());
  SharedProgress shared(progress);
  NARROWS_CHECK(forEachFallible(pool, count, [&](std::size_t index, std::size_t worker) -> Status {
    NARROWS_TRY(picture, pictures_.get(index));
    const auto start = runMoment(1);
    Image received = picture.image;
    std::size_t payload = 0;
    switch (interface.coding) {
      case ImageCoding::raw:
        payload = received.rgb.size();
        break;
      case ImageCoding::original:
        payload = picture.file_bytes;
        break;
      case ImageCoding::jpeg: {
        NARROWS_TRY(jpeg, encodeJpeg(picture.image, interface.quality));
        payload = jpeg.size();
        NARROWS_TRY(decoded, decodeImage(jpeg));
        received = std::move(decoded);
        break;
      }
    }
    statistics[worker].add(payload + kFrameHeaderBytes, runMoment(1) - start, Seconds());
    const Tensor input = normalizeImage(received, description_->preprocessing);
    const TensorView view = input.view();
    NARROWS_TRY(prediction, predictors_[worker].predict({&view, 1}, picture.original));
    predictions[index] = std::move(prediction);
    shared.step();
    return {};
  }));
  FrameStatistics total;
  for (const FrameStatistics& part : statistics) total.add(part);
  return ImageSweep{interface, scorer_->score(predictions), total.meanBytes(), total.worst_bytes,
                    total.meanEncodeTime()};
}

}  // namespace narrows
