#include "narrows/report/page.h"

#include <gtest/gtest.h>

namespace narrows {
namespace {

constexpr std::string_view kShell = "<a>@DOCUMENT@</a><b>@VEGA@</b>@VEGA_LITE@|@VEGA_EMBED@.";

TEST(Page, HoldsItsPartsInPlace) {
  const auto page = makePage(kShell, R"({"b": 1, "a": [2]})", {"one", "two", "three"});
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_EQ(*page, R"(<a>{"b":1,"a":[2]}</a><b>one</b>two|three.)");
}

TEST(Page, ADocumentCannotLeaveItsElement) {
  const auto page = makePage(kShell, R"({"cut": "</script><script>alert(1)</script>"})", {});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->find("<script"), std::string::npos);
  EXPECT_NE(page->find(R"(\u003c/script\u003e)"), std::string::npos);
}

TEST(Page, MarksInTheContentStay) {
  const auto page = makePage(kShell, R"({"name": "@VEGA@"})", {"v", "", ""});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(*page, R"(<a>{"name":"@VEGA@"}</a><b>v</b>|.)");
}

TEST(Page, SaysWhatIsWrong) {
  EXPECT_NE(makePage(kShell, "[1]", {}).error().message.find("JSON object"), std::string::npos);
  EXPECT_NE(makePage(kShell, "{", {}).error().message.find("JSON object"), std::string::npos);
  EXPECT_NE(makePage("@DOCUMENT@", "{}", {}).error().message.find("@VEGA@"), std::string::npos);
  EXPECT_NE(makePage(kShell, "{}", {"a</script>", "", ""}).error().message.find("@VEGA@"),
            std::string::npos);
}

}  // namespace
}  // namespace narrows
