#pragma once

#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/cli/split_recipe.h"
#include "narrows/cost/split_pricer.h"
#include "narrows/eval/sweep.h"
#include "narrows/explore/explorer.h"
#include "narrows/explore/split_pricing.h"
#include "narrows/explore/store.h"

namespace narrows {

/// Name of the ends in the store's rows.
inline constexpr std::string_view kPicture = "(picture)";

/// Everything on one side, each with the recipe of its bundle.
struct EndDesigns {
  std::vector<EndDesign> designs;
  std::vector<SplitRecipe> recipes;
};

/// All on the node, and the picture sent over each link: as 8-bit samples, as the file is, as a
/// JPEG. The drop of a design that loses nothing is 0 by construction; what must be measured is
/// taken from the store where it has it, and stored where not.
Result<EndDesigns> makeEnds(int jpeg_quality, const SplitPricer& pricer,
                            const SplitPricing& pricing, Sweep& sweep, Store& store);

}  // namespace narrows
