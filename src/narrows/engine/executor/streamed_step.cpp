#include <algorithm>
#include <atomic>
#include <mutex>

#include "narrows/base/file_pages.h"
#include "narrows/engine/executor/conv_kernels.h"
#include "narrows/engine/executor/mapped_pages.h"
#include "narrows/engine/executor/steps.h"

namespace narrows::executor {
namespace {

constexpr std::int64_t kChunkBytes = 4 << 20;  // of weights that are packed at once

/// A convolution that owns no weights between runs.
class StreamedConv final : public Step {
 public:
  StreamedConv(const ConvProblem& problem, WeightSource source, bool own,
               std::shared_ptr<const Backend> backend, const Operand& input,
               const Operand* residual, const Operand& output, const StepTools& tools)
      : problem_(problem),
        source_(std::move(source)),
        own_(own),
        backend_(std::move(backend)),
        input_(input),
        output_(output),
        tools_(tools),
        mapped_(liesInMappedFile(source_.weights->view().bytes())) {
    if (residual != nullptr) residual_ = *residual;
    results_ = problem.output.shape[1];
    depth_ = results_ == 0 ? 0 : source_.weights->shape().elements() / results_;
    const bool splits = problem.groups == 1 && (own || takesSlices());
    const std::int64_t panel = tools.kernels.lanes * tools.kernels.vectors;
    const std::int64_t fit =
        kChunkBytes / static_cast<std::int64_t>(sizeof(float)) / std::max<std::int64_t>(depth_, 1);
    chunk_ = splits ? std::min(results_, std::max(fit / panel, std::int64_t{1}) * panel) : results_;
    const bool stripes = splits && !own && backend_->worksApart() && !source_.by_input &&
                         tools.team.size() > 1 && results_ >= 2 * stripeTile();
    if (stripes) cutStripes(fit);
  }

  /// Packs zeros once to learn what the kernels ask for: the weights may be far away.
  Status measure() {
    const std::vector<float> zeros(static_cast<std::size_t>(chunk_ * depth_));
    NARROWS_TRY(kernel, makePart(0, chunk_, zeros));
    scratch_bytes_ = kernel->scratchBytes();
    const bool staged = source_.by_input || source_.factor != 1;
    passing_bytes_ = kernel->weightBytes() + (staged ? zeros.size() * sizeof(float) : 0);
    if (!stripes_.empty()) passing_bytes_ *= tools_.team.size();
    return {};
  }

  Status run(const Memory& memory) override {
    const float* input = memory.read<float>(input_);
    const float* residual = residual_ ? memory.read<float>(*residual_) : nullptr;
    float* output = memory.write<float>(output_);
    if (!stripes_.empty()) return runStripes(input, residual, output);
    for (std::int64_t first = 0; first < results_; first += chunk_) {
      const std::int64_t count = std::min(chunk_, results_ - first);
      NARROWS_TRY(kernel, makePart(first, count, weights(first, count, staging_)));
      // Packed weights are copies.
      release(first, count);
      NARROWS_CHECK(kernel->run(input, residual == nullptr ? nullptr : residual + first,
                                output + first, memory.scratch(), tools_.team));
    }
    return {};
  }
  std::size_t scratchBytes() const override { return scratch_bytes_; }
  std::size_t passingBytes() const override { return passing_bytes_; }

 private:
  Result<std::unique_ptr<ConvKernel>> makePart(std::int64_t first, std::int64_t count,
                                               std::span<const float> weights) {
    ConvProblem part = problem_;
    const std::span<const float> bias =
        source_.bias ? source_.bias->as<float>() : std::span<const float>(source_.kept_bias);
    const auto from = static_cast<std::size_t>(first);
    if (!bias.empty()) part.bias = bias.subspan(from, static_cast<std::size_t>(count));
    part.weights = weights;
    if (!stripes_.empty()) part.threads = 1;
    part.output = withChannels(problem_.output, count);
    if (part.residual) part.residual = withChannels(*problem_.residual, count);
    if (own_) return makeOwnConv(part, tools_.kernels);
    return backend_->makeConv(part);
  }

  /// Whether the backend writes some channels of a map and leaves the others.
  bool takesSlices() const {
    if (results_ < 2) return false;
    ConvProblem part = problem_;
    part.output = withChannels(problem_.output, results_ - 1);
    if (part.residual) part.residual = withChannels(*problem_.residual, results_ - 1);
    return backend_->takes(part);
  }

  static Layout withChannels(Layout map, std::int64_t count) {
    Layout part = map;
    part.shape = *Shape::create(std::array{map.shape[0], count, map.shape[2], map.shape[3]});
    return part;
  }

