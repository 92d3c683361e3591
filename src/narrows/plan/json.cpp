#include "narrows/plan/json.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "narrows/plan/json_value.h"

namespace narrows {
namespace {

constexpr std::string_view kFormat = "narrows-plan";
constexpr std::int64_t kVersion = 1;
constexpr std::size_t kMostItems = 16384;
constexpr std::size_t kMostChannels = std::size_t{1} << 20;

using Array = JsonValue::Array;
using Object = JsonValue::Object;

// Writing.

JsonValue writeShape(const Shape& shape) {
  Array extents;
  for (std::int64_t extent : shape.extents()) extents.emplace_back(extent);
  return extents;
}

JsonValue writePorts(const std::vector<Port>& ports) {
  Array array;
  for (const Port& port : ports) {
    array.emplace_back(Object{{"name", port.name},
                              {"dtype", toString(port.type.dtype)},
                              {"shape", writeShape(port.type.shape)}});
  }
  return array;
}

JsonValue writeBox(const Region& box) {
  Array axes;
  for (const Region::Interval& axis : box.intervals()) {
    axes.emplace_back(Array{axis.begin, axis.end});
  }
  return axes;
}

JsonValue writeFloats(const std::vector<float>& values) {
  Array array;
  for (float value : values) array.emplace_back(static_cast<double>(value));
  return array;
}

std::string writeHex(ByteSpan bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<std::size_t>(byte >> 4)];
    text += kDigits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return text;
}

JsonValue writeInterface(const FeatureInterface& feature) {
  const QuantizerParams& quantizer = feature.quantizer;
  Object params{{"kind", toString(quantizer.kind)}};
  if (quantizer.kind != QuantizerKind::none) {
    params.emplace_back("bits", std::int64_t{quantizer.bits});
    params.emplace_back("granularity", toString(quantizer.granularity));
    if (quantizer.kind == QuantizerKind::levels) {
      params.emplace_back("levels", writeFloats(quantizer.levels));
    } else {
      params.emplace_back("low", writeFloats(quantizer.low));
      params.emplace_back("step", writeFloats(quantizer.step));
    }
  }
  Object coder{{"kind", toString(feature.coder.kind)},
               {"level", std::int64_t{feature.coder.level}}};
  if (!feature.coder.tables.empty()) coder.emplace_back("tables", writeHex(feature.coder.tables));
  Object object{{"kind", "feature"},
                {"dtype", toString(feature.type.dtype)},
                {"shape", writeShape(feature.type.shape)},
                {"quantizer", std::move(params)},
                {"coder", std::move(coder)}};
  if (feature.max_frame_bytes != 0) {
    object.emplace_back("max_frame_bytes", static_cast<std::int64_t>(feature.max_frame_bytes));
  }
  if (feature.key_interval != 0) {
    object.emplace_back("key_interval", std::int64_t{feature.key_interval});
  }
  return object;
}

JsonValue writeInterface(const ImageInterface& image) {
  return Object{{"kind", "image"},
                {"coding", toString(image.coding)},
                {"quality", std::int64_t{image.quality}}};
}

JsonValue writeEnd(const Plan& plan, const Endpoint& end, bool is_source) {
  Object object;
  const std::vector<Port>* ports = is_source ? &plan.inputs : &plan.outputs;
  if (end.piece.valid()) {
    const Piece& piece = plan.piece(end.piece);
    object.emplace_back("piece", piece.name);
    ports = is_source ? &piece.outputs : &piece.inputs;
  }
  object.emplace_back("port", (*ports)[end.port].name);
  return object;
}

JsonValue writeTransfer(const Plan& plan, const Transfer& transfer) {
  Object object{{"source", writeEnd(plan, transfer.source, true)},
                {"from", writeBox(transfer.from)},
                {"destination", writeEnd(plan, transfer.destination, false)},
                {"to", writeBox(transfer.to)},
                {"mode", transfer.mode == TransferMode::copy ? "copy" : "add"}};
  if (transfer.interface.valid()) {
    object.emplace_back("interface", static_cast<std::int64_t>(transfer.interface.index()));
  }
  return object;
}

// Reading.

/// Puts the cursor's path in front of errors of `result`.
template <class T>
Result<T> placed(const JsonCursor& cursor, Result<T> result) {
  return std::move(result).within(cursor.path());
}

Result<Ints> readIntegers(const JsonCursor& cursor, std::size_t most) {
  NARROWS_TRY(items, cursor.items(most));
  Ints values;
  for (const JsonCursor& item : items) {
    NARROWS_TRY(value, item.integer(0, Shape::kMaxElements));
    values.push_back(value);
  }
  return values;
}

Result<TensorType> readType(const JsonCursor& cursor) {
  NARROWS_TRY(dtype_at, cursor.at("dtype"));
  NARROWS_TRY(dtype_name, dtype_at.text());
  const auto dtype = parseDType(dtype_name);
  if (!dtype) return dtype_at.error(fmt::format("there is no dtype \"{}\"", dtype_name));
  NARROWS_TRY(shape_at, cursor.at("shape"));
  NARROWS_TRY(extents, readIntegers(shape_at, Shape::kMaxRank));
  NARROWS_TRY(shape, placed(shape_at, Shape::create(extents)));
  return TensorType{*dtype, shape};
}

Result<std::vector<Port>> readPorts(const JsonCursor& cursor) {
  NARROWS_TRY(items, cursor.items(kMostItems));
  std::vector<Port> ports;
  for (const JsonCursor& item : items) {
    NARROWS_CHECK(item.expectKeys({"name", "dtype", "shape"}));
    NARROWS_TRY(name_at, item.at("name"));
    NARROWS_TRY(name, name_at.text());
    NARROWS_TRY(type, readType(item));
    ports.push_back({name, type});
  }
  return ports;
}

/// Index of the item that `cursor` names.
template <class Items>
Result<std::size_t> readName(const JsonCursor& cursor, const Items& items, std::string_view what) {
  NARROWS_TRY(name, cursor.text());
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const auto& item) { return item.name == name; });
  if (found == items.end()) return cursor.error(fmt::format("there is no {} \"{}\"", what, name));
  return static_cast<std::size_t>(found - items.begin());
}

