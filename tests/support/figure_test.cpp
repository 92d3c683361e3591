#include "tests/support/figure.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "narrows/base/file.h"

namespace narrows::test {
namespace {

TEST(RecordFigure, AppendsOneJsonLineForEachFigure) {
  auto directory = TemporaryDirectory::create();
  ASSERT_TRUE(directory.ok());
  const auto path = directory->path() / "figures.jsonl";
  const char* before = std::getenv("NARROWS_FIGURES");
  const std::string kept = before != nullptr ? before : "";
  ASSERT_EQ(setenv("NARROWS_FIGURES", path.c_str(), 1), 0);
  recordFigure("cuts_checked", 412, "cuts");
  recordFigure("ratio", 0.125, "1", "modelled");
  if (before != nullptr) {
    setenv("NARROWS_FIGURES", kept.c_str(), 1);
  } else {
    unsetenv("NARROWS_FIGURES");
  }
  auto text = readTextFile(path);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text,
            "{\"name\":\"cuts_checked\",\"value\":412,\"unit\":\"cuts\",\"origin\":\"measured\"}\n"
            "{\"name\":\"ratio\",\"value\":0.125,\"unit\":\"1\",\"origin\":\"modelled\"}\n");
}

}  // namespace
}  // namespace narrows::test
