#include <coin/Cbc_C_Interface.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "narrows/planner/integer_program.h"

namespace narrows {
namespace {

struct DeleteModel {
  void operator()(Cbc_Model* model) const { Cbc_deleteModel(model); }
};
using Model = std::unique_ptr<Cbc_Model, DeleteModel>;

/// Proven optimal means within this of the bound.
constexpr double kGap = 1e-9;

}  // namespace

std::size_t IntegerProgram::add(Variable variable) {
  variables_.push_back(variable);
  return variables_.size() - 1;
}

Result<IntegerProgram::Solution> IntegerProgram::solve(Seconds limit) const {
  const Model model(Cbc_newModel());
  Cbc_setLogLevel(model.get(), 0);
  for (std::size_t v = 0; v < variables_.size(); ++v) {
    const Variable& variable = variables_[v];
    Cbc_addCol(model.get(), fmt::format("x{}", v).c_str(), variable.low, variable.high,
               variable.cost, variable.integer ? 1 : 0, 0, nullptr, nullptr);
  }
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    std::vector<int> columns;
    std::vector<double> factors;
    for (const Term& term : rows_[r].terms) {
      columns.push_back(static_cast<int>(term.variable));
      factors.push_back(term.factor);
    }
    Cbc_addRow(model.get(), fmt::format("r{}", r).c_str(), static_cast<int>(columns.size()),
               columns.data(), factors.data(), static_cast<char>(rows_[r].sense), rows_[r].bound);
  }
  Cbc_setParameter(model.get(), "seconds", fmt::format("{:g}", limit.value()).c_str());
  Cbc_setParameter(model.get(), "ratioGap", "0");
  Cbc_setParameter(model.get(), "threads", "0");
  Cbc_solve(model.get());
  if (Cbc_isProvenInfeasible(model.get()) != 0) return makeError("no choice meets all conditions");
  const double* best = Cbc_bestSolution(model.get());
  if (best == nullptr) return makeError("no solution was found in {:g} s", limit.value());
  Solution solution;
  solution.values.assign(best, best + variables_.size());
  for (std::size_t v = 0; v < variables_.size(); ++v) {
    if (variables_[v].integer) solution.values[v] = std::round(solution.values[v]);
    solution.objective += variables_[v].cost * solution.values[v];
  }
  solution.lower_bound = std::min(solution.objective, Cbc_getBestPossibleObjValue(model.get()));
  solution.optimal = Cbc_isProvenOptimal(model.get()) != 0 ||
                     solution.objective - solution.lower_bound <=
                         kGap * std::max(1.0, std::fabs(solution.objective));
  if (solution.optimal) solution.lower_bound = solution.objective;
  return solution;
}

}  // namespace narrows
