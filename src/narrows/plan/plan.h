#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "narrows/base/id.h"
#include "narrows/base/result.h"
#include "narrows/codec/params.h"
#include "narrows/graph/graph.h"
#include "narrows/tensor/region.h"

/// A plan is a dataflow of pieces over devices. Its text form is `plan.json`.
namespace narrows {

using PieceId = Id<struct PieceTag>;
using DeviceId = Id<struct DeviceTag>;
using InterfaceId = Id<struct InterfaceTag>;

/// A place where pieces run.
struct Device {
  std::string name;
  /// The device that keeps the weights of this one's pieces too, and takes its share over when it
  /// is lost; invalid when none is named.
  DeviceId standby = {};
};

/// A tensor with a name, as a piece or the whole model takes or gives it.
struct Port {
  std::string name;
  TensorType type;
  friend bool operator==(const Port&, const Port&) = default;
};

/// An ordinary graph and where it runs. Ports are in the order of the graph's inputs and outputs.
struct Piece {
  std::string name;
  DeviceId device;
  std::vector<Port> inputs;
  std::vector<Port> outputs;
};

/// One end of a transfer: port `port` of a piece; of the model itself when `piece` is invalid (an
/// input of the model as a source, an output of it as a destination).
struct Endpoint {
  PieceId piece;
  std::size_t port = 0;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

enum class TransferMode : std::uint8_t { copy, add };

/// Copies (or adds) box `from` of the source into box `to` of the destination. Boxes have one
/// shape.
struct Transfer {
  Endpoint source;
  Region from;
  Endpoint destination;
  Region to;
  TransferMode mode = TransferMode::copy;
  /// What it crosses between devices; absent within a device. Without one, elements travel raw.
  InterfaceId interface;
};

/// See `checkPlan` for what makes a plan valid.
struct Plan {
  std::vector<Device> devices;
  /// In an order in which they can run.
  std::vector<Piece> pieces;
  std::vector<Transfer> transfers;
  std::vector<InterfaceParams> interfaces;
  /// Inputs and outputs of the whole model.
  std::vector<Port> inputs;
  std::vector<Port> outputs;
  /// Where the model's inputs arise and its outputs are wanted.
  DeviceId source_device;
  DeviceId sink_device;

  const Piece& piece(PieceId id) const {
    NARROWS_ASSERT(id.index() < pieces.size());
    return pieces[id.index()];
  }
  /// The device on which an end of a transfer lies.
  DeviceId deviceOf(const Endpoint& end, bool is_source) const {
    if (end.piece.valid()) return piece(end.piece).device;
    return is_source ? source_device : sink_device;
  }
};

/// Checks: devices, pieces and ports have distinct names; ids in range; a standby is another
/// device; ports and boxes fit; every port that is read (inputs of pieces, outputs of the model) is
/// covered by the boxes written to it exactly once, or by `add` alone over the whole port; a piece
/// reads only from pieces before it; interfaces lie between devices, fit the boxes that cross them
/// and are crossed at least once; an image interface is crossed only by the model's inputs, whole.
/// Errors name the place as in plan.json: "transfers[3].to: ...".
Status checkPlan(const Plan& plan);

/// Checks that these are the graphs of the plan's pieces: as many, with inputs and outputs that
/// have the names and types of the ports.
Status checkPieces(const Plan& plan, std::span<const Graph> pieces);

/// Ports for values of a graph.
std::vector<Port> portsOf(const Graph& graph, std::span<const ValueId> values);

}  // namespace narrows
