#include "narrows/engine/engine.h"

namespace narrows {

Result<std::vector<Tensor>> runProgram(Program& program, std::span<const TensorView> inputs) {
  std::vector<Tensor> outputs;
  std::vector<MutableTensorView> views;
  for (const TensorType& type : program.outputTypes()) {
    outputs.emplace_back(type);
    views.push_back(outputs.back().mutableView());
  }
  NARROWS_CHECK(program.run(inputs, views));
  return outputs;
}

}  // namespace narrows
