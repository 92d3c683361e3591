#include "narrows/torch/losses.h"

#include <stdexcept>

#include "narrows/torch/convert.h"
#include "narrows/torch/fake_quantizer.h"
#include "narrows/torch/loss_functions.h"

namespace narrows {
namespace torched {

at::Tensor crossEntropy(const at::Tensor& output, std::span<const int> labels,
                        const ClassificationTask& task) {
  const at::Tensor flat = output.reshape({output.size(0), -1});
  if (flat.size(0) != static_cast<std::int64_t>(labels.size())) {
    throw std::runtime_error("labels of another number of samples");
  }
  std::vector<std::int64_t> entries;
  for (const int label : labels) {
    const std::int64_t entry = label + task.class_offset;
    if (label < 0 || entry >= flat.size(1)) {
      throw std::runtime_error(fmt::format("label {} of {} entries", label, flat.size(1)));
    }
    entries.push_back(entry);
  }
  const at::Tensor logarithm =
      task.logits ? at::log_softmax(flat, 1) : at::log(flat.clamp_min(1e-12));
  const at::Tensor chosen = logarithm.gather(1, indicesInto(flat, entries).reshape({-1, 1})).mean();
  return -(chosen * (1 - task.smoothing) + logarithm.mean() * task.smoothing);
}

at::Tensor distillation(const at::Tensor& student, const at::Tensor& teacher, double temperature) {
  const at::Tensor s = at::log_softmax(student.reshape({student.size(0), -1}) / temperature, 1);
  const at::Tensor t = at::log_softmax(teacher.reshape({teacher.size(0), -1}) / temperature, 1);
  return (at::exp(t) * (t - s)).sum() *
         (temperature * temperature / static_cast<double>(student.size(0)));
}

at::Tensor imitation(const at::Tensor& student, const at::Tensor& teacher) {
  const at::Tensor d = student - teacher;
  return at::mean(d * d) / (at::mean(teacher * teacher) + 1e-12);
}

}  // namespace torched

namespace {

using torched::fromAten;
using torched::guarded;
using torched::Tensors;
using torched::toAten;

at::ScalarType realOf(TensorView view) {
  return view.dtype() == DType::f64 ? at::kDouble : at::kFloat;
}

/// Value and gradients of what `loss` makes of `arguments`.
template <class Loss>
Result<LossGradient> differentiate(std::span<const TensorView> arguments, Loss&& loss) {
  return guarded([&]() -> Result<LossGradient> {
    Tensors leaves;
    for (const TensorView& argument : arguments) {
      NARROWS_TRY(leaf, toAten(argument, realOf(argument)));
      leaves.push_back(leaf.set_requires_grad(true));
    }
    const at::Tensor value = loss(leaves);
    LossGradient result;
    result.loss = value.template item<double>();
    for (const at::Tensor& gradient : torch::autograd::grad({value}, leaves)) {
      result.gradients.push_back(fromAten(gradient, arguments[result.gradients.size()].dtype()));
    }
    return result;
  });
}

/// The type of one sample of a batch of maps.
Result<TensorType> sampleType(TensorView map) {
  std::vector<std::int64_t> extents(map.shape().extents().begin(), map.shape().extents().end());
  if (extents.empty()) return makeError("a map has axes");
  extents[0] = 1;
  NARROWS_TRY(shape, Shape::create(extents));
  return TensorType{DType::f32, shape};
}

}  // namespace

Result<LossGradient> crossEntropyLoss(TensorView output, std::span<const int> labels,
                                      const ClassificationTask& task) {
  return differentiate({&output, 1}, [&](const Tensors& leaves) {
    return torched::crossEntropy(leaves[0], labels, task);
  });
}

Result<LossGradient> yoloLoss(std::span<const TensorView> maps,
                              std::span<const std::vector<BoxTarget>> boxes,
                              const DetectionTask& task) {
  return differentiate(maps,
                       [&](const Tensors& leaves) { return torched::yolo(leaves, boxes, task); });
}

Result<LossGradient> alignedLoss(TensorView cells, std::span<const std::vector<BoxTarget>> boxes,
                                 const TaskAlignment& alignment, const DualTask& task) {
  return differentiate({&cells, 1}, [&](const Tensors& leaves) {
    return torched::aligned(leaves[0], boxes, alignment, task);
  });
}

Result<LossGradient> distillationLoss(TensorView student, TensorView teacher, double temperature) {
  return differentiate({&student, 1}, [&](const Tensors& leaves) {
    return torched::distillation(leaves[0], *toAten(teacher, realOf(student)), temperature);
  });
}

Result<LossGradient> imitationLoss(TensorView student, TensorView teacher) {
  return differentiate({&student, 1}, [&](const Tensors& leaves) {
    return torched::imitation(leaves[0], *toAten(teacher, realOf(student)));
  });
}

Result<QuantizedGradient> fakeQuantize(TensorView map, const QuantizerParams& params, bool learned,
                                       TensorView weight) {
  return guarded([&]() -> Result<QuantizedGradient> {
    NARROWS_TRY(type, sampleType(map));
    NARROWS_TRY(quantizer, torched::FakeQuantizer::create(type, params, learned, realOf(map)));
    NARROWS_TRY(x, toAten(map, realOf(map)));
    NARROWS_TRY(factors, toAten(weight, realOf(map)));
    x.set_requires_grad(true);
    const at::Tensor y = quantizer.quantized(x);
    Tensors leaves = {x};
    if (learned) {
      for (const auto& part : quantizer.parts()) leaves.push_back(part.tensor);
    }
    const auto gradients = torch::autograd::grad({(y * factors).sum()}, leaves);
    QuantizedGradient result;
    result.output = fromAten(y, map.dtype());
    result.by_map = fromAten(gradients[0], map.dtype());
    const auto floats = [](const at::Tensor& tensor) {
      const Tensor plain = fromAten(tensor.reshape({-1}), DType::f32);
      return std::vector<float>(plain.as<float>().begin(), plain.as<float>().end());
    };
    if (learned && params.kind == QuantizerKind::levels) {
      result.by_levels = floats(gradients[1]);
    } else if (learned) {
      result.by_low = floats(gradients[1]);
      result.by_step = floats(gradients[2]);
    }
    return result;
  });
}

Result<LossGradient> clusteringLoss(TensorView map, const QuantizerParams& params) {
  NARROWS_TRY(type, sampleType(map));
  NARROWS_TRY(quantizer, torched::FakeQuantizer::create(type, params, false, realOf(map)));
  return differentiate({&map, 1},
                       [&](const Tensors& leaves) { return quantizer.clustering(leaves[0]); });
}

Result<LossGradient> rateLoss(TensorView map, const QuantizerParams& params, ByteSpan tables) {
  if (params.bits > 4) return makeError("the rate term takes up to 4 bits, not {}", params.bits);
  NARROWS_TRY(type, sampleType(map));
  NARROWS_TRY(quantizer, torched::FakeQuantizer::create(type, params, false, realOf(map)));
  NARROWS_TRY(table, RateTable::create(symbolLayout({type, params, {}}), tables));
  return differentiate(
      {&map, 1}, [&](const Tensors& leaves) { return quantizer.expectedBits(leaves[0], table); });
}

}  // namespace narrows
