#include <algorithm>
#include <atomic>
#include <mutex>

#include "narrows/base/file_pages.h"
#include "narrows/engine/executor/conv_kernels.h"
#include "narrows/engine/executor/mapped_pages.h"
#include "narrows/engine/executor/packed_weights.h"
#include "narrows/engine/executor/steps.h"

namespace narrows::executor {
namespace {

/// Bytes of weights that the team packs at once for a kernel of all threads.
constexpr std::int64_t kChunkBytes = 4 << 20;
/// Bytes that one thread packs for itself, which stay in its second cache until all pixels have met
/// them, and all threads together.
constexpr std::int64_t kStripeBytes = 3 << 19;
constexpr std::int64_t kStripesBytes = 6 << 20;
/// Up to so many, one thread packs all of a layer's, and the team shares its pixels.
constexpr std::int64_t kSharedBytes = 256 << 10;
constexpr std::size_t kLine = 64;  // bytes

std::size_t wholeLines(std::size_t bytes) {
  return (bytes + kLine - 1) / kLine * kLine;
}

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
        all_(source_.weights->view().bytes()) {
    if (residual != nullptr) residual_ = *residual;
    if (source_.reader != nullptr && !source_.reader->has(all_)) source_.reader = nullptr;
    mapped_ = source_.reader != nullptr || liesInMappedFile(all_);
    results_ = problem.output.shape[1];
    depth_ = results_ == 0 ? 0 : source_.weights->shape().elements() / results_;
    if (worksInStripes()) {
      cutStripes();
    } else {
      const bool splits = problem.groups == 1 && (own || takesSlices());
      const std::int64_t panel = tools.kernels.lanes * tools.kernels.vectors;
      const std::int64_t fit = kChunkBytes / std::max<std::int64_t>(rowBytes(), 1);
      chunk_ =
          splits ? std::min(results_, std::max(fit / panel, std::int64_t{1}) * panel) : results_;
    }
  }

  /// Settles the work space. A kernel of the backend says what it asks for when it packs zeros: the
  /// weights may be far away.
  Status measure() {
    const ConvProblem part = partOf(0, chunk_);
    if (own_ && problem_.groups == 1) room_ = PackedWeights::floats(part, tools_.kernels);
    if (own_ && !stripes_.empty()) {
      kernel_scratch_ = wholeLines(ownStripeScratch(part, tools_.kernels));
    } else {
      const std::vector<float> zeros(static_cast<std::size_t>(chunk_ * depth_));
      NARROWS_TRY(kernel, makePart(0, chunk_, zeros, {}));
      kernel_scratch_ = kernel->scratchBytes();
      if (room_ == 0) passing_bytes_ = kernel->weightBytes();
    }
    if (source_.by_input || source_.factor != 1) {
      passing_bytes_ += static_cast<std::size_t>(chunk_ * rowBytes());
    }
    if (!stripes_.empty()) passing_bytes_ *= tools_.team.size();
    return {};
  }

  Status run(const Memory& memory) override {
    const Maps maps{memory.read<float>(input_),
                    residual_ ? memory.read<float>(*residual_) : nullptr,
                    memory.write<float>(output_)};
    if (!stripes_.empty()) return runStripes(maps, memory.scratch());
    const Space space = spaceOf(memory.scratch(), 0);
    for (std::int64_t first = 0; first < results_; first += chunk_) {
      const Share part{first, std::min(first + chunk_, results_)};
      NARROWS_CHECK(runPart(part, maps, staging_, space, tools_.team));
      if (source_.by_input) leavePages(part.end == results_);
    }
    return {};
  }

  std::size_t scratchBytes() const override {
    return spaceBytes() * (stripes_.empty() ? 1 : tools_.team.size());
  }
  std::size_t passingBytes() const override { return passing_bytes_; }
  void listStreamed(std::vector<ByteSpan>& blocks) const override {
    if (source_.by_input) return;
    for (const Share& stripe : stripes_) blocks.push_back(rowsOf(stripe));
    if (!stripes_.empty()) return;
    for (std::int64_t first = 0; first < results_; first += chunk_)
      blocks.push_back(rowsOf({first, std::min(first + chunk_, results_)}));
  }

 private:
  struct Maps {
    const float* input;
    const float* residual;
    float* output;
  };
  /// Of one kernel: where its weights are packed, and its work space.
  struct Space {
    std::span<float> room;
    std::span<std::byte> scratch;
  };

  std::int64_t rowBytes() const { return depth_ * static_cast<std::int64_t>(sizeof(float)); }
  ByteSpan rowsOf(Share results) const {
    return all_.subspan(static_cast<std::size_t>(results.begin * rowBytes()),
                        static_cast<std::size_t>((results.end - results.begin) * rowBytes()));
  }

  std::size_t roomBytes() const { return wholeLines(room_ * sizeof(float)); }
  std::size_t spaceBytes() const { return roomBytes() + kernel_scratch_; }
  Space spaceOf(std::span<std::byte> scratch, std::size_t member) const {
    const auto own = scratch.subspan(member * spaceBytes(), spaceBytes());
    return {{reinterpret_cast<float*>(own.data()), room_}, own.subspan(roomBytes())};
  }

  ConvProblem partOf(std::int64_t first, std::int64_t count) const {
    ConvProblem part = problem_;
    if (!source_.bias.empty()) {
      part.bias = std::span<const float>(source_.bias)
                      .subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    }
    if (!stripes_.empty()) part.threads = 1;
    part.output = withChannels(problem_.output, count);
    if (part.residual) part.residual = withChannels(*problem_.residual, count);
    return part;
  }