  /// Results that kernels compute together at most.
  std::int64_t stripeTile() const { return std::max<std::int64_t>(tools_.kernels.lanes, 16); }

  /// Results in even parts, as many for each thread, of which one takes no more than its share of
  /// what is packed at once.
  void cutStripes(std::int64_t fit) {
    const auto threads = static_cast<std::int64_t>(tools_.team.size());
    const std::int64_t lanes = stripeTile();
    const std::int64_t tiles = (results_ + lanes - 1) / lanes;
    const std::int64_t most = std::max(fit / threads / lanes, std::int64_t{1});
    const std::int64_t rounds = (tiles + most * threads - 1) / (most * threads);
    const std::int64_t count = std::min(tiles, rounds * threads);
    chunk_ = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const Share part = share(tiles, static_cast<std::size_t>(i), static_cast<std::size_t>(count));
      stripes_.push_back({part.begin * lanes, std::min(part.end * lanes, results_)});
      chunk_ = std::max(chunk_, stripes_.back().end - stripes_.back().begin);
    }
  }

  /// Each thread reads, packs and computes stripes of its own, whoever is free the next one.
  Status runStripes(const float* input, const float* residual, float* output) {
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    Status outcome;
    tools_.team.run(tools_.team.size(), [&](std::size_t) {
      Team alone(1);
      std::vector<float> staging;
      for (std::size_t i = next++; i < stripes_.size(); i = next++) {
        const auto [first, end] = stripes_[i];
        Status status = runStripe(first, end - first, input, residual, output, staging, alone);
        const std::lock_guard lock(mutex);
        release(first, end - first);
        if (!status.ok()) outcome = std::move(status);
      }
    });
    return outcome;
  }

  Status runStripe(std::int64_t first, std::int64_t count, const float* input,
                   const float* residual, float* output, std::vector<float>& staging, Team& alone) {
    NARROWS_TRY(kernel, makePart(first, count, weights(first, count, staging)));
    return kernel->run(input, residual == nullptr ? nullptr : residual + first, output + first, {},
                       alone);
  }

  std::span<const float> weights(std::int64_t first, std::int64_t count,
                                 std::vector<float>& staging) {
    const auto all = source_.weights->as<float>();
    if (!source_.by_input && source_.factor == 1) {
      return all.subspan(static_cast<std::size_t>(first * depth_),
                         static_cast<std::size_t>(count * depth_));
    }
    const std::int64_t result_step = source_.by_input ? 1 : depth_;
    const std::int64_t input_step = source_.by_input ? results_ : 1;
    staging.resize(static_cast<std::size_t>(count * depth_));
    for (std::int64_t i = 0; i < count; ++i) {
      const float* from = all.data() + (first + i) * result_step;
      float* to = staging.data() + i * depth_;
      for (std::int64_t k = 0; k < depth_; ++k) to[k] = source_.factor * from[k * input_step];
    }
    return staging;
  }

  void release(std::int64_t first, std::int64_t count) {
    if (!mapped_) return;
    const ByteSpan all = source_.weights->view().bytes();
    if (source_.by_input) {
      releasePages(all);
      if (source_.read && first + count == results_) source_.read(all);
      return;
    }
    const std::size_t row = static_cast<std::size_t>(depth_) * sizeof(float);
    const ByteSpan rows =
        all.subspan(static_cast<std::size_t>(first) * row, static_cast<std::size_t>(count) * row);
    releasePages(rows);
    if (source_.read) source_.read(rows);
  }

  ConvProblem problem_;
  WeightSource source_;
  bool own_;
  std::shared_ptr<const Backend> backend_;
  Operand input_;
  std::optional<Operand> residual_;
  Operand output_;
  StepTools tools_;
  bool mapped_;
  std::int64_t results_ = 0, depth_ = 0, chunk_ = 0;
  std::size_t scratch_bytes_ = 0, passing_bytes_ = 0;
  std::vector<float> staging_;
  std::vector<Share> stripes_;  // of results; empty when the team runs one chunk after another
};

}  // namespace

StepResult makeStreamedConv(const ConvProblem& problem, WeightSource source, bool own,
                            std::shared_ptr<const Backend> backend, const Operand& input,
                            const Operand* residual, const Operand& output,
                            const StepTools& tools) {
  auto step = std::make_unique<StreamedConv>(problem, std::move(source), own, std::move(backend),
                                             input, residual, output, tools);
  NARROWS_CHECK(step->measure());
  return std::unique_ptr<Step>(std::move(step));
}

}  // namespace narrows::executor
