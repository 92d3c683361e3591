#include "narrows/plan/plan.h"

#include <algorithm>
#include <map>
#include <set>

namespace narrows {
namespace {

// Coverage compares boxes pairwise; more transfers than this are no plan.
constexpr std::size_t kMostTransfers = 16384;

template <class Items>
Status checkNames(const Items& items, std::string_view list) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].name.empty()) return makeError("{}[{}].name: empty", list, i);
    if (!names.insert(items[i].name).second) {
      return makeError("{}[{}].name: \"{}\" is taken", list, i, items[i].name);
    }
  }
  return {};
}

class Checker {
 public:
  explicit Checker(const Plan& plan) : plan_(plan) {}

  Status run() {
    NARROWS_CHECK(checkHead());
    NARROWS_CHECK(checkPiecePorts());
    NARROWS_CHECK(checkInterfaces());
    if (plan_.transfers.size() > kMostTransfers) {
      return makeError("transfers: {}, at most {}", plan_.transfers.size(), kMostTransfers);
    }
    for (std::size_t i = 0; i < plan_.transfers.size(); ++i) {
      NARROWS_CHECK(checkTransfer(plan_.transfers[i]).within(fmt::format("transfers[{}]", i)));
      writers_[plan_.transfers[i].destination].push_back(i);
    }
    for (std::size_t i = 0; i < interface_used_.size(); ++i) {
      if (!interface_used_[i]) return makeError("interfaces[{}]: no transfer crosses it", i);
    }
    return checkCoverage();
  }

 private:
  Status checkHead() const {
    if (plan_.devices.empty()) return makeError("devices: none");
    NARROWS_CHECK(checkNames(plan_.devices, "devices"));
    for (std::size_t i = 0; i < plan_.devices.size(); ++i) {
      const DeviceId standby = plan_.devices[i].standby;
      if (standby.valid() && (!isDevice(standby) || standby.index() == i)) {
        return makeError("devices[{}].standby: expected another device", i);
      }
    }
    NARROWS_CHECK(checkNames(plan_.pieces, "pieces"));
    NARROWS_CHECK(checkNames(plan_.inputs, "inputs"));
    NARROWS_CHECK(checkNames(plan_.outputs, "outputs"));
    if (plan_.inputs.empty()) return makeError("inputs: none");
    if (plan_.outputs.empty()) return makeError("outputs: none");
    if (!isDevice(plan_.source_device)) return makeError("source_device: no such device");
    if (!isDevice(plan_.sink_device)) return makeError("sink_device: no such device");
    return {};
  }

  Status checkPiecePorts() const {
    for (std::size_t i = 0; i < plan_.pieces.size(); ++i) {
      const Piece& piece = plan_.pieces[i];
      if (!isDevice(piece.device)) return makeError("pieces[{}].device: no such device", i);
      if (piece.outputs.empty()) return makeError("pieces[{}].outputs: none", i);
      NARROWS_CHECK(checkNames(piece.inputs, fmt::format("pieces[{}].inputs", i)));
      NARROWS_CHECK(checkNames(piece.outputs, fmt::format("pieces[{}].outputs", i)));
    }
    return {};
  }

  Status checkInterfaces() {
    for (std::size_t i = 0; i < plan_.interfaces.size(); ++i) {
      NARROWS_CHECK(validate(plan_.interfaces[i]).within(fmt::format("interfaces[{}]", i)));
    }
    interface_used_.assign(plan_.interfaces.size(), false);
    return {};
  }

  bool isDevice(DeviceId id) const { return id.valid() && id.index() < plan_.devices.size(); }

  /// The port at an end, null when there is none.
  const Port* portOf(const Endpoint& end, bool is_source) const {
    const std::vector<Port>* ports = is_source ? &plan_.inputs : &plan_.outputs;
    if (end.piece.valid()) {
      if (end.piece.index() >= plan_.pieces.size()) return nullptr;
      const Piece& piece = plan_.piece(end.piece);
      ports = is_source ? &piece.outputs : &piece.inputs;
    }
    return end.port < ports->size() ? &(*ports)[end.port] : nullptr;
  }

