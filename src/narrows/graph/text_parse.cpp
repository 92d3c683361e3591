#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <unordered_set>
#include <utility>

#include "narrows/graph/op_names.h"
#include "narrows/graph/text.h"
#include "narrows/graph/text_lexer.h"
#include "narrows/tensor/absent.h"

namespace narrows {
namespace {

using Kind = Token::Kind;

template <class T>
std::optional<T> parseNumber(std::string_view text) {
  T value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

class Parser {
 public:
  Parser(std::string_view text, const ParseOptions& options) : lexer_(text), options_(options) {}

  Result<Graph> parse() {
    NARROWS_CHECK(advance());
    NARROWS_CHECK(expectWord("graph"));
    NARROWS_TRY(name, takeString("the graph's name"));
    graph_.name = std::move(name);
    while (token_.kind != Kind::end) NARROWS_CHECK(statement());
    if (outputs_.empty()) return unexpected("an output");
    NARROWS_CHECK(graph_.setOutputs(std::move(outputs_)));
    return std::move(graph_);
  }

 private:
  // Tokens.

  Status advance() {
    NARROWS_TRY(token, lexer_.next());
    token_ = std::move(token);
    return {};
  }

  Error errorAt(std::size_t offset, std::string_view what) const {
    return makeError("{}: {}", lexer_.placeOf(offset), what);
  }
  Error unexpected(std::string_view wanted) const {
    if (token_.kind == Kind::end) {
      return errorAt(token_.offset, fmt::format("expected {}, found the end", wanted));
    }
    return errorAt(token_.offset,
                   fmt::format("expected {}, found \"{}\"", wanted, token_.text.substr(0, 100)));
  }

  bool isMark(std::string_view mark) const {
    return token_.kind == Kind::mark && token_.text == mark;
  }
  bool isWord(std::string_view word) const {
    return token_.kind == Kind::word && token_.text == word;
  }
  Status expectMark(std::string_view mark) {
    if (!isMark(mark)) return unexpected(fmt::format("\"{}\"", mark));
    return advance();
  }
  Status expectWord(std::string_view word) {
    if (!isWord(word)) return unexpected(fmt::format("\"{}\"", word));
    return advance();
  }
  Result<std::string> takeString(std::string_view what) {
    if (token_.kind != Kind::string) return unexpected(fmt::format("{} in quotes", what));
    std::string text = std::exchange(token_.text, {});
    NARROWS_CHECK(advance());
    return text;
  }
  Result<std::string> takeWord(std::string_view what) {
    if (token_.kind != Kind::word) return unexpected(what);
    std::string text = std::exchange(token_.text, {});
    NARROWS_CHECK(advance());
    return text;
  }

  // Statements.

  Status statement() {
    if (isWord("input")) return input();
    if (isWord("const")) return constant();
    if (isWord("node")) return node();
    if (isWord("output")) return output();
    return unexpected("\"input\", \"const\", \"node\" or \"output\"");
  }

  /// The name of a value that is made here.
  Result<std::string> newName() {
    const std::size_t offset = token_.offset;
    NARROWS_TRY(name, takeString("a name"));
    if (graph_.findValue(name).valid()) {
      return errorAt(offset, fmt::format("a value is already named \"{}\"", name));
    }
    return name;
  }

  Result<ValueId> knownValue() {
    const std::size_t offset = token_.offset;
    NARROWS_TRY(name, takeString("a value"));
    const ValueId id = graph_.findValue(name);
    if (!id.valid()) return errorAt(offset, fmt::format("there is no value \"{}\" yet", name));
    return id;
  }

  Result<TensorType> type() {
    const Token dtype_token = token_;
    NARROWS_TRY(dtype_name, takeWord("a type"));
    const auto dtype = parseDType(dtype_name);
    if (!dtype) {
      return errorAt(dtype_token.offset, fmt::format("expected a type, found \"{}\"", dtype_name));
    }
    const std::size_t offset = token_.offset;
    NARROWS_TRY(text, takeWord("a shape"));
    if (text == "scalar") return TensorType{*dtype, Shape()};
    Ints extents;
    std::string_view rest = text;
    while (true) {
      const std::size_t end = std::min(rest.find('x'), rest.size());
      const auto extent = parseNumber<std::int64_t>(rest.substr(0, end));
      if (!extent || extents.size() == Shape::kMaxRank) {
        return errorAt(offset, fmt::format("expected a shape, found \"{}\"", text));
      }
      extents.push_back(*extent);
      if (end == rest.size()) break;
      rest.remove_prefix(end + 1);
    }
    auto shape = Shape::create(extents);
    if (!shape.ok()) return errorAt(offset, shape.error().message);
    return TensorType{*dtype, *shape};
  }

  Status input() {
    NARROWS_CHECK(advance());
    NARROWS_TRY(name, newName());
    NARROWS_TRY(tensor_type, type());
    graph_.addInput(name, tensor_type);
    return {};
  }

  Status output() {
    NARROWS_CHECK(advance());
    const std::size_t offset = token_.offset;
    NARROWS_TRY(id, knownValue());
    if (!is_output_.insert(id).second) {
      return errorAt(offset, fmt::format("value \"{}\" is an output twice", graph_.value(id).name));
    }
    outputs_.push_back(id);
    return {};
  }

  Status constant() {
    NARROWS_CHECK(advance());
    NARROWS_TRY(name, newName());
    NARROWS_TRY(tensor_type, type());
    if (isWord("hash")) return hashedConstant(name, tensor_type);
    if (isWord("absent")) {
      graph_.addConstant(name, withoutElements(tensor_type));
      return advance();
    }
    NARROWS_CHECK(expectMark("="));
    NARROWS_TRY(tensor, elements(tensor_type));
    graph_.addConstant(name, std::move(tensor));
    return {};
  }

  Status hashedConstant(const std::string& name, const TensorType& tensor_type) {
    NARROWS_CHECK(advance());
    const std::size_t offset = token_.offset;
    NARROWS_TRY(hash, takeWord("a hash"));
    auto tensor = options_.constants ? options_.constants(name, tensor_type, hash) : nullptr;
    if (tensor == nullptr) {
      return errorAt(offset, fmt::format("the elements of \"{}\" are not in the text", name));
    }
    if (tensor->type() != tensor_type || contentHash(*tensor) != hash) {
      return errorAt(offset, fmt::format("the tensor given for \"{}\" is another one", name));
    }
    graph_.addConstant(name, std::move(tensor));
    return {};
  }

  // Elements of constants.

  Result<Tensor> elements(const TensorType& tensor_type) {
    switch (tensor_type.dtype) {
      case DType::f32:
        return elementsOf<float, float>(tensor_type);
      case DType::f64:
        return elementsOf<double, double>(tensor_type);
      case DType::f16:
        return elementsOf<std::uint16_t, std::uint16_t>(tensor_type);
      case DType::i8:
        return elementsOf<std::int8_t, int>(tensor_type);
      case DType::u8:
        return elementsOf<std::uint8_t, int>(tensor_type);
      case DType::i16:
        return elementsOf<std::int16_t, std::int16_t>(tensor_type);
      case DType::u16:
        return elementsOf<std::uint16_t, std::uint16_t>(tensor_type);
      case DType::i32:
        return elementsOf<std::int32_t, std::int32_t>(tensor_type);
      case DType::u32:
        return elementsOf<std::uint32_t, std::uint32_t>(tensor_type);
      case DType::i64:
        return elementsOf<std::int64_t, std::int64_t>(tensor_type);
      case DType::u64:
        return elementsOf<std::uint64_t, std::uint64_t>(tensor_type);
      case DType::boolean:
        return elementsOf<bool, bool>(tensor_type);
    }
    return unexpected("a type");
  }

  /// Reads the list before it makes the tensor, so that memory follows the text's size.
  template <class T, class Parsed>
  Result<Tensor> elementsOf(const TensorType& tensor_type) {
    const std::size_t offset = token_.offset;
    std::vector<T> values;
    NARROWS_CHECK(list([&]() -> Status {
      NARROWS_TRY(value, number<Parsed>());
      const T narrowed = static_cast<T>(value);
      if (static_cast<Parsed>(narrowed) != value && value == value) {
        return errorAt(offset, fmt::format("a number beyond {}", toString(tensor_type.dtype)));
      }
      values.push_back(narrowed);
      return {};
    }));
    if (static_cast<std::int64_t>(values.size()) != tensor_type.elements()) {
      return errorAt(offset, fmt::format("{} elements, {} has {}", values.size(),
                                         toString(tensor_type.shape), tensor_type.elements()));
    }
    Tensor tensor(tensor_type);
    std::byte* to = tensor.mutableView().bytes().data();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const T value = values[i];
      std::memcpy(to + i * sizeof(T), &value, sizeof(T));
    }
    return tensor;
  }

  template <class T>
  Result<T> number() {
    const Token token = token_;
    NARROWS_TRY(text, takeWord("a number"));
    if constexpr (std::is_same_v<T, bool>) {
      if (text == "true") return true;
      if (text == "false") return false;
    } else {
      const auto value = parseNumber<T>(text);
      if (value) return *value;
    }
    constexpr std::string_view kWanted = std::is_same_v<T, bool> ? "true or false"
                                         : std::is_integral_v<T> ? "an integer"
                                                                 : "a number";
    return errorAt(token.offset, fmt::format("expected {}, found \"{}\"", kWanted, text));
  }

  /// "[" items "]", separated by commas.
  template <class Item>
  Status list(Item item) {
    NARROWS_CHECK(expectMark("["));
    if (isMark("]")) return advance();
    while (true) {
      NARROWS_CHECK(item());
      if (!isMark(",")) break;
      NARROWS_CHECK(advance());
    }
    return expectMark("]");
  }

  // Nodes.

  /// Reads "name=value" for each attribute, in order; the first error stays.
  class FieldReader {
   public:
    explicit FieldReader(Parser& parser) : parser_(parser) {}
    template <class T>
    void operator()(std::string_view name, T& value) {
      if (status_.ok()) status_ = read(name, value);
    }
    Status take() { return std::move(status_); }

   private:
    template <class T>
    Status read(std::string_view name, T& value) {
      if (!first_) NARROWS_CHECK(parser_.expectMark(","));
      first_ = false;
      NARROWS_CHECK(parser_.expectWord(name));
      NARROWS_CHECK(parser_.expectMark("="));
      return parser_.field(value);
    }

    Parser& parser_;
    Status status_;
    bool first_ = true;
  };

  template <class T>
  Status scalarField(T& value) {
    NARROWS_TRY(read, number<T>());
    value = read;
    return {};
  }
  Status field(std::int64_t& value) { return scalarField(value); }
  Status field(double& value) { return scalarField(value); }
  Status field(bool& value) { return scalarField(value); }
  Status field(DType& value) {
    const std::size_t offset = token_.offset;
    NARROWS_TRY(name, takeWord("a type"));
    const auto parsed = parseDType(name);
    if (!parsed) return errorAt(offset, fmt::format("expected a type, found \"{}\"", name));
    value = *parsed;
    return {};
  }
  template <class Enum>
  requires std::is_enum_v<Enum> Status field(Enum& value) {
    const std::size_t offset = token_.offset;
    NARROWS_TRY(name, takeWord("a name"));
    const auto parsed = parseEnum<Enum>(name);
    if (!parsed) {
      return errorAt(offset, fmt::format("expected one of {}, found \"{}\"",
                                         fmt::join(EnumNames<Enum>::kNames, ", "), name));
    }
    value = *parsed;
    return {};
  }
  template <class T>
  Status field(std::vector<T>& values) {
    return list([&]() -> Status {
      NARROWS_TRY(value, number<T>());
      values.push_back(value);
      return {};
    });
  }
  Status fields(std::initializer_list<std::int64_t*> values) {
    std::string_view before = "(";
    for (std::int64_t* value : values) {
      NARROWS_CHECK(expectMark(before));
      NARROWS_CHECK(scalarField(*value));
      before = ",";
    }
    return expectMark(")");
  }
  Status field(Extent2d& e) { return fields({&e.h, &e.w}); }
  Status field(Padding2d& p) { return fields({&p.top, &p.left, &p.bottom, &p.right}); }

  /// An operator of kind `name` with default attributes.
  template <std::size_t Index = 0>
  static std::optional<Op> defaultOp(std::string_view name) {
    if constexpr (Index == std::variant_size_v<Op>) {
      return std::nullopt;
    } else {
      using Alternative = std::variant_alternative_t<Index, Op>;
      if (name == Alternative::kName) return Op(Alternative());
      return defaultOp<Index + 1>(name);
    }
  }

  Result<Op> op() {
    const std::size_t offset = token_.offset;
    NARROWS_TRY(name, takeWord("an operator"));
    auto made = defaultOp(name);
    if (!made) return errorAt(offset, fmt::format("there is no operator \"{}\"", name));
    NARROWS_CHECK(expectMark("("));
    FieldReader reader(*this);
    std::visit(
        [&](auto& attributes) { std::decay_t<decltype(attributes)>::fields(attributes, reader); },
        *made);
    NARROWS_CHECK(reader.take());
    NARROWS_CHECK(expectMark(")"));
    return *std::move(made);
  }

  Result<std::vector<ValueId>> arguments() {
    NARROWS_CHECK(expectMark("("));
    std::vector<ValueId> values;
    while (!isMark(")")) {
      if (!values.empty()) NARROWS_CHECK(expectMark(","));
      if (isWord("_")) {
        NARROWS_CHECK(advance());
        values.emplace_back();
        continue;
      }
      NARROWS_TRY(value, knownValue());
      values.push_back(value);
    }
    NARROWS_CHECK(advance());
    return values;
  }

  Status node() {
    const std::size_t start = token_.offset;
    NARROWS_CHECK(advance());
    NARROWS_TRY(name, takeString("a name"));
    if (name.empty()) return errorAt(start, "a node without a name");
    if (!node_names_.insert(name).second) {
      return errorAt(start, fmt::format("a node is already named \"{}\"", name));
    }
    NARROWS_TRY(made, op());
    NARROWS_TRY(inputs, arguments());
    NARROWS_CHECK(expectMark("->"));
    std::vector<std::string> names;
    std::vector<TensorType> types;
    while (true) {
      const std::size_t offset = token_.offset;
      NARROWS_TRY(output_name, newName());
      const bool twice = std::find(names.begin(), names.end(), output_name) != names.end();
      if (twice || output_name.empty()) {
        return errorAt(offset, fmt::format("the output's name \"{}\" is {}", output_name,
                                           twice ? "taken" : "empty"));
      }
      names.push_back(std::move(output_name));
      NARROWS_TRY(output_type, type());
      types.push_back(output_type);
      if (!isMark(",")) break;
      NARROWS_CHECK(advance());
    }
    auto id = graph_.addNode(std::move(made), std::move(inputs), name, names);
    if (!id.ok()) return errorAt(start, id.error().message);
    return compareOutputs(graph_.node(*id), types, start);
  }

  Status compareOutputs(const Node& made, const std::vector<TensorType>& types,
                        std::size_t start) const {
    if (made.outputs.size() != types.size()) {
      return errorAt(start, fmt::format("node \"{}\" has {} outputs, the text names {}", made.name,
                                        made.outputs.size(), types.size()));
    }
    for (std::size_t i = 0; i < types.size(); ++i) {
      const Value& value = graph_.value(made.outputs[i]);
      if (value.type == types[i]) continue;
      return errorAt(start, fmt::format("\"{}\" is {} {}, the text says {} {}", value.name,
                                        toString(value.type.dtype), toString(value.type.shape),
                                        toString(types[i].dtype), toString(types[i].shape)));
    }
    return {};
  }

  TextLexer lexer_;
  const ParseOptions& options_;
  Token token_;
  Graph graph_;
  std::vector<ValueId> outputs_;
  std::unordered_set<ValueId> is_output_;
  std::unordered_set<std::string> node_names_;
};

}  // namespace

Result<Graph> parseGraph(std::string_view text, const ParseOptions& options) {
  if (text.size() > options.most_bytes) {
    return makeError("a text of {} bytes, at most {} are read", text.size(), options.most_bytes);
  }
  return Parser(text, options).parse();
}

}  // namespace narrows
