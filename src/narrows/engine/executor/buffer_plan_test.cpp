#include "narrows/engine/executor/buffer_plan.h"

#include <gtest/gtest.h>

#include <array>

namespace narrows::executor {
namespace {

Buffer used(std::size_t first, std::size_t last, std::size_t bytes = 256) {
  return {BufferKind::arena, 0, nullptr, bytes, first, last, true};
}

TEST(BufferPlan, ResultLiesWhereItsSourceWas) {
  const std::array buffers{used(0, 2), used(1, 2), used(2, 4)};
  const ArenaPlan apart = planBuffers(buffers, {});
  const std::array overwrites{Overwrite{2, BufferId(0), BufferId(2)}};
  const ArenaPlan plan = planBuffers(buffers, overwrites);
  EXPECT_EQ(apart.total, 3 * 256U);
  EXPECT_EQ(plan.total, 2 * 256U);
  EXPECT_EQ(plan.offsets[2], plan.offsets[0]);
  EXPECT_NE(plan.offsets[1], plan.offsets[0]);
}

TEST(BufferPlan, SourceThatIsReadLaterIsLeftAlone) {
  const std::array buffers{used(0, 3), used(2, 4)};
  const std::array overwrites{Overwrite{2, BufferId(0), BufferId(1)}};
  const ArenaPlan plan = planBuffers(buffers, overwrites);
  EXPECT_NE(plan.offsets[0], plan.offsets[1]);
}

TEST(BufferPlan, ChainsStayInOnePlaceUntilTheLastReader) {
  // The second result outlives a buffer that would otherwise fit below it.
  const std::array buffers{used(0, 1), used(1, 2), used(2, 5), used(4, 5)};
  const std::array overwrites{Overwrite{1, BufferId(0), BufferId(1)},
                              Overwrite{2, BufferId(1), BufferId(2)}};
  const ArenaPlan plan = planBuffers(buffers, overwrites);
  EXPECT_EQ(plan.offsets[1], plan.offsets[0]);
  EXPECT_EQ(plan.offsets[2], plan.offsets[0]);
  EXPECT_NE(plan.offsets[3], plan.offsets[0]);
}

TEST(BufferPlan, OneOfTwoSourcesIsOverwritten) {
  const std::array buffers{used(0, 2), used(1, 2), used(2, 3)};
  const std::array overwrites{Overwrite{2, BufferId(0), BufferId(2)},
                              Overwrite{2, BufferId(1), BufferId(2)}};
  const ArenaPlan plan = planBuffers(buffers, overwrites);
  EXPECT_EQ(plan.offsets[2], plan.offsets[0]);
  EXPECT_NE(plan.offsets[1], plan.offsets[0]);
}

}  // namespace
}  // namespace narrows::executor