  Result<std::unique_ptr<ConvKernel>> makePart(std::int64_t first, std::int64_t count,
                                               std::span<const float> weights,
                                               std::span<float> room) const {
    ConvProblem part = partOf(first, count);
    part.weights = weights;
    part.room = room;
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

  /// Whether each thread packs and computes results of its own.
  bool worksInStripes() const {
    if (problem_.groups != 1 || source_.by_input) return false;
    if (own_) return !isPlanar(problem_) && results_ * rowBytes() > kSharedBytes;
    return takesSlices() && backend_->worksApart() && tools_.team.size() > 1 &&
           results_ >= 2 * stripeTile();
  }

  /// Results that kernels compute together at most.
  std::int64_t stripeTile() const {
    return own_ ? tools_.kernels.lanes : std::max<std::int64_t>(tools_.kernels.lanes, 16);
  }

  /// Results in even parts, as many for each thread, of which one takes no more than its share of
  /// what is packed at once; of an own kernel, a panel at most.
  void cutStripes() {
    const auto threads = static_cast<std::int64_t>(tools_.team.size());
    const std::int64_t lanes = stripeTile();
    const std::int64_t tiles = (results_ + lanes - 1) / lanes;
    const std::int64_t bytes =
        own_ ? std::min(kStripeBytes, kStripesBytes / threads) : kChunkBytes / threads;
    std::int64_t most = std::max(bytes / rowBytes() / lanes, std::int64_t{1});
    if (own_) most = std::min(most, tools_.kernels.vectors);
    const std::int64_t rounds = (tiles + most * threads - 1) / (most * threads);
    const std::int64_t count = std::min(tiles, rounds * threads);
    for (std::int64_t i = 0; i < count; ++i) {
      const Share part = share(tiles, static_cast<std::size_t>(i), static_cast<std::size_t>(count));
      stripes_.push_back({part.begin * lanes, std::min(part.end * lanes, results_)});
      chunk_ = std::max(chunk_, stripes_.back().end - stripes_.back().begin);
    }
  }

  /// Each thread gets, packs and computes stripes of its own, whoever is free the next one.
  Status runStripes(const Maps& maps, std::span<std::byte> scratch) {
    std::atomic<std::size_t> next{0};
    std::atomic<bool> failed{false};
    std::mutex mutex;
    Status outcome;
    tools_.team.run(tools_.team.size(), [&](std::size_t member) {
      Team alone(1);
      std::vector<float> staging;
      const Space space = spaceOf(scratch, member);
      for (std::size_t i = next++; i < stripes_.size() && !failed; i = next++) {
        Status status = runPart(stripes_[i], maps, staging, space, alone);
        if (status.ok()) continue;
        failed = true;
        const std::lock_guard lock(mutex);
        outcome = std::move(status);
      }
    });
    return outcome;
  }

  Status runPart(Share results, const Maps& maps, std::vector<float>& staging, const Space& space,
                 Team& team) const {
    const std::int64_t first = results.begin;
    const std::int64_t count = results.end - first;
    ByteSpan rows = source_.by_input ? all_ : rowsOf(results);
    const bool held = source_.reader != nullptr && !source_.by_input;
    if (held) {
      NARROWS_TRY(read, source_.reader->hold(rows));
      rows = read;
    }
    auto kernel = makePart(first, count, staged(rows, first, count, staging), space.room);
    // Packed weights are copies.
    if (held) {
      source_.reader->release(rowsOf(results));
    } else if (mapped_ && !source_.by_input) {
      releasePages(rows);
    }
    if (!kernel.ok()) return kernel.takeError();
    return (*kernel)->run(maps.input, maps.residual == nullptr ? nullptr : maps.residual + first,
                          maps.output + first, space.scratch, team);
  }

  /// Weights of some results as the kernels want them. `from`: their rows, or all of the inputs'.
  std::span<const float> staged(ByteSpan from, std::int64_t first, std::int64_t count,
                                std::vector<float>& staging) const {
    const std::span<const float> numbers(reinterpret_cast<const float*>(from.data()),
                                         from.size() / sizeof(float));
    if (!source_.by_input && source_.factor == 1) return numbers;
    staging.resize(static_cast<std::size_t>(count * depth_));
    const float* start = numbers.data() + (source_.by_input ? first : 0);
    const std::int64_t result_step = source_.by_input ? 1 : depth_;
    const std::int64_t input_step = source_.by_input ? results_ : 1;
    for (std::int64_t i = 0; i < count; ++i) {
      float* to = staging.data() + i * depth_;
      for (std::int64_t k = 0; k < depth_; ++k)
        to[k] = source_.factor * start[i * result_step + k * input_step];
    }
    return staging;
  }

  /// Of weights whose rows are inputs: every part reads all pages.
  void leavePages(bool last) const {
    if (!mapped_) return;
    releasePages(all_);
    if (last && source_.reader != nullptr) source_.reader->leave(all_);
  }

  ConvProblem problem_;
  WeightSource source_;
  bool own_;
  std::shared_ptr<const Backend> backend_;
  Operand input_;
  std::optional<Operand> residual_;
  Operand output_;
  StepTools tools_;
  ByteSpan all_;  // weights
  bool mapped_ = false;
  std::int64_t results_ = 0, depth_ = 0, chunk_ = 0;
  std::size_t room_ = 0;  // floats
  std::size_t kernel_scratch_ = 0, passing_bytes_ = 0;
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
