#include "narrows/plan/json_value.h"

#include <gtest/gtest.h>

namespace narrows {
namespace {

std::string problemOf(std::string_view text, const JsonLimits& limits = {}) {
  auto value = parseJson(text, "f.json", limits);
  return value.ok() ? "" : value.error().message;
}

TEST(Json, WritesWhatItReads) {
  const std::string text =
      "{\n  \"a\": [1, -2, 0.5, 1e+300, true, null, \"x\\\"\\\\\\n\\u0001\"],\n  \"b\": [[0, 1], "
      "[2, "
      "3]],\n  \"c\": {\n    \"d\": [\n      {}\n    ]\n  },\n  \"e\": 3.0\n}\n";
  auto value = parseJson(text, "f.json");
  ASSERT_TRUE(value.ok()) << value.error().message;
  EXPECT_EQ(formatJson(*value), text);
}

TEST(Json, NumbersReadBackEqual) {
  for (double number : {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0, 123456789.0,
                        static_cast<double>(0.1F)}) {
    auto value = parseJson(formatJson(JsonValue(JsonValue::Array{number})), "f.json");
    ASSERT_TRUE(value.ok());
    EXPECT_EQ(std::get<double>(std::get<JsonValue::Array>(value->data())[0].data()), number);
  }
}

TEST(Json, ErrorsNameThePlace) {
  EXPECT_EQ(problemOf("{\"a\": 1,\n  b}").rfind("f.json: line 2, column 3: ", 0), 0u)
      << problemOf("{\"a\": 1,\n  b}");
  EXPECT_EQ(problemOf("{\"a\": 1, \"a\": 2}"), "f.json: key \"a\" occurs twice");
  EXPECT_EQ(problemOf("[18446744073709551615]"), "f.json: a number is too large");
  EXPECT_NE(problemOf("[1e999]"), "");
  EXPECT_NE(problemOf(""), "");
  EXPECT_NE(problemOf("[1] x"), "");
  EXPECT_NE(problemOf("\"\xff\""), "");
}

TEST(Json, StopsAtItsLimits) {
  EXPECT_EQ(problemOf(std::string(1'000'000, '[')), "f.json: nested deeper than 32");
  EXPECT_EQ(problemOf("[1,2,3]", {100, 2, 5}), "f.json: more than 2 values");
  EXPECT_EQ(problemOf("[1,2,3]", {6, 20, 5}), "f.json: 7 bytes, at most 6");
}

TEST(Json, EveryPrefixIsAnError) {
  const std::string text = "{\"a\": [1, 2.5, \"x\", {\"b\": null}], \"c\": true}";
  ASSERT_EQ(problemOf(text), "");
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_NE(problemOf(text.substr(0, size)), "") << size;
  }
}

TEST(JsonCursor, ErrorsCarryThePath) {
  auto value = parseJson(R"({"a": [{"b": "x"}], "n": 5})", "f.json");
  ASSERT_TRUE(value.ok());
  const JsonCursor root(*value, "f.json");
  auto items = root.at("a")->items(3);
  ASSERT_TRUE(items.ok());
  EXPECT_EQ((*items)[0].at("b")->integer(0, 9).error().message,
            "f.json: a[0].b: expected an integer from 0 to 9, found \"x\"");
  EXPECT_EQ((*items)[0].at("c").error().message, "f.json: a[0]: key \"c\" is missing");
  EXPECT_EQ(root.expectKeys({"a"}).error().message, "f.json: unknown key \"n\"; known are a");
  EXPECT_EQ(root.at("n")->integer(0, 4).error().message,
            "f.json: n: expected an integer from 0 to 4, found 5");
  EXPECT_EQ(root.at("a")->items(0).error().message, "f.json: a: 1 elements, at most 0");
  EXPECT_EQ(root.at("n")->text().error().message, "f.json: n: expected a string, found 5");
}

}  // namespace
}  // namespace narrows
