#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/formats/onnx_proto.h"
#include "narrows/graph/ops.h"

namespace narrows {

/// The double with the shortest decimal form that rounds to `value`: 0.1 for 0.1f, so that an
/// attribute reads as its author wrote it. It converts back to the same float.
double decimalValue(float value);

/// The attributes of one node, by name and type. A wrong type is an error; an absent attribute
/// gives the fallback.
class NodeAttributes {
 public:
  /// Keeps a reference to `node`. Fails on a name that occurs twice.
  static Result<NodeAttributes> create(onnx::NodeProto& node);

  bool has(std::string_view name) const { return find(name) != nullptr; }
  Result<std::int64_t> integer(std::string_view name, std::int64_t fallback);
  Result<bool> flag(std::string_view name, bool fallback);
  Result<double> number(std::string_view name, double fallback);
  Result<std::string> text(std::string_view name, std::string_view fallback);
  Result<Ints> integers(std::string_view name, Ints fallback = {});
  Result<std::vector<double>> numbers(std::string_view name);
  /// Null when absent.
  Result<onnx::TensorProto*> tensor(std::string_view name);

  /// Attributes that change nothing here.
  void ignore(std::initializer_list<std::string_view> names);
  /// Fails when the node has an attribute that nothing asked for.
  Status expectAllUsed() const;

 private:
  explicit NodeAttributes(onnx::NodeProto& node) : node_(&node) {}
  onnx::AttributeProto* find(std::string_view name) const;
  /// Finds and marks as used; null when absent.
  Result<onnx::AttributeProto*> use(std::string_view name, int type, std::string_view type_name);

  onnx::NodeProto* node_;
  std::vector<std::string_view> used_;
};

}  // namespace narrows
