#include <algorithm>

#include "narrows/graph/absent.h"
#include "narrows/graph/op_names.h"
#include "narrows/graph/text.h"

namespace narrows {
namespace {

std::string inQuotes(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string typeText(const TensorType& type) {
  return fmt::format("{} {}", toString(type.dtype), toString(type.shape));
}

/// Writes "name=value" for each attribute.
class FieldWriter {
 public:
  template <class T>
  void operator()(std::string_view name, const T& value) {
    if (!text_.empty()) text_ += ", ";
    text_.append(name).append("=").append(write(value));
  }
  std::string take() { return std::move(text_); }

 private:
  static std::string write(bool value) { return value ? "true" : "false"; }
  static std::string write(std::int64_t value) { return fmt::format("{}", value); }
  static std::string write(double value) { return fmt::format("{}", value); }
  static std::string write(DType value) { return std::string(toString(value)); }
  static std::string write(const Extent2d& e) { return fmt::format("({}, {})", e.h, e.w); }
  static std::string write(const Padding2d& p) {
    return fmt::format("({}, {}, {}, {})", p.top, p.left, p.bottom, p.right);
  }
  template <class T>
  static std::string write(const std::vector<T>& values) {
    return fmt::format("[{}]", fmt::join(values, ", "));
  }
  template <class Enum>
  requires std::is_enum_v<Enum>
  static std::string write(Enum value) { return std::string(enumName(value)); }

  std::string text_;
};

template <class T>
std::string elementsText(const Tensor& tensor) {
  return fmt::format("{}", fmt::join(tensor.as<T>(), ", "));
}

std::string elementsText(const Tensor& tensor) {
  switch (tensor.dtype()) {
    case DType::f32:
      return elementsText<float>(tensor);
    case DType::f64:
      return elementsText<double>(tensor);
    case DType::i8:
      return elementsText<std::int8_t>(tensor);
    case DType::u8:
      return elementsText<std::uint8_t>(tensor);
    case DType::i16:
      return elementsText<std::int16_t>(tensor);
    case DType::u16:
      return elementsText<std::uint16_t>(tensor);
    case DType::i32:
      return elementsText<std::int32_t>(tensor);
    case DType::u32:
      return elementsText<std::uint32_t>(tensor);
    case DType::i64:
      return elementsText<std::int64_t>(tensor);
    case DType::u64:
      return elementsText<std::uint64_t>(tensor);
    case DType::boolean:
      return elementsText<bool>(tensor);
    case DType::f16:
      break;
  }
  // Half floats as their bits.
  std::string text;
  const ByteSpan bytes = tensor.view().bytes();
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    text += fmt::format(
        "{}{}", i == 0 ? "" : ", ",
        std::to_integer<unsigned>(bytes[i]) | std::to_integer<unsigned>(bytes[i + 1]) << 8);
  }
  return text;
}

std::string constantText(const Value& value, const TextOptions& options) {
  const Tensor& tensor = *value.constant;
  const std::string head = fmt::format("const {} {}", inQuotes(value.name), typeText(value.type));
  if (!hasElements(tensor)) return fmt::format("{} absent\n", head);
  if (value.type.elements() <= options.inline_elements) {
    return fmt::format("{} = [{}]\n", head, elementsText(tensor));
  }
  return fmt::format("{} hash {}\n", head, contentHash(tensor));
}

std::string nodeText(const Graph& graph, const Node& node) {
  FieldWriter fields;
  std::visit([&](const auto& op) { std::decay_t<decltype(op)>::fields(op, fields); }, node.op);
  std::string inputs;
  for (ValueId input : node.inputs) {
    if (!inputs.empty()) inputs += ", ";
    inputs += input.valid() ? inQuotes(graph.value(input).name) : "_";
  }
  std::string outputs;
  for (ValueId output : node.outputs) {
    if (!outputs.empty()) outputs += ", ";
    outputs += inQuotes(graph.value(output).name) + " " + typeText(graph.type(output));
  }
  return fmt::format("node {} {}({}) ({}) -> {}\n", inQuotes(node.name), opName(node.op),
                     fields.take(), inputs, outputs);
}

std::string_view nameOf(const Graph& graph, ValueId id) {
  return id.valid() ? std::string_view(graph.value(id).name) : std::string_view("_");
}

bool sameNames(const Graph& a, std::span<const ValueId> x, const Graph& b,
               std::span<const ValueId> y) {
  return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                    [&](ValueId p, ValueId q) { return nameOf(a, p) == nameOf(b, q); });
}

bool sameTensor(const Tensor& a, const Tensor& b) {
  if (a.type() != b.type() || hasElements(a) != hasElements(b)) return false;
  if (!hasElements(a)) return true;
  const ByteSpan x = a.view().bytes();
  const ByteSpan y = b.view().bytes();
  return std::equal(x.begin(), x.end(), y.begin(), y.end());
}

}  // namespace