Result<Region> readBox(const JsonCursor& cursor) {
  NARROWS_TRY(items, cursor.items(Shape::kMaxRank));
  std::vector<Region::Interval> axes;
  for (const JsonCursor& item : items) {
    NARROWS_TRY(ends, readIntegers(item, 2));
    if (ends.size() != 2) return item.error("expected [begin, end]");
    axes.push_back({ends[0], ends[1]});
  }
  return placed(cursor, Region::create(axes));
}

Result<std::vector<float>> readFloats(const JsonCursor& cursor) {
  NARROWS_TRY(items, cursor.items(kMostChannels));
  std::vector<float> values;
  values.reserve(items.size());
  for (const JsonCursor& item : items) {
    NARROWS_TRY(number, item.number());
    if (std::fabs(number) > static_cast<double>(std::numeric_limits<float>::max())) {
      return item.error("beyond the range of f32");
    }
    values.push_back(static_cast<float>(number));
  }
  return values;
}

Result<QuantizerParams> readQuantizer(const JsonCursor& cursor) {
  NARROWS_TRY(kind_at, cursor.at("kind"));
  NARROWS_TRY(kind_name, kind_at.text());
  NARROWS_TRY(kind, placed(kind_at, parseQuantizerKind(kind_name)));
  QuantizerParams params;
  params.kind = kind;
  if (kind == QuantizerKind::none) {
    NARROWS_CHECK(cursor.expectKeys({"kind"}));
    return params;
  }
  if (kind == QuantizerKind::levels) {
    NARROWS_CHECK(cursor.expectKeys({"kind", "bits", "granularity", "levels"}));
  } else {
    NARROWS_CHECK(cursor.expectKeys({"kind", "bits", "granularity", "low", "step"}));
  }
  NARROWS_TRY(bits_at, cursor.at("bits"));
  NARROWS_TRY(bits, bits_at.integer(1, 8));
  params.bits = static_cast<int>(bits);
  NARROWS_TRY(granularity_at, cursor.at("granularity"));
  NARROWS_TRY(granularity_name, granularity_at.text());
  NARROWS_TRY(granularity, placed(granularity_at, parseGranularity(granularity_name)));
  params.granularity = granularity;
  if (kind == QuantizerKind::levels) {
    NARROWS_TRY(levels_at, cursor.at("levels"));
    NARROWS_TRY(levels, readFloats(levels_at));
    params.levels = std::move(levels);
    return params;
  }
  NARROWS_TRY(low_at, cursor.at("low"));
  NARROWS_TRY(low, readFloats(low_at));
  NARROWS_TRY(step_at, cursor.at("step"));
  NARROWS_TRY(step, readFloats(step_at));
  params.low = std::move(low);
  params.step = std::move(step);
  return params;
}

