#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/byte_io.h"
#include "narrows/graph/ops.h"
#include "narrows/tensor/tensor.h"

namespace narrows::test {

/// Builds the bytes of an ONNX model for a test, without any check. The message is serialized by
/// hand, so that a test can lie in every field.
class OnnxTestModel {
 public:
  explicit OnnxTestModel(std::int64_t opset = 17) : opset_(opset) {}

  /// An f32 value; extents below 0 are symbolic, named "N".
  OnnxTestModel& input(std::string_view name, const Ints& extents, std::int64_t dtype = 1);
  OnnxTestModel& output(std::string_view name);
  OnnxTestModel& output(std::string_view name, const Ints& extents, std::int64_t dtype = 1);
  OnnxTestModel& floats(std::string_view name, const Ints& extents,
                        const std::vector<float>& values);
  /// An i64 vector.
  OnnxTestModel& ints(std::string_view name, const Ints& values);
  /// A tensor with the given fields behind name, dims and data_type.
  OnnxTestModel& tensor(std::string_view name, const Ints& extents, std::int64_t dtype,
                        std::string_view fields);

  class Node {
   public:
    Node& with(std::string_view name, std::int64_t value);
    Node& with(std::string_view name, int value) { return with(name, std::int64_t{value}); }
    Node& with(std::string_view name, double value);
    Node& with(std::string_view name, const Ints& values);
    Node& with(std::string_view name, const std::vector<float>& values);
    Node& with(std::string_view name, const char* text);

   private:
    friend class OnnxTestModel;
    std::string fields_;
  };
  /// The reference is valid until the next node.
  Node& node(std::string_view operator_name, const std::vector<std::string>& inputs,
             const std::vector<std::string>& outputs, std::string_view name = {},
             std::string_view domain = {});

  ByteVector bytes() const;

  static std::string varintField(int field, std::int64_t value);
  static std::string bytesField(int field, std::string_view value);
  /// The key and value of an external_data entry of a tensor.
  static std::string external(std::string_view key, std::string_view value);

 private:
  std::int64_t opset_;
  std::vector<Node> nodes_;
  std::string inputs_, outputs_, initializers_;
};

}  // namespace narrows::test
