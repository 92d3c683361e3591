#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>

#include "narrows/base/file.h"
#include "narrows/graph/random_graph.h"
#include "narrows/tensor/tensor.h"

namespace narrows::test {

/// A stored input of the model's size in the folder `vectors` whose file's name begins with
/// `prefix` if there is one, else a random one; see models/testvec of the shared data.
inline Tensor inputFor(const std::filesystem::path& vectors, std::string_view prefix,
                       const TensorType& type) {
  for (const auto& entry : std::filesystem::directory_iterator(vectors)) {
    const std::string name = entry.path().filename().string();
    if (prefix.empty() || name.rfind(prefix, 0) != 0) continue;
    auto bytes = readFile(entry.path());
    if (!bytes.ok() || bytes->size() < type.bytes()) continue;
    Tensor tensor(type);  // the first sample
    std::copy_n(bytes->begin(), type.bytes(), tensor.mutableView().bytes().begin());
    return tensor;
  }
  return randomTensor(type, 1);
}

}  // namespace narrows::test
