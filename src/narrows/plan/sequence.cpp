#include "narrows/plan/sequence.h"

#include <algorithm>

namespace narrows {

Result<Sequence> Sequence::of(const Plan& plan) {
  NARROWS_CHECK(checkPlan(plan));
  if (plan.devices.size() != 1) {
    return makeError("the plan is for {} devices, expected one", plan.devices.size());
  }
  const std::size_t count = plan.pieces.size();
  const auto maker = [&](const Transfer& transfer) {
    return transfer.source.piece.valid() ? transfer.source.piece.index() : count;
  };
  const auto reader = [&](const Transfer& transfer) {
    return transfer.destination.piece.valid() ? transfer.destination.piece.index() : count;
  };
  Sequence sequence;
  const auto typeOf = [&](const Transfer& transfer) -> const TensorType& {
    return maker(transfer) == count
               ? plan.inputs[transfer.source.port].type
               : plan.piece(transfer.source.piece).outputs[transfer.source.port].type;
  };
  const auto addPorts = [&](const std::vector<narrows::Port>& ports) {
    sequence.ports_.emplace_back();
    for (const narrows::Port& port : ports) {
      sequence.ports_.back().push_back({{}, false, std::nullopt, port.type.bytes()});
    }
  };
  const auto addSources = [&](const std::vector<narrows::Port>& ports, std::size_t last) {
    sequence.sources_.emplace_back();
    for (const narrows::Port& port : ports) {
      sequence.sources_.back().push_back({port.type.bytes(), last, {}});
    }
  };
  for (std::size_t p = 0; p < count; ++p) {
    addPorts(plan.pieces[p].inputs);
    addSources(plan.pieces[p].outputs, p);
  }
  addPorts(plan.outputs);
  addSources(plan.inputs, 0);

  std::vector<std::vector<std::size_t>> readers(count + 1);  // of each source, how many
  for (std::size_t p = 0; p <= count; ++p) readers[p].resize(sequence.sources_[p].size());
  for (std::size_t t = 0; t < plan.transfers.size(); ++t) {
    const Transfer& transfer = plan.transfers[t];
    sequence.ports_[reader(transfer)][transfer.destination.port].transfers.push_back(t);
    ++readers[maker(transfer)][transfer.source.port];
  }
  for (std::vector<Port>& ports : sequence.ports_) {
    for (Port& port : ports) {
      const Transfer& first = plan.transfers[port.transfers[0]];
      const TensorType& type = typeOf(first);
      port.borrowed = port.transfers.size() == 1 && first.mode == TransferMode::copy &&
                      type.bytes() == port.bytes && first.from == Region::whole(type.shape) &&
                      first.to == first.from;
      const bool alone =
          std::all_of(port.transfers.begin(), port.transfers.end(), [&](std::size_t t) {
            const Transfer& transfer = plan.transfers[t];
            return maker(transfer) < count && readers[maker(transfer)][transfer.source.port] == 1;
          });
      if (port.borrowed || !alone) continue;
      port.early = count;
      for (const std::size_t t : port.transfers) {
        const Transfer& transfer = plan.transfers[t];
        port.early = std::min(*port.early, maker(transfer));
        sequence.sources_[maker(transfer)][transfer.source.port].early.push_back(t);
      }
    }
  }
  for (const Transfer& transfer : plan.transfers) {
    Source& source = sequence.sources_[maker(transfer)][transfer.source.port];
    if (source.early.empty()) source.last = std::max(source.last, reader(transfer));
  }
  return sequence;
}

Sequence::Held Sequence::held(std::size_t piece) const {
  const std::size_t count = pieces();
  Held held;
  for (std::size_t maker = 0; maker <= count; ++maker) {
    for (const Source& source : sources_[maker]) {
      const bool made = maker == count || maker < piece;
      if (made && source.last >= piece) held.before += source.bytes;
      if (maker == piece || (made && source.last >= piece)) held.during += source.bytes;
      if (maker == piece || (made && source.last > piece)) held.after += source.bytes;
    }
  }
  for (std::size_t reader = piece; reader <= count; ++reader) {
    for (const Port& port : ports_[reader]) {
      if (port.borrowed) continue;
      if (port.early && *port.early < piece) held.before += port.bytes;
      if (reader == piece || (port.early && *port.early < piece)) held.during += port.bytes;
      if (reader > piece && port.early && *port.early <= piece) held.after += port.bytes;
    }
  }
  return held;
}

}  // namespace narrows
