#pragma once

#include <cstddef>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"

namespace narrows {

/// A linear objective over variables, some of them integers, under linear rows, to be made small.
/// CBC solves it.
class IntegerProgram {
 public:
  static constexpr double kInfinity = 1e30;

  struct Variable {
    double low = 0;
    double high = 1;
    double cost = 0;
    bool integer = true;
  };
  struct Term {
    std::size_t variable = 0;
    double factor = 1;
  };
  enum class Sense : char { at_most = 'L', at_least = 'G', equal = 'E' };
  struct Row {
    std::vector<Term> terms;
    Sense sense = Sense::at_most;
    double bound = 0;
  };

  struct Solution {
    std::vector<double> values;
    double objective = 0;
    /// No solution is better than this; equals the objective when `optimal`.
    double lower_bound = 0;
    bool optimal = false;

    bool chosen(std::size_t variable) const { return values[variable] > 0.5; }
  };

  /// Its index, in the order of adding.
  std::size_t add(Variable variable);
  /// A 0/1 variable.
  std::size_t addChoice(double cost) { return add({0, 1, cost, true}); }
  void addRow(std::vector<Term> terms, Sense sense, double bound) {
    rows_.push_back({std::move(terms), sense, bound});
  }

  /// The best solution found within `limit`. Fails when there is none, or none was found in time;
  /// the error says which.
  Result<Solution> solve(Seconds limit) const;

 private:
  std::vector<Variable> variables_;
  std::vector<Row> rows_;
};

}  // namespace narrows
