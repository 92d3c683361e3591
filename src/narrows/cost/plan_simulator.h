#pragma once

#include <cstddef>
#include <span>

#include "narrows/base/result.h"
#include "narrows/cost/group_simulator.h"
#include "narrows/cost/plan_pricer.h"

namespace narrows {

/// Runs a priced plan event by event: `frames` pictures, `in_flight` of them on their way at once.
/// `transfers` as for `PlanPricer::price`. One frame on its own takes the pricer's latency; many at
/// once the pricer's bottleneck each, as long as devices find work. Fails on a plan whose messages
/// use more than one link.
Result<Simulation> simulatePlan(const PlanPricer& pricer, std::span<const FrameCost> transfers,
                                std::size_t frames, std::size_t in_flight);

}  // namespace narrows
