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
/// Of a picture's samples.
constexpr int kSampleBits = 8;

/// A tensor of which parts go to other devices.
struct Source {
  Endpoint end;
  /// Index of its quantizer.
  std::size_t quantizer = 0;
  std::vector<Tensor> samples;
};

/// The quantizer of a tensor, or of the parts of one sum, which are alike and many.
struct SharedQuantizer {
  QuantizerCalibrator calibrator;
  std::vector<std::size_t> sources;
  bool of_sum = false;
  QuantizerParams params;
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
std::vector<Crossing> findCrossings(const Plan& plan, const Exchange& exchange,
                                    const TransferCoding& coding) {
  const bool lossy = coding.quantizer.kind != QuantizerKind::none;
  std::vector<Crossing> found;
  for (std::size_t t = 0; t < plan.transfers.size(); ++t) {
    const Transfer& transfer = plan.transfers[t];
    if (!exchange.channel_of[t] || typeOf(plan, transfer.source).dtype != DType::f32) continue;
    if (!coding.sums && transfer.mode == TransferMode::add) continue;
    if (lossy && !transfer.destination.piece.valid()) continue;
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
  QuantizerParams params{QuantizerKind::uniform, kSampleBits, Granularity::channel, {}, {}};
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
        crossings_(findCrossings(bundle.plan, exchange, coding)) {}

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
    ThreadPool pool(threads);
    for (std::size_t p = 0; p < pictures.size(); ++p) {
      NARROWS_TRY(picture, pictures.get(p));
      const Tensor input = normalizeImage(picture.image, bundle_.description.preprocessing);
      const TensorView view = input.view();
      NARROWS_CHECK(runner.run({&view, 1}));
      pool.forEach(quantizers_.size(), [&](std::size_t index, std::size_t) {
        for (const std::size_t s : quantizers_[index].sources) {
          quantizers_[index].calibrator.observe(runner.made(sources_[s].end));
        }
      });
      for (Source& source : sources_) {
        const TensorView map = runner.made(source.end);
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
    ThreadPool pool(threads);
    NARROWS_CHECK(
        forEachFallible(pool, quantizers_.size(), [&](std::size_t index, std::size_t) -> Status {
          SharedQuantizer& shared = quantizers_[index];
          if (!sources_[shared.sources.front()].end.piece.valid() && samples) {
            shared.params = *samples;
            return {};
          }
          NARROWS_TRY(params, shared.calibrator.fit(coding_.quantizer.kind, bitsOf(shared)));
          shared.params = std::move(params);
          return {};
        }));
    const std::vector<std::vector<std::size_t>> alike = alikeCrossings();
    std::vector<FeatureInterface> interfaces(alike.size());
    NARROWS_CHECK(
        forEachFallible(pool, alike.size(), [&](std::size_t index, std::size_t) -> Status {
          const Crossing& crossing = crossings_[alike[index].front()];
          FeatureInterface& interface = interfaces[index];
          interface.type = {DType::f32, crossing.box.shape()};
          interface.quantizer = ofBox(quantizerOf(crossing).params, crossing.box);
          interface.coder = coding_.coder;
          return fitTables(alike[index], interface);
        }));
    for (std::size_t i = 0; i < alike.size(); ++i) {
      for (const std::size_t c : alike[i]) add(crossings_[c], interfaces[i]);
    }
    return checkPlan(plan_);
  }

 private:
  SharedQuantizer& quantizerOf(const Crossing& crossing) {
    return quantizers_[sources_[index_.at(crossing.source)].quantizer];
  }

  int bitsOf(const SharedQuantizer& shared) const {
    const int bits = coding_.quantizer.bits;
    return shared.of_sum ? coding_.sum_bits.value_or(bits) : bits;
  }

  bool isSum(const Crossing& crossing) const {
    return plan_.transfers[crossing.transfers[0]].mode == TransferMode::add;
  }

  /// The quantizer of another part of the sum that the crossing is part of.
  std::optional<std::size_t> quantizerOfSum(const Crossing& crossing) const {
    const Transfer& transfer = plan_.transfers[crossing.transfers[0]];
    if (transfer.mode != TransferMode::add) return std::nullopt;
    for (const Crossing& other : crossings_) {
      const Transfer& part = plan_.transfers[other.transfers[0]];
      const auto found = index_.find(other.source);
      if (found == index_.end() || part.mode != TransferMode::add) continue;
      if (part.destination == transfer.destination && part.to == transfer.to &&
          other.box == crossing.box &&
          typeOf(plan_, other.source) == typeOf(plan_, crossing.source)) {
        return sources_[found->second].quantizer;
      }
    }
    return std::nullopt;
  }

  Status makeSources() {
    for (const Crossing& crossing : crossings_) {
      if (!index_.contains(crossing.source)) {
        std::size_t quantizer = quantizers_.size();
        if (const auto other = quantizerOfSum(crossing)) {
          quantizer = *other;
        } else {
          const TensorType& type = typeOf(plan_, crossing.source);
          const Granularity granularity =
              type.shape.rank() < 2 ? Granularity::tensor : coding_.quantizer.granularity;
          NARROWS_TRY(calibrator, QuantizerCalibrator::create(type, granularity));
          quantizers_.push_back({std::move(calibrator), {}, isSum(crossing), {}});
        }
        index_.emplace(crossing.source, sources_.size());
        quantizers_[quantizer].sources.push_back(sources_.size());
        sources_.push_back({crossing.source, quantizer, {}});
      }
    }
    return {};
  }

  /// Crossings of the same box under the same quantizer: parts of a sum.
  std::vector<std::vector<std::size_t>> alikeCrossings() {
    std::vector<std::vector<std::size_t>> groups;
    for (std::size_t c = 0; c < crossings_.size(); ++c) {
      const auto same = std::find_if(groups.begin(), groups.end(), [&](const auto& group) {
        const Crossing& first = crossings_[group.front()];
        return &quantizerOf(first) == &quantizerOf(crossings_[c]) && first.box == crossings_[c].box;
      });
      if (same != groups.end()) {
        same->push_back(c);
      } else {
        groups.push_back({c});
      }
    }
    return groups;
  }

  /// Each sample is of the next of the crossings in turn.
  Status fitTables(const std::vector<std::size_t>& alike, FeatureInterface& interface) const {
    if (coding_.coder.kind != CoderKind::context || !coding_.coder.tables.empty()) return {};
    std::vector<Tensor> boxes;
    const std::size_t count = sources_[index_.at(crossings_[alike.front()].source)].samples.size();
    for (std::size_t i = 0; i < count; ++i) {
      const Crossing& crossing = crossings_[alike[i % alike.size()]];
      const Tensor& sample = sources_[index_.at(crossing.source)].samples[i];
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
  std::vector<SharedQuantizer> quantizers_;
  std::vector<Source> sources_;
  std::map<Endpoint, std::size_t> index_;  // in `sources_`
};

}  // namespace

Status codeTransfers(const Engine& engine, Bundle& bundle, PictureSource* pictures,
                     const TransferCoding& coding, std::size_t threads) {
  if (!bundle.plan.interfaces.empty()) return makeError("the plan has interfaces already");
  NARROWS_TRY(exchange, planExchange(bundle.plan));
  Coding work(bundle, exchange, coding);
  if (coding.quantizer.kind == QuantizerKind::none) return work.withoutLoss();
  if (coding.sum_bits && coding.quantizer.kind != QuantizerKind::uniform) {
    return makeError("only a uniform quantizer has another width for partial sums");
  }
  if (pictures == nullptr || pictures->size() == 0) {
    return makeError("no pictures to calibrate with");
  }
  NARROWS_CHECK(work.observe(engine, *pictures, threads));
  return work.fit(threads);
}

Result<std::vector<double>> transferBytes(std::string_view engine,
                                          const std::shared_ptr<const Bundle>& bundle,
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