std::string formatGraph(const Graph& graph, const TextOptions& options) {
  std::string text = fmt::format("graph {}\n", inQuotes(graph.name));
  for (ValueId input : graph.inputs()) {
    const Value& value = graph.value(input);
    text += fmt::format("input {} {}\n", inQuotes(value.name), typeText(value.type));
  }
  for (const Value& value : graph.values()) {
    if (value.isConstant()) text += constantText(value, options);
  }
  for (const Node& node : graph.nodes()) text += nodeText(graph, node);
  for (ValueId output : graph.outputs()) {
    text += fmt::format("output {}\n", inQuotes(graph.value(output).name));
  }
  return text;
}

std::string contentHash(const Tensor& tensor) {
  std::uint64_t hash = 14695981039346656037ULL;
  const auto add = [&](std::uint64_t byte) { hash = (hash ^ byte) * 1099511628211ULL; };
  add(static_cast<std::uint64_t>(tensor.dtype()));
  add(tensor.shape().rank());
  for (std::int64_t extent : tensor.shape().extents()) {
    for (int shift = 0; shift < 64; shift += 8) {
      add(static_cast<std::uint64_t>(extent) >> shift & 0xff);
    }
  }
  for (std::byte byte : tensor.view().bytes()) add(std::to_integer<std::uint64_t>(byte));
  return fmt::format("{:016x}", hash);
}

std::string firstDifference(const Graph& a, const Graph& b) {
  if (a.name != b.name) return fmt::format("names \"{}\" and \"{}\"", a.name, b.name);
  if (!sameNames(a, a.inputs(), b, b.inputs())) return "inputs";
  if (!sameNames(a, a.outputs(), b, b.outputs())) return "outputs";
  if (a.nodeCount() != b.nodeCount()) {
    return fmt::format("{} and {} nodes", a.nodeCount(), b.nodeCount());
  }
  for (NodeId id : nodeIds(a)) {
    const Node& x = a.node(id);
    const Node& y = b.node(id);
    if (x.name != y.name) return fmt::format("nodes \"{}\" and \"{}\"", x.name, y.name);
    if (x.op != y.op) return fmt::format("operator of \"{}\"", x.name);
    if (!sameNames(a, x.inputs, b, y.inputs)) return fmt::format("inputs of \"{}\"", x.name);
    if (!sameNames(a, x.outputs, b, y.outputs)) return fmt::format("outputs of \"{}\"", x.name);
  }
  if (a.valueCount() != b.valueCount()) {
    return fmt::format("{} and {} values", a.valueCount(), b.valueCount());
  }
  for (const Value& x : a.values()) {
    const ValueId twin = b.findValue(x.name);
    if (!twin.valid()) return fmt::format("value \"{}\" is missing", x.name);
    const Value& y = b.value(twin);
    if (x.type != y.type) return fmt::format("type of \"{}\"", x.name);
    if (x.isConstant() != y.isConstant() ||
        (x.isConstant() && x.constant != y.constant && !sameTensor(*x.constant, *y.constant))) {
      return fmt::format("constant \"{}\"", x.name);
    }
  }
  return "";
}

}  // namespace narrows
