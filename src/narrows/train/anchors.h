#pragma once

#include <cstdint>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/data/dataset.h"
#include "narrows/vision/description.h"

namespace narrows {

/// Clusters the shapes of a set's boxes, at the network's size, by k-means under the distance
/// 1 - IoU (Redmon and Farhadi 2017, section 2) with k-means++ starts. Pixels of the network's
/// input, by area. Fails on fewer distinct shapes than anchors.
Result<std::vector<Anchor>> clusterAnchors(const DataSet& data, const Preprocessing& preprocessing,
                                           std::size_t count, std::uint64_t seed);

/// The head with anchors of the data: of YOLOv3 heads, maps with larger anchors keep the larger
/// ones; those of YOLOv2 are in cells of `grid_width` x `grid_height`.
Result<Head> withAnchors(const Head& head, const DataSet& data, const Preprocessing& preprocessing,
                         std::int64_t grid_width, std::int64_t grid_height, std::uint64_t seed);

}  // namespace narrows
