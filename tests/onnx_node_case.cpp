#include "tests/onnx_node_case.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <regex>
#include <set>

#include "narrows/base/file.h"
#include "narrows/engine/engine.h"
#include "narrows/formats/onnx_reader.h"
#include "narrows/formats/onnx_tensor.h"
#include "narrows/tensor/half.h"

namespace narrows::test {
namespace {

namespace fs = std::filesystem;

/// A field of a protobuf message that holds bytes.
struct Field {
  std::uint64_t number = 0;
  ByteSpan bytes;
};

Result<std::uint64_t> readVarint(ByteReader& reader) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    NARROWS_TRY(byte, reader.read<std::uint8_t>("varint"));
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return makeError("a varint is too long");
}

/// The length-delimited fields of a message, in order.
Result<std::vector<Field>> fieldsOf(ByteSpan message) {
  std::vector<Field> fields;
  ByteReader reader(message);
  while (reader.remaining() > 0) {
    NARROWS_TRY(key, readVarint(reader));
    switch (key & 7) {
      case 0:
        NARROWS_CHECK(readVarint(reader));
        break;
      case 1:
        NARROWS_CHECK(reader.take(8, "fixed64"));
        break;
      case 5:
        NARROWS_CHECK(reader.take(4, "fixed32"));
        break;
      case 2: {
        NARROWS_TRY(length, readVarint(reader));
        NARROWS_TRY(bytes, reader.take(length, "field"));
        fields.push_back({key >> 3, bytes});
        break;
      }
      default:
        return makeError("wire type {}", key & 7);
    }
  }
  return fields;
}

/// The first such field as text, or none.
Result<std::string> textField(ByteSpan message, std::uint64_t number) {
  NARROWS_TRY(fields, fieldsOf(message));
  for (const Field& field : fields) {
    if (field.number == number) return std::string(asText(field.bytes));
  }
  return std::string();
}

/// Names of the graph's inputs that are not initializers: onnx.proto gives ModelProto.graph the
/// number 7, GraphProto.input 11 and .initializer 5, ValueInfoProto.name 1, TensorProto.name 8.
Result<std::vector<std::string>> inputNames(ByteSpan model) {
  std::vector<std::string> names;
  std::set<std::string> initializers;
  NARROWS_TRY(fields, fieldsOf(model));
  for (const Field& field : fields) {
    if (field.number != 7) continue;
    NARROWS_TRY(parts, fieldsOf(field.bytes));
    for (const Field& part : parts) {
      if (part.number == 11) {
        NARROWS_TRY(name, textField(part.bytes, 1));
        names.push_back(name);
      } else if (part.number == 5) {
        NARROWS_TRY(name, textField(part.bytes, 8));
        initializers.insert(name);
      }
    }
  }
  std::erase_if(names, [&](const std::string& name) { return initializers.contains(name); });
  return names;
}

Result<std::vector<Tensor>> readTensors(const std::vector<fs::path>& paths) {
  std::vector<Tensor> tensors;
  for (const fs::path& path : paths) {
    NARROWS_TRY(bytes, readFile(path));
    NARROWS_TRY(tensor, readTensorProto(bytes).within("vector"));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

template <class T>
double valueAt(const Tensor& tensor, std::size_t i) {
  return static_cast<double>(tensor.as<T>()[i]);
}

double floatAt(const Tensor& tensor, std::size_t i) {
  if (tensor.dtype() == DType::f32) return valueAt<float>(tensor, i);
  if (tensor.dtype() == DType::f64) return valueAt<double>(tensor, i);
  std::uint16_t bits = 0;
  std::memcpy(&bits, tensor.view().bytes().data() + 2 * i, 2);
  return halfToFloat(bits);
}

/// The model with opset 6, older than what is read, declared as 7. All operators of the tests that
/// have it mean the same in both but for attributes that opset 7 dropped.
Result<ByteVector> readModelBytes(const fs::path& path) {
  NARROWS_TRY(bytes, readFile(path));
  NARROWS_TRY(fields, fieldsOf(bytes));
  for (const Field& field : fields) {
    // ModelProto.opset_import is 8; an OperatorSetIdProto ends with its version, key 0x10.
    const std::size_t size = field.bytes.size();
    if (field.number != 8 || size < 2) continue;
    if (field.bytes[size - 2] != std::byte{0x10} || field.bytes[size - 1] != std::byte{6}) continue;
    bytes[static_cast<std::size_t>(field.bytes.data() - bytes.data()) + size - 1] = std::byte{7};
  }
  return std::move(bytes);
}

/// Nothing, or where the tensors differ by more than ONNX accepts.
std::string difference(const Tensor& actual, const Tensor& expected) {
  if (actual.type() != expected.type()) {
    return fmt::format("{} {}, expected {} {}", toString(actual.dtype()), toString(actual.shape()),
                       toString(expected.dtype()), toString(expected.shape()));
  }
  if (!isFloating(expected.dtype())) {
    const ByteSpan a = actual.view().bytes();
    const ByteSpan b = expected.view().bytes();
    return std::equal(a.begin(), a.end(), b.begin(), b.end()) ? "" : "integers differ";
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(expected.type().elements()); ++i) {
    const double a = floatAt(actual, i);
    const double e = floatAt(expected, i);
    if (a == e || (std::isnan(a) && std::isnan(e))) continue;
    if (std::abs(a - e) <= 1e-7 + 1e-3 * std::abs(e)) continue;
    return fmt::format("element {} is {}, expected {}", i, a, e);
  }
  return "";
}

/// Which inputs a try binds as constants.
enum class Binding : std::uint8_t { none, parameters, all_but_first, all };

/// Whether the tensor may be a shape, axes, a limit or the like.
bool looksLikeParameter(const Tensor& tensor) {
  if (tensor.shape().rank() == 0) return true;
  return tensor.shape().rank() == 1 &&
         (tensor.dtype() == DType::i64 || tensor.dtype() == DType::i32);
}

bool isBound(Binding binding, std::size_t index, const Tensor& tensor) {
  switch (binding) {
    case Binding::none:
      return false;
    case Binding::parameters:
      return looksLikeParameter(tensor);
    case Binding::all_but_first:
      return index > 0;
    case Binding::all:
      return true;
  }
  return false;
}

struct Ready {
  std::unique_ptr<Program> program;
  std::vector<TensorView> inputs;
  Tensor ramp;
};

Tensor rampOf(const TensorType& type) {
  Tensor ramp(type);
  const auto count = static_cast<float>(type.elements());
  float next = 0;
  for (float& element : ramp.mutableAs<float>()) element = next++ / count;
  return ramp;
}

/// Reads and compiles with the bound inputs as constants.
Result<Ready> makeReady(const NodeCase& node_case, std::string_view engine_name,
                        const std::vector<std::string>& names, const std::vector<Tensor>& tensors,
                        Binding binding) {
  OnnxReadOptions options;
  Ready ready;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (isBound(binding, i, tensors[i])) {
      options.constants.emplace(names[i], tensors[i].clone());
    } else {
      options.input_shapes[names[i]] = tensors[i].shape();
      ready.inputs.push_back(tensors[i]);
    }
  }
  NARROWS_TRY(bytes, readModelBytes(node_case.model));
  NARROWS_TRY(graph, readOnnx(bytes, options));
  NARROWS_CHECK(verify(graph));
  NARROWS_TRY(engine, makeEngine(engine_name));
  NARROWS_TRY(program, engine->compile(graph, EngineOptions()));
  ready.program = std::move(program);
  if (node_case.ramp_input) {
    ready.ramp = rampOf(ready.program->inputTypes()[0]);
    ready.inputs.push_back(ready.ramp);
  }
  return ready;
}

/// Numbers and names taken out, so that like reasons are equal.
std::string reasonGroup(const std::string& reason) {
  const std::string named = std::regex_replace(reason, std::regex("\"[^\"]*\""), "\"..\"");
  return std::regex_replace(named, std::regex("-?[0-9][0-9x.]*"), "#");
}

Result<Outcome> tryCase(const NodeCase& node_case, std::string_view engine_name) {
  const auto unsupported = [](const Error& error) {
    return Outcome{Verdict::unsupported, error.message};
  };
  NARROWS_TRY(model, readFile(node_case.model));
  NARROWS_TRY(names, inputNames(model));
  auto inputs = readTensors(node_case.inputs);
  if (!inputs.ok()) return unsupported(inputs.error());
  auto expected = readTensors(node_case.outputs);
  if (!expected.ok()) return unsupported(expected.error());
  if (inputs->size() > names.size()) return makeError("more vectors than inputs");
  Outcome outcome;
  for (Binding binding :
       {Binding::none, Binding::parameters, Binding::all_but_first, Binding::all}) {
    auto ready = makeReady(node_case, engine_name, names, *inputs, binding);
    if (!ready.ok()) {
      // The first refusal says what the model needs.
      if (binding == Binding::none) outcome = unsupported(ready.error());
      continue;
    }
    auto outputs = runProgram(*ready->program, ready->inputs);
    if (!outputs.ok()) return outputs.takeError();
    if (outputs->size() != expected->size()) {
      return makeError("{} outputs, expected {}", outputs->size(), expected->size());
    }
    for (std::size_t i = 0; i < expected->size(); ++i) {
      const std::string wrong = difference((*outputs)[i], (*expected)[i]);
      if (!wrong.empty()) return makeError("output {}: {}", i, wrong);
    }
    return Outcome{};
  }
  return outcome;
}

}  // namespace

std::vector<NodeCase> nodeCases(const fs::path& folder) {
  std::vector<NodeCase> cases;
  const auto files = [](const fs::path& directory, const std::string& kind) {
    std::vector<fs::path> found;
    for (int i = 0;; ++i) {
      const fs::path path = directory / fmt::format("{}_{}.pb", kind, i);
      if (!fs::exists(path)) return found;
      found.push_back(path);
    }
  };
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.is_directory()) continue;
    for (int i = 0;; ++i) {
      const fs::path set = entry.path() / fmt::format("test_data_set_{}", i);
      if (!fs::is_directory(set)) break;
      cases.push_back({entry.path().filename().string() + (i == 0 ? "" : fmt::format("#{}", i)),
                       entry.path() / "model.onnx", files(set, "input"), files(set, "output"),
                       false});
    }
  }
  std::sort(cases.begin(), cases.end(),
            [](const NodeCase& a, const NodeCase& b) { return a.name < b.name; });
  return cases;
}

