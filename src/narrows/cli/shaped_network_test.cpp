#include "narrows/cli/shaped_network.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "narrows/base/file.h"

namespace narrows {
namespace {

bool exists(const std::string& space) {
  return std::filesystem::exists("/run/netns/" + space);
}

TEST(ShapedNetwork, GoesWithItsOwner) {
  auto work = TemporaryDirectory::create();
  ASSERT_TRUE(work.ok());
  std::string node;
  std::string server;
  {
    auto network = ShapedNetwork::create(work->path());
    if (!network.ok()) GTEST_SKIP() << "no network namespaces here: " << network.error().message;
    // ip netns exec NAME true
    const std::vector<std::string> on_node = network->onNode({"true"});
    const std::vector<std::string> on_server = network->onServer({"true"});
    ASSERT_EQ(on_node.size(), 5u);
    node = on_node[3];
    server = on_server[3];
    EXPECT_NE(node, server);
    EXPECT_TRUE(exists(node) && exists(server));
    const Status shaped = network->setRate(BitsPerSecond(5e6));
    EXPECT_TRUE(shaped.ok()) << shaped.error().message;
    EXPECT_TRUE(network->setRate(BitsPerSecond(5e8)).ok());
    const ShapedNetwork moved = std::move(*network);
    EXPECT_TRUE(exists(node));
  }
  EXPECT_FALSE(exists(node) || exists(server));
}

}  // namespace
}  // namespace narrows