  Status checkTransfer(const Transfer& transfer) {
    const Port* source = portOf(transfer.source, true);
    const Port* destination = portOf(transfer.destination, false);
    if (source == nullptr) return makeError("source: no such piece or port");
    if (destination == nullptr) return makeError("destination: no such piece or port");
    if (transfer.source.piece.valid() && transfer.destination.piece.valid() &&
        transfer.source.piece >= transfer.destination.piece) {
      return makeError("source: piece \"{}\" does not come before \"{}\"",
                       plan_.piece(transfer.source.piece).name,
                       plan_.piece(transfer.destination.piece).name);
    }
    if (source->type.dtype != destination->type.dtype) {
      return makeError("\"{}\" is {} and \"{}\" is {}", source->name, toString(source->type.dtype),
                       destination->name, toString(destination->type.dtype));
    }
    NARROWS_CHECK(checkBox(transfer.from, *source).within("from"));
    NARROWS_CHECK(checkBox(transfer.to, *destination).within("to"));
    if (transfer.from.shape() != transfer.to.shape()) {
      return makeError("from {} and to {} differ in shape", toString(transfer.from),
                       toString(transfer.to));
    }
    if (transfer.mode == TransferMode::add && source->type.dtype == DType::boolean) {
      return makeError("mode: booleans cannot be added");
    }
    return checkCrossing(transfer, *source).within("interface");
  }

  static Status checkBox(const Region& box, const Port& port) {
    if (!box.fits(port.type.shape)) {
      return makeError("{} does not lie in \"{}\" of {}", toString(box), port.name,
                       toString(port.type.shape));
    }
    if (box.empty()) return makeError("{} is empty", toString(box));
    return {};
  }

  Status checkCrossing(const Transfer& transfer, const Port& source) {
    if (!transfer.interface.valid()) return {};
    const std::size_t index = transfer.interface.index();
    if (index >= plan_.interfaces.size()) return makeError("there is no interface {}", index);
    interface_used_[index] = true;
    if (plan_.deviceOf(transfer.source, true) == plan_.deviceOf(transfer.destination, false)) {
      return makeError("both ends lie on one device");
    }
    if (const auto* feature = std::get_if<FeatureInterface>(&plan_.interfaces[index])) {
      const TensorType crossing{source.type.dtype, transfer.from.shape()};
      if (feature->type != crossing) {
        return makeError("it is made for {} {}, the box is {} {}", toString(feature->type.dtype),
                         toString(feature->type.shape), toString(crossing.dtype),
                         toString(crossing.shape));
      }
      return {};
    }
    if (transfer.source.piece.valid() || transfer.from != Region::whole(source.type.shape)) {
      return makeError("an image interface carries a whole input of the model only");
    }
    return {};
  }

  Status checkCoverage() const {
    for (std::size_t p = 0; p < plan_.pieces.size(); ++p) {
      const Piece& piece = plan_.pieces[p];
      for (std::size_t i = 0; i < piece.inputs.size(); ++i) {
        NARROWS_CHECK(checkCovered({PieceId(p), i}, piece.inputs[i])
                          .within(fmt::format("pieces[{}].inputs[{}]", p, i)));
      }
    }
    for (std::size_t i = 0; i < plan_.outputs.size(); ++i) {
      NARROWS_CHECK(
          checkCovered({PieceId(), i}, plan_.outputs[i]).within(fmt::format("outputs[{}]", i)));
    }
    return {};
  }