std::vector<NodeCase> lightCases(const fs::path& folder) {
  std::vector<NodeCase> cases;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".onnx") continue;
    const std::string name = entry.path().stem();
    cases.push_back({name, entry.path(), {}, {folder / (name + "_output_0.pb")}, true});
  }
  std::sort(cases.begin(), cases.end(),
            [](const NodeCase& a, const NodeCase& b) { return a.name < b.name; });
  return cases;
}

Outcome runCase(const NodeCase& node_case, std::string_view engine_name) {
  auto outcome = tryCase(node_case, engine_name);
  if (!outcome.ok()) return {Verdict::failed, outcome.error().message};
  return *outcome;
}

void Tally::add(const std::string& name, const Outcome& outcome) {
  ++counts_[static_cast<std::size_t>(outcome.verdict)];
  if (outcome.verdict == Verdict::unsupported) {
    reasons_[reasonGroup(outcome.reason)].push_back(name);
  } else if (outcome.verdict == Verdict::failed) {
    failures_.push_back(fmt::format("{}: {}", name, outcome.reason));
  }
}

std::string Tally::report() const {
  std::string text = fmt::format("{} passed, {} unsupported, {} failed\n", count(Verdict::passed),
                                 count(Verdict::unsupported), count(Verdict::failed));
  for (const auto& entry : reasons_) {
    text += fmt::format("  {:4} {}: {}\n", entry.second.size(), entry.first,
                        fmt::join(entry.second, " "));
  }
  return text;
}

std::string Tally::failures() const {
  return fmt::format("{}", fmt::join(failures_, "\n"));
}

}  // namespace narrows::test