Result<ByteVector> readHex(const JsonCursor& cursor) {
  NARROWS_TRY(text, cursor.text(2 * kMaxTableBytes));
  ByteVector bytes;
  bytes.reserve(text.size() / 2);
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) break;
    bytes.push_back(static_cast<std::byte>(high << 4 | low));
  }
  if (2 * bytes.size() != text.size()) {
    return cursor.error("expected pairs of the digits 0-9 and a-f");
  }
  return bytes;
}

Result<CoderParams> readCoder(const JsonCursor& cursor) {
  NARROWS_CHECK(cursor.expectKeys({"kind", "level", "tables"}));
  NARROWS_TRY(kind_at, cursor.at("kind"));
  NARROWS_TRY(kind_name, kind_at.text());
  NARROWS_TRY(kind, placed(kind_at, parseCoderKind(kind_name)));
  NARROWS_TRY(level_at, cursor.at("level"));
  NARROWS_TRY(level, level_at.integer(-1000, 1000));
  CoderParams coder{kind, static_cast<int>(level), {}};
  if (!cursor.has("tables")) return coder;
  NARROWS_TRY(tables_at, cursor.at("tables"));
  NARROWS_TRY(tables, readHex(tables_at));
  coder.tables = std::move(tables);
  return coder;
}

Result<InterfaceParams> readImage(const JsonCursor& cursor) {
  NARROWS_CHECK(cursor.expectKeys({"kind", "coding", "quality"}));
  NARROWS_TRY(coding_at, cursor.at("coding"));
  NARROWS_TRY(coding_name, coding_at.text());
  NARROWS_TRY(coding, placed(coding_at, parseImageCoding(coding_name)));
  NARROWS_TRY(quality_at, cursor.at("quality"));
  NARROWS_TRY(quality, quality_at.integer(1, 100));
  return InterfaceParams(ImageInterface{coding, static_cast<int>(quality)});
}

Result<InterfaceParams> readInterface(const JsonCursor& cursor) {
  NARROWS_TRY(kind_at, cursor.at("kind"));
  NARROWS_TRY(kind, kind_at.text());
  if (kind == "image") return readImage(cursor);
  if (kind != "feature") {
    return kind_at.error(fmt::format("expected \"feature\" or \"image\", found \"{}\"", kind));
  }
  NARROWS_CHECK(cursor.expectKeys(
      {"kind", "dtype", "shape", "quantizer", "coder", "max_frame_bytes", "key_interval"}));
  FeatureInterface feature;
  NARROWS_TRY(type, readType(cursor));
  feature.type = type;
  NARROWS_TRY(quantizer_at, cursor.at("quantizer"));
  NARROWS_TRY(quantizer, readQuantizer(quantizer_at));
  feature.quantizer = std::move(quantizer);
  NARROWS_TRY(coder_at, cursor.at("coder"));
  NARROWS_TRY(coder, readCoder(coder_at));
  feature.coder = coder;
  if (cursor.has("max_frame_bytes")) {
    NARROWS_TRY(limit_at, cursor.at("max_frame_bytes"));
    NARROWS_TRY(limit, limit_at.integer(static_cast<std::int64_t>(kSmallestFrameLimit),
                                        std::int64_t{1} << 40));
    feature.max_frame_bytes = static_cast<std::size_t>(limit);
  }
  if (cursor.has("key_interval")) {
    NARROWS_TRY(interval_at, cursor.at("key_interval"));
    NARROWS_TRY(interval, interval_at.integer(1, std::int64_t{kMaxKeyInterval}));
    feature.key_interval = static_cast<std::uint32_t>(interval);
  }
  return InterfaceParams(std::move(feature));
}

class PlanReader {
 public:
  explicit PlanReader(const JsonCursor& root) : root_(root) {}

