#include "narrows/torch/network.h"

#include "narrows/torch/convert.h"
#include "narrows/torch/module.h"

namespace narrows {

using torched::fromAten;
using torched::guarded;
using torched::toAten;

struct TorchNetwork::State {
  torched::GraphModule module;
  TorchOptions options;

  DType resultType(const at::Tensor& tensor) const {
    switch (tensor.scalar_type()) {
      case at::kFloat:
        return DType::f32;
      case at::kDouble:
        return DType::f64;
      case at::kInt:
        return DType::i32;
      case at::kLong:
        return DType::i64;
      case at::kByte:
        return DType::u8;
      case at::kChar:
        return DType::i8;
      case at::kShort:
        return DType::i16;
      default:
        return DType::boolean;
    }
  }

  Result<torched::Tensors> convert(std::span<const TensorView> inputs) const {
    torched::Tensors tensors;
    for (const TensorView& input : inputs) {
      NARROWS_TRY(tensor, toAten(input, module.place()));
      tensors.push_back(tensor);
    }
    return tensors;
  }

  torched::Tensors forward(const torched::Tensors& inputs) const {
    const std::vector<ValueId> wanted(module.graph().outputs().begin(),
                                      module.graph().outputs().end());
    return module.run(inputs, {options.batch_norm_training, options.momentum}, wanted);
  }
};

Status checkTorchDevice(const std::string& device) {
  const auto found = torched::findDevice(device);
  if (!found.ok()) return found.error();
  return {};
}

void setTorchThreads(std::size_t threads) {
  at::set_num_threads(static_cast<int>(threads));
}

TorchNetwork::TorchNetwork(std::unique_ptr<State> state) : state_(std::move(state)) {}
TorchNetwork::TorchNetwork(TorchNetwork&&) noexcept = default;
TorchNetwork& TorchNetwork::operator=(TorchNetwork&&) noexcept = default;
TorchNetwork::~TorchNetwork() = default;

Result<TorchNetwork> TorchNetwork::create(const Graph& graph, const TorchOptions& options) {
  NARROWS_TRY(device, torched::findDevice(options.device));
  const auto place = at::TensorOptions(device).dtype(torched::scalarType(options.double_precision));
  NARROWS_TRY(module, guarded([&] { return torched::GraphModule::create(graph, place); }));
  return TorchNetwork(std::unique_ptr<State>(new State{std::move(module), options}));
}

Result<std::vector<Tensor>> TorchNetwork::run(std::span<const TensorView> inputs) {
  return guarded([&]() -> Result<std::vector<Tensor>> {
    NARROWS_TRY(tensors, state_->convert(inputs));
    const at::NoGradGuard no_gradients;
    std::vector<Tensor> results;
    for (const at::Tensor& output : state_->forward(tensors)) {
      results.push_back(fromAten(output, state_->resultType(output)));
    }
    return results;
  });
}

Result<Gradients> TorchNetwork::differentiate(std::span<const TensorView> inputs,
                                              std::span<const TensorView> weights) {
  return guarded([&]() -> Result<Gradients> {
    NARROWS_TRY(tensors, state_->convert(inputs));
    NARROWS_TRY(factors, state_->convert(weights));
    torched::Tensors leaves;
    for (at::Tensor& tensor : tensors) {
      if (at::isFloatingType(tensor.scalar_type())) {
        leaves.push_back(tensor.set_requires_grad(true));
      }
    }
    const torched::GraphModule& module = state_->module;
    for (const ValueId id : module.parameters()) leaves.push_back(module.constant(id));
    const torched::Tensors outputs = state_->forward(tensors);
    if (factors.size() != outputs.size()) {
      return makeError("{} weights for {} outputs", factors.size(), outputs.size());
    }
    at::Tensor total = at::zeros({}, module.place());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (at::isFloatingType(outputs[i].scalar_type())) {
        total = total + (outputs[i] * factors[i]).sum();
      }
    }
    torched::Tensors found(leaves.size());
    if (total.requires_grad()) {
      found = torch::autograd::grad({total}, leaves, {}, false, false, true);
    }
    const auto gradientOf = [&](std::size_t leaf) {
      const at::Tensor gradient =
          found[leaf].defined() ? found[leaf] : at::zeros_like(leaves[leaf]);
      return fromAten(gradient, state_->resultType(gradient));
    };
    Gradients gradients;
    for (const at::Tensor& output : outputs) {
      gradients.outputs.push_back(fromAten(output, state_->resultType(output)));
    }
    std::size_t leaf = 0;
    for (const at::Tensor& tensor : tensors) {
      gradients.inputs.push_back(at::isFloatingType(tensor.scalar_type())
                                     ? gradientOf(leaf++)
                                     : Tensor(DType::f32, Shape{}));
    }
    for (const ValueId id : module.parameters()) {
      gradients.parameters.push_back({module.graph().value(id).name, gradientOf(leaf++)});
    }
    return gradients;
  });
}

std::vector<std::string> TorchNetwork::parameterNames() const {
  std::vector<std::string> names;
  for (const ValueId id : state_->module.parameters()) {
    names.push_back(state_->module.graph().value(id).name);
  }
  return names;
}

Status TorchNetwork::setParameter(std::string_view name, TensorView elements) {
  const torched::GraphModule& module = state_->module;
  for (const ValueId id : module.parameters()) {
    if (module.graph().value(id).name != name) continue;
    if (!(module.graph().shape(id) == elements.shape())) {
      return makeError("{} has shape {}, not {}", name, toString(module.graph().shape(id)),
                       toString(elements.shape()));
    }
    return guarded([&]() -> Status {
      NARROWS_TRY(tensor, toAten(elements, module.place()));
      const at::NoGradGuard no_gradients;
      at::Tensor target = module.constant(id);
      target.copy_(tensor);
      return {};
    });
  }
  return makeError("no parameter {}", name);
}

Result<Graph> TorchNetwork::graph() const {
  return guarded([&] { return state_->module.currentGraph(); });
}

}  // namespace narrows
