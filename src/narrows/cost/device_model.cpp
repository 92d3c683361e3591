#include "narrows/cost/device_model.h"

#include "narrows/base/assert.h"
#include "narrows/graph/cost.h"

namespace narrows {
namespace {

double bytesMoved(const Graph& graph, const Node& node) {
  double bytes = 0;
  for (ValueId value : node.inputs) {
    if (value.valid()) bytes += static_cast<double>(graph.type(value).bytes());
  }
  for (ValueId value : node.outputs) bytes += static_cast<double>(graph.type(value).bytes());
  return bytes;
}

Seconds rateTime(const ComputeRates& rates, const Graph& graph, NodeId id) {
  Seconds time = rates.op + Seconds(static_cast<double>(macs(graph, id)) / rates.macs_per_s);
  if (rates.bytes_per_s) time += Seconds(bytesMoved(graph, graph.node(id)) / *rates.bytes_per_s);
  return time;
}

}  // namespace

Seconds predictedTime(const DeviceModel& device, const Graph& graph, NodeId id,
                      const Terms& terms) {
  if (device.predictor) return device.predictor->time(terms);
  NARROWS_ASSERT(device.rates.has_value());
  return rateTime(*device.rates, graph, id);
}

void speedUp(DeviceModel& device, double factor) {
  if (device.rates) {
    device.rates->macs_per_s *= factor;
    if (device.rates->bytes_per_s) *device.rates->bytes_per_s *= factor;
    device.rates->op = device.rates->op / factor;
  }
  if (device.predictor) {
    for (double& price : device.predictor->nanoseconds.values()) price /= factor;
  }
  for (LayerTable& table : device.tables) {
    for (LayerFigure& row : table.rows) {
      row.time = row.time / factor;
      if (row.energy) row.energy = *row.energy / factor;
    }
  }
  device.start_time = device.start_time / factor;
  if (device.start_energy) device.start_energy = *device.start_energy / factor;
}

}  // namespace narrows