  Result<Plan> read() {
    NARROWS_CHECK(root_.expectKeys({"format", "version", "devices", "source_device", "sink_device",
                                    "inputs", "outputs", "pieces", "interfaces", "transfers"}));
    NARROWS_CHECK(readFormat());
    NARROWS_CHECK(readDevices());
    NARROWS_CHECK(readModelPorts());
    NARROWS_CHECK(readPieces());
    NARROWS_CHECK(readInterfaces());
    NARROWS_CHECK(readTransfers());
    return std::move(plan_);
  }

 private:
  Status readFormat() {
    NARROWS_TRY(format_at, root_.at("format"));
    NARROWS_TRY(format, format_at.text());
    if (format != kFormat) {
      return format_at.error(fmt::format("expected \"{}\", found \"{}\"", kFormat, format));
    }
    NARROWS_TRY(version_at, root_.at("version"));
    NARROWS_TRY(version, version_at.integer(0, std::numeric_limits<std::int64_t>::max()));
    if (version != kVersion) {
      return version_at.error(fmt::format("version {}, this program reads {}", version, kVersion));
    }
    return {};
  }

  Status readDevices() {
    NARROWS_TRY(devices_at, root_.at("devices"));
    NARROWS_TRY(items, devices_at.items(kMostItems));
    for (const JsonCursor& item : items) {
      NARROWS_CHECK(item.expectKeys({"name", "standby"}));
      NARROWS_TRY(name_at, item.at("name"));
      NARROWS_TRY(name, name_at.text());
      plan_.devices.push_back({name});
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (!items[i].has("standby")) continue;
      NARROWS_TRY(standby_at, items[i].at("standby"));
      NARROWS_TRY(standby, readName(standby_at, plan_.devices, "device"));
      plan_.devices[i].standby = DeviceId(standby);
    }
    NARROWS_TRY(source_at, root_.at("source_device"));
    NARROWS_TRY(source, readName(source_at, plan_.devices, "device"));
    plan_.source_device = DeviceId(source);
    NARROWS_TRY(sink_at, root_.at("sink_device"));
    NARROWS_TRY(sink, readName(sink_at, plan_.devices, "device"));
    plan_.sink_device = DeviceId(sink);
    return {};
  }

  Status readModelPorts() {
    NARROWS_TRY(inputs_at, root_.at("inputs"));
    NARROWS_TRY(inputs, readPorts(inputs_at));
    plan_.inputs = std::move(inputs);
    NARROWS_TRY(outputs_at, root_.at("outputs"));
    NARROWS_TRY(outputs, readPorts(outputs_at));
    plan_.outputs = std::move(outputs);
    return {};
  }

  Status readPieces() {
    NARROWS_TRY(pieces_at, root_.at("pieces"));
    NARROWS_TRY(items, pieces_at.items(kMostItems));
    for (const JsonCursor& item : items) {
      NARROWS_CHECK(item.expectKeys({"name", "device", "inputs", "outputs"}));
      Piece piece;
      NARROWS_TRY(name_at, item.at("name"));
      NARROWS_TRY(name, name_at.text());
      piece.name = std::move(name);
      NARROWS_TRY(device_at, item.at("device"));
      NARROWS_TRY(device, readName(device_at, plan_.devices, "device"));
      piece.device = DeviceId(device);
      NARROWS_TRY(inputs_at, item.at("inputs"));
      NARROWS_TRY(inputs, readPorts(inputs_at));
      piece.inputs = std::move(inputs);
      NARROWS_TRY(outputs_at, item.at("outputs"));
      NARROWS_TRY(outputs, readPorts(outputs_at));
      piece.outputs = std::move(outputs);
      plan_.pieces.push_back(std::move(piece));
    }
    return {};
  }

  Status readInterfaces() {
    NARROWS_TRY(interfaces_at, root_.at("interfaces"));
    NARROWS_TRY(items, interfaces_at.items(kMostItems));
    for (const JsonCursor& item : items) {
      NARROWS_TRY(interface, readInterface(item));
      plan_.interfaces.push_back(std::move(interface));
    }
    return {};
  }

