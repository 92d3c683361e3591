#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "narrows/graph/random_graph.h"
#include "narrows/torch/network.h"
#include "narrows/zoo/zoo.h"

namespace narrows::test {
namespace {

TEST(Device, NamesThatAreNoneAreErrors) {
  for (const char* name : {"", "gpu", "meta", "cuda:", "cuda:x", "cuda:-1", "cpu:7x"}) {
    EXPECT_FALSE(checkTorchDevice(name).ok()) << name;
  }
  EXPECT_TRUE(checkTorchDevice("cpu").ok());
}

TEST(Device, CudaAgreesWithTheProcessor) {
  const Status there = checkTorchDevice("cuda");
  if (!there.ok()) GTEST_SKIP() << there.error().message;
  const auto model = buildZooModel("zoo:tiny-yolov3@64,classes=2,width=0.25", 1);
  ASSERT_TRUE(model.ok());
  TorchOptions options;
  options.batch_norm_training = true;
  auto here = TorchNetwork::create(model->graph, options);
  options.device = "cuda";
  auto on_gpu = TorchNetwork::create(model->graph, options);
  ASSERT_TRUE(here.ok() && on_gpu.ok());
  const std::vector<Tensor> inputs = randomInputs(model->graph, 1);
  const std::vector<TensorView> views(inputs.begin(), inputs.end());
  const auto outputs = here->run(views);
  ASSERT_TRUE(outputs.ok());
  const std::vector<TensorView> weights(outputs->begin(), outputs->end());
  const auto expected = here->differentiate(views, weights);
  const auto actual = on_gpu->differentiate(views, weights);
  ASSERT_TRUE(expected.ok() && actual.ok());
  for (std::size_t i = 0; i < expected->parameters.size(); ++i) {
    const auto e = expected->parameters[i].tensor.as<float>();
    const auto a = actual->parameters[i].tensor.as<float>();
    float largest = 1;
    for (const float value : e) largest = std::max(largest, std::abs(value));
    for (std::size_t k = 0; k < e.size(); ++k) {
      ASSERT_NEAR(a[k], e[k], 1e-3F * largest) << expected->parameters[i].name;
    }
  }
}

}  // namespace
}  // namespace narrows::test
