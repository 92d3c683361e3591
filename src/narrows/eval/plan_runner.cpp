#include "narrows/eval/plan_runner.h"

#include "narrows/pipeline/gather.h"

namespace narrows {

Result<PlanRunner> PlanRunner::create(const Engine& engine, const Plan& plan,
                                      std::span<const Graph> pieces, std::size_t threads) {
  NARROWS_CHECK(checkPieces(plan, pieces));
  PlanRunner runner(plan);
  EngineOptions options;
  options.threads = threads;
  for (std::size_t p = 0; p < pieces.size(); ++p) {
    NARROWS_TRY(program, engine.compile(pieces[p], options).within(plan.pieces[p].name));
    runner.programs_.push_back(std::move(program));
    runner.ports_.emplace_back();
    runner.outputs_.emplace_back();
    for (const Port& port : plan.pieces[p].inputs) runner.ports_.back().emplace_back(port.type);
    for (const Port& port : plan.pieces[p].outputs) runner.outputs_.back().emplace_back(port.type);
    runner.fed_.emplace_back(plan.pieces[p].inputs.size());
  }
  for (std::size_t t = 0; t < plan.transfers.size(); ++t) {
    const Endpoint& end = plan.transfers[t].destination;
    if (end.piece.valid()) runner.fed_[end.piece.index()][end.port].push_back(t);
  }
  return runner;
}

TensorView PlanRunner::made(const Endpoint& source) const {
  if (!source.piece.valid()) return inputs_[source.port];
  return outputs_[source.piece.index()][source.port].view();
}

Status PlanRunner::run(std::span<const TensorView> inputs) {
  inputs_.assign(inputs.begin(), inputs.end());
  for (std::size_t p = 0; p < programs_.size(); ++p) {
    std::vector<TensorView> views;
    for (std::size_t i = 0; i < ports_[p].size(); ++i) {
      std::vector<Contribution> parts;
      for (const std::size_t t : fed_[p][i]) {
        const Transfer& transfer = plan_->transfers[t];
        parts.push_back({made(transfer.source), transfer.from, transfer.to, transfer.mode});
      }
      NARROWS_CHECK(gather(parts, ports_[p][i].mutableView()));
      views.push_back(ports_[p][i].view());
    }
    std::vector<MutableTensorView> targets;
    for (Tensor& output : outputs_[p]) targets.push_back(output.mutableView());
    NARROWS_CHECK(programs_[p]->run(views, targets).within(plan_->pieces[p].name));
  }
  return {};
}

}  // namespace narrows
