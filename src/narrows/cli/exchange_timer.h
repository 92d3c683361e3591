#pragma once

#include <cstddef>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/cost/device_model.h"

namespace narrows {

/// Making, reading and checking a request with a frame of that size, both sides together; least of
/// some runs. Measured here, without sending it.
Result<Seconds> timeMessage(std::size_t bytes, std::size_t runs);

/// What one side of an exchange takes on this host: half of what `narrows serve` and `narrows node`
/// take between them over the loopback for so many pictures of two networks that compute next to
/// nothing, one with maps of 3 kB and one with maps of 1 MB, without their computing and coding;
/// medians. Measured.
Result<ExchangeRates> measureExchange(std::size_t pictures);

}  // namespace narrows