  Status checkCovered(const Endpoint& end, const Port& port) const {
    const auto found = writers_.find(end);
    if (found == writers_.end()) {
      if (port.type.elements() == 0) return {};
      return makeError("nothing writes \"{}\"", port.name);
    }
    const std::vector<std::size_t>& writers = found->second;
    const TransferMode mode = plan_.transfers[writers[0]].mode;
    for (std::size_t index : writers) {
      if (plan_.transfers[index].mode != mode) {
        return makeError("transfers[{}] copies and transfers[{}] adds",
                         mode == TransferMode::copy ? writers[0] : index,
                         mode == TransferMode::copy ? index : writers[0]);
      }
    }
    if (mode == TransferMode::add) return checkSum(writers, port);
    return checkTiling(writers, port);
  }

  Status checkSum(const std::vector<std::size_t>& writers, const Port& port) const {
    for (std::size_t index : writers) {
      if (plan_.transfers[index].to != Region::whole(port.type.shape)) {
        return makeError("transfers[{}] adds to a part of \"{}\" only", index, port.name);
      }
    }
    return {};
  }

  /// Disjoint boxes inside the port that have its number of elements together cover it.
  Status checkTiling(const std::vector<std::size_t>& writers, const Port& port) const {
    for (std::size_t a = 0; a < writers.size(); ++a) {
      const Region& box = plan_.transfers[writers[a]].to;
      for (std::size_t b = 0; b < a; ++b) {
        if (overlap(box, plan_.transfers[writers[b]].to)) {
          return makeError("transfers[{}] and transfers[{}] both write {} of \"{}\"", writers[b],
                           writers[a], toString(box.intersection(plan_.transfers[writers[b]].to)),
                           port.name);
        }
      }
    }
    std::int64_t written = 0;
    for (std::size_t index : writers) written += plan_.transfers[index].to.elements();
    if (written != port.type.elements()) {
      return makeError("{} of {} elements of \"{}\" are written", written, port.type.elements(),
                       port.name);
    }
    return {};
  }

  static bool overlap(const Region& a, const Region& b) {
    for (std::size_t axis = 0; axis < a.rank(); ++axis) {
      if (a[axis].end <= b[axis].begin || b[axis].end <= a[axis].begin) return false;
    }
    return true;
  }

  const Plan& plan_;
  std::map<Endpoint, std::vector<std::size_t>> writers_;
  std::vector<bool> interface_used_;
};

Status comparePorts(std::span<const Port> ports, const Graph& graph,
                    std::span<const ValueId> values, std::string_view list) {
  if (ports.size() != values.size()) {
    return makeError("{}: the plan has {}, the graph {}", list, ports.size(), values.size());
  }
  const std::vector<Port> actual = portsOf(graph, values);
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (ports[i] == actual[i]) continue;
    return makeError("{}[{}]: the plan has \"{}\" {} {}, the graph \"{}\" {} {}", list, i,
                     ports[i].name, toString(ports[i].type.dtype), toString(ports[i].type.shape),
                     actual[i].name, toString(actual[i].type.dtype),
                     toString(actual[i].type.shape));
  }
  return {};
}

}  // namespace

Status checkPlan(const Plan& plan) {
  return Checker(plan).run();
}

Status checkPieces(const Plan& plan, std::span<const Graph> pieces) {
  if (pieces.size() != plan.pieces.size()) {
    return makeError("pieces: the plan has {}, there are {} graphs", plan.pieces.size(),
                     pieces.size());
  }
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Piece& piece = plan.pieces[i];
    const std::string place = fmt::format("pieces[{}] \"{}\"", i, piece.name);
    NARROWS_CHECK(
        comparePorts(piece.inputs, pieces[i], pieces[i].inputs(), "inputs").within(place));
    NARROWS_CHECK(
        comparePorts(piece.outputs, pieces[i], pieces[i].outputs(), "outputs").within(place));
  }
  return {};
}

std::vector<Port> portsOf(const Graph& graph, std::span<const ValueId> values) {
  std::vector<Port> ports;
  ports.reserve(values.size());
  for (ValueId value : values) ports.push_back({graph.value(value).name, graph.type(value)});
  return ports;
}

}  // namespace narrows