  Result<Endpoint> readEnd(const JsonCursor& cursor, bool is_source) {
    NARROWS_CHECK(cursor.expectKeys({"piece", "port"}));
    Endpoint end;
    const std::vector<Port>* ports = is_source ? &plan_.inputs : &plan_.outputs;
    if (cursor.has("piece")) {
      NARROWS_TRY(piece_at, cursor.at("piece"));
      NARROWS_TRY(piece, readName(piece_at, plan_.pieces, "piece"));
      end.piece = PieceId(piece);
      ports = is_source ? &plan_.pieces[piece].outputs : &plan_.pieces[piece].inputs;
    }
    NARROWS_TRY(port_at, cursor.at("port"));
    NARROWS_TRY(port, readName(port_at, *ports, is_source ? "output" : "input"));
    end.port = port;
    return end;
  }

  Result<Transfer> readTransfer(const JsonCursor& cursor) {
    NARROWS_CHECK(cursor.expectKeys({"source", "from", "destination", "to", "mode", "interface"}));
    Transfer transfer;
    NARROWS_TRY(source_at, cursor.at("source"));
    NARROWS_TRY(source, readEnd(source_at, true));
    transfer.source = source;
    NARROWS_TRY(from_at, cursor.at("from"));
    NARROWS_TRY(from, readBox(from_at));
    transfer.from = from;
    NARROWS_TRY(destination_at, cursor.at("destination"));
    NARROWS_TRY(destination, readEnd(destination_at, false));
    transfer.destination = destination;
    NARROWS_TRY(to_at, cursor.at("to"));
    NARROWS_TRY(to, readBox(to_at));
    transfer.to = to;
    NARROWS_TRY(mode_at, cursor.at("mode"));
    NARROWS_TRY(mode, mode_at.text());
    if (mode != "copy" && mode != "add") {
      return mode_at.error(fmt::format("expected \"copy\" or \"add\", found \"{}\"", mode));
    }
    transfer.mode = mode == "copy" ? TransferMode::copy : TransferMode::add;
    if (cursor.has("interface")) {
      NARROWS_TRY(interface_at, cursor.at("interface"));
      const auto last = static_cast<std::int64_t>(plan_.interfaces.size()) - 1;
      NARROWS_TRY(interface, interface_at.integer(0, last));
      transfer.interface = InterfaceId(static_cast<std::size_t>(interface));
    }
    return transfer;
  }

  Status readTransfers() {
    NARROWS_TRY(transfers_at, root_.at("transfers"));
    NARROWS_TRY(items, transfers_at.items(kMostItems));
    for (const JsonCursor& item : items) {
      NARROWS_TRY(transfer, readTransfer(item));
      plan_.transfers.push_back(std::move(transfer));
    }
    return {};
  }

  const JsonCursor& root_;
  Plan plan_;
};

}  // namespace

std::string formatPlan(const Plan& plan) {
  Array devices;
  for (const Device& device : plan.devices) {
    Object object{{"name", device.name}};
    if (device.standby.valid()) {
      object.emplace_back("standby", plan.devices[device.standby.index()].name);
    }
    devices.emplace_back(std::move(object));
  }
  Array pieces;
  for (const Piece& piece : plan.pieces) {
    pieces.emplace_back(Object{{"name", piece.name},
                               {"device", plan.devices[piece.device.index()].name},
                               {"inputs", writePorts(piece.inputs)},
                               {"outputs", writePorts(piece.outputs)}});
  }
  Array interfaces;
  for (const InterfaceParams& params : plan.interfaces) {
    interfaces.push_back(
        std::visit([](const auto& interface) { return writeInterface(interface); }, params));
  }
  Array transfers;
  for (const Transfer& transfer : plan.transfers) {
    transfers.push_back(writeTransfer(plan, transfer));
  }
  return formatJson(Object{{"format", kFormat},
                           {"version", kVersion},
                           {"devices", std::move(devices)},
                           {"source_device", plan.devices[plan.source_device.index()].name},
                           {"sink_device", plan.devices[plan.sink_device.index()].name},
                           {"inputs", writePorts(plan.inputs)},
                           {"outputs", writePorts(plan.outputs)},
                           {"pieces", std::move(pieces)},
                           {"interfaces", std::move(interfaces)},
                           {"transfers", std::move(transfers)}});
}

Result<Plan> parsePlan(std::string_view text, std::string_view origin) {
  NARROWS_TRY(root, parseJson(text, origin));
  NARROWS_TRY(plan, PlanReader(JsonCursor(root, std::string(origin))).read());
  NARROWS_CHECK(checkPlan(plan).within(origin));
  return std::move(plan);
}

}  // namespace narrows
