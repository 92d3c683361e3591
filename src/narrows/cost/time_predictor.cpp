#include "narrows/cost/time_predictor.h"

namespace narrows {

Seconds TimePredictor::time(const Terms& terms) const {
  double sum = 0;
  for (std::size_t i = 0; i < kTerms; ++i) sum += nanoseconds.values()[i] * terms.values()[i];
  return Seconds(sum * 1e-9);
}

}  // namespace narrows
