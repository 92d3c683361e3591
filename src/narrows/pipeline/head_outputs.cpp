#include "narrows/pipeline/head_outputs.h"

#include <algorithm>
#include <string>

namespace narrows {

Result<std::vector<std::size_t>> headOutputs(const Plan& plan, const Head& head) {
  std::vector<std::size_t> order;
  if (head.outputs.empty()) {
    for (std::size_t i = 0; i < plan.outputs.size(); ++i) order.push_back(i);
    return order;
  }
  for (const std::string& name : head.outputs) {
    const auto found = std::find_if(plan.outputs.begin(), plan.outputs.end(),
                                    [&](const Port& port) { return port.name == name; });
    if (found == plan.outputs.end()) {
      return makeError("the description names output \"{}\", the model has none of that name",
                       name);
    }
    order.push_back(static_cast<std::size_t>(found - plan.outputs.begin()));
  }
  return order;
}

}  // namespace narrows
