#include "narrows/eval/transfer_coding.h"

#include <algorithm>
#include <map>
#include <utility>

#include "narrows/eval/parallel.h"
#include "narrows/eval/plan_runner.h"
#include "narrows/pipeline/local_pipeline.h"
#include "narrows/plan/split.h"
#include "narrows/vision/preprocess.h"

namespace narrows {
namespace {

/// Maps of each tensor that tables are fitted to.
constexpr std::size_t kMostSamples = 8;
constexpr std::size_t kMostSampleBytes = std::size_t{4} << 20;
/// Width of what is not to lose more than a picture's samples do.
constexpr int kFineBits = 8;

/// A tensor of which parts go to other devices.
struct Source {
  QuantizerCalibrator calibrator;
  std::vector<Tensor> samples;
  bool gives_outputs = false;
};

/// A region that goes to other devices.
struct Crossing {
  Endpoint source;
  Region box;
  std::vector<std::size_t> transfers;
};

const TensorType& typeOf(const Plan& plan, const Endpoint& source) {
  return source.piece.valid() ? plan.piece(source.piece).outputs[source.port].type
                              : plan.inputs[source.port].type;
}

/// What is sent as a frame: outputs of the model stay where its head is decoded.
std::vector<Crossing> findCrossings(const Plan& plan, const Exchange& exchange, bool sums) {
  std::vector<Crossing> found;
  for (std::size_t t = 0; t < plan.transfers.size(); ++t) {
    const Transfer& transfer = plan.transfers[t];
    if (!exchange.channel_of[t] || typeOf(plan, transfer.source).dtype != DType::f32) continue;
    if (!sums && transfer.mode == TransferMode::add) continue;
    const auto same = std::find_if(found.begin(), found.end(), [&](const Crossing& crossing) {
      return crossing.source == transfer.source && crossing.box == transfer.from;
    });
    if (same != found.end()) {
      same->transfers.push_back(t);
    } else {
      found.push_back({transfer.source, transfer.from, {t}});
    }
  }
  return found;
}

/// The parameters for a box of the tensor that `whole` is for.
QuantizerParams ofBox(QuantizerParams whole, const Region& box) {
  if (whole.granularity == Granularity::tensor) return whole;
  for (std::vector<float>* list : {&whole.low, &whole.step}) {
    const std::vector<float> all = std::move(*list);
    list->assign(all.begin() + box[1].begin, all.begin() + box[1].end);
  }
  return whole;
}

/// A symbol for each sample of a picture; nothing where the input is no picture.
std::optional<QuantizerParams> samplesOf(const Plan& plan, const Preprocessing& preprocessing) {
  const Shape& shape = plan.inputs[0].type.shape;
  if (plan.inputs.size() != 1 || shape.rank() != 4 || shape[1] != 3) return std::nullopt;
  QuantizerParams params{QuantizerKind::uniform, kFineBits, Granularity::channel, {}, {}};
  for (std::size_t c = 0; c < 3; ++c) {
    if (!(preprocessing.scale[c] > 0)) return std::nullopt;
    params.low.push_back(static_cast<float>(-preprocessing.mean[c] * preprocessing.scale[c]));
    params.step.push_back(static_cast<float>(preprocessing.scale[c]));
  }
  return params;
}

class Coding {
 public:
  Coding(Bundle& bundle, const Exchange& exchange, const TransferCoding& coding)
      : bundle_(bundle),
        plan_(bundle.plan),
        coding_(coding),
        crossings_(findCrossings(bundle.plan, exchange, coding.sums)) {}

  Status withoutLoss() {
    for (const Crossing& crossing : crossings_) {
      FeatureInterface interface = plainInterface({DType::f32, crossing.box.shape()});
      interface.coder = coding_.coder;
      add(crossing, std::move(interface));
    }
    return checkPlan(plan_);
  }

  Status observe(const Engine& engine, PictureSource& pictures, std::size_t threads) {
    NARROWS_CHECK(makeSources());
    NARROWS_TRY(runner, PlanRunner::create(engine, plan_, bundle_.pieces, threads));
    for (std::size_t p = 0; p < pictures.size(); ++p) {
      NARROWS_TRY(picture, pictures.get(p));
      const Tensor input = normalizeImage(picture.image, bundle_.description.preprocessing);
      const TensorView view = input.view();
      NARROWS_CHECK(runner.run({&view, 1}));
      for (auto& [end, source] : sources_) {
        const TensorView map = runner.made(end);
        source.calibrator.observe(map);
        const std::size_t most = std::clamp<std::size_t>(
            kMostSampleBytes / std::max<std::size_t>(map.type().bytes(), 1), 1, kMostSamples);
        const std::size_t stride = (pictures.size() + most - 1) / most;
        if (p % stride != 0) continue;
        Tensor copy(map.type());
        std::ranges::copy(map.bytes(), copy.mutableView().bytes().begin());
        source.samples.push_back(std::move(copy));
      }
    }
    return {};
  }

