#pragma once

#include <map>
#include <vector>

#include "narrows/cost/split_pricer.h"
#include "narrows/explore/explorer.h"

namespace narrows {

/// Prices the cuts of one network with the models of a node, a server and links.
class SplitPricing final : public DesignPricing {
 public:
  /// All must outlive it.
  SplitPricing(const SplitPricer& pricer, const std::vector<Cut>& cuts)
      : pricer_(&pricer), cuts_(&cuts) {}

  Result<std::vector<DesignCost>> price(std::size_t cut, const CutTimes& times, Bytes bytes,
                                        Seconds encode, Seconds decode) override;

  /// Pricers of a cut, one for each link; valid until the next call with other times.
  Result<std::vector<PlanPricer>*> plansOf(std::size_t cut, const CutTimes& times);

  /// A frame over any plan of the pricer.
  DesignCost costOf(PlanPricer& plan, Bytes bytes, Seconds encode, Seconds decode) const;

 private:
  struct Plans {
    CutTimes times;
    std::vector<PlanPricer> links;
  };

  const SplitPricer* pricer_;
  const std::vector<Cut>* cuts_;
  std::map<std::size_t, Plans> plans_;  // of cuts priced before
};

}  // namespace narrows