  Status fit(std::size_t threads) {
    const std::optional<QuantizerParams> samples =
        samplesOf(plan_, bundle_.description.preprocessing);
    std::map<Endpoint, QuantizerParams> quantizers;
    for (const auto& [end, source] : sources_) {
      if (!end.piece.valid() && samples) {
        quantizers.emplace(end, *samples);
        continue;
      }
      const bool fine = source.gives_outputs && coding_.quantizer.kind != QuantizerKind::two_level;
      const int bits = fine ? std::max(coding_.quantizer.bits, kFineBits) : coding_.quantizer.bits;
      NARROWS_TRY(params, source.calibrator.fit(coding_.quantizer.kind, bits));
      quantizers.emplace(end, std::move(params));
    }
    std::vector<FeatureInterface> interfaces(crossings_.size());
    ThreadPool pool(threads);
    NARROWS_CHECK(
        forEachFallible(pool, crossings_.size(), [&](std::size_t index, std::size_t) -> Status {
          const Crossing& crossing = crossings_[index];
          FeatureInterface& interface = interfaces[index];
          interface.type = {DType::f32, crossing.box.shape()};
          interface.quantizer = ofBox(quantizers.at(crossing.source), crossing.box);
          interface.coder = coding_.coder;
          return fitTables(crossing, interface);
        }));
    for (std::size_t i = 0; i < crossings_.size(); ++i) {
      add(crossings_[i], std::move(interfaces[i]));
    }
    return checkPlan(plan_);
  }

 private:
  Status makeSources() {
    for (const Crossing& crossing : crossings_) {
      if (!sources_.contains(crossing.source)) {
        const TensorType& type = typeOf(plan_, crossing.source);
        const Granularity granularity =
            type.shape.rank() < 2 ? Granularity::tensor : coding_.quantizer.granularity;
        NARROWS_TRY(calibrator, QuantizerCalibrator::create(type, granularity));
        sources_.emplace(crossing.source, Source{std::move(calibrator), {}, false});
      }
      for (const std::size_t t : crossing.transfers) {
        if (!plan_.transfers[t].destination.piece.valid()) {
          sources_.at(crossing.source).gives_outputs = true;
        }
      }
    }
    return {};
  }

  Status fitTables(const Crossing& crossing, FeatureInterface& interface) const {
    if (coding_.coder.kind != CoderKind::context || !coding_.coder.tables.empty()) return {};
    std::vector<Tensor> boxes;
    for (const Tensor& sample : sources_.at(crossing.source).samples) {
      Tensor box(interface.type);
      copyRegion(sample.view(), crossing.box, box.mutableView(), Region::whole(box.shape()));
      boxes.push_back(std::move(box));
    }
    const std::vector<TensorView> views(boxes.begin(), boxes.end());
    NARROWS_TRY(tables, fitContextTables(interface, views));
    interface.coder.tables = std::move(tables);
    return {};
  }

  void add(const Crossing& crossing, FeatureInterface interface) {
    const InterfaceId id(plan_.interfaces.size());
    plan_.interfaces.emplace_back(std::move(interface));
    for (const std::size_t t : crossing.transfers) plan_.transfers[t].interface = id;
  }

  Bundle& bundle_;
  Plan& plan_;
  const TransferCoding& coding_;
  std::vector<Crossing> crossings_;
  std::map<Endpoint, Source> sources_;
};

}  // namespace

Status codeTransfers(const Engine& engine, Bundle& bundle, PictureSource* pictures,
                     const TransferCoding& coding, std::size_t threads) {
  if (!bundle.plan.interfaces.empty()) return makeError("the plan has interfaces already");
  NARROWS_TRY(exchange, planExchange(bundle.plan));
  Coding work(bundle, exchange, coding);
  if (coding.quantizer.kind == QuantizerKind::none) return work.withoutLoss();
  if (pictures == nullptr || pictures->size() == 0) {
    return makeError("no pictures to calibrate with");
  }
  NARROWS_CHECK(work.observe(engine, *pictures, threads));
  return work.fit(threads);
}

Result<std::vector<double>> transferBytes(std::string_view engine,
                                          std::shared_ptr<const Bundle> bundle,
                                          PictureSource& pictures, std::size_t threads) {
  if (pictures.size() == 0) return makeError("no pictures to measure with");
  PipelineOptions options;
  options.engine = engine;
  options.threads = threads;
  NARROWS_TRY(pipeline, LocalPipeline::create(bundle, options));
  std::vector<double> bytes(bundle->plan.transfers.size(), 0);
  for (std::size_t p = 0; p < pictures.size(); ++p) {
    NARROWS_TRY(picture, pictures.get(p));
    const Tensor input = normalizeImage(picture.image, bundle->description.preprocessing);
    const TensorView view = input.view();
    NARROWS_CHECK(pipeline.run({&view, 1}, picture.original));
    for (std::size_t t = 0; t < bytes.size(); ++t) {
      const auto channel = pipeline.exchange().channel_of[t];
      if (channel) bytes[t] += static_cast<double>(pipeline.frameBytes()[*channel]);
    }
  }
  for (double& sum : bytes) sum /= static_cast<double>(pictures.size());
  return bytes;
}

}  // namespace narrows
