#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "narrows/bundle/bundle.h"
#include "narrows/codec/params.h"
#include "narrows/graph/graph.h"
#include "narrows/vision/image.h"

/// A detector and a classifier of a few layers with weights from a seed, and plans over them, for
/// tests of everything that runs bundles. 16 x 24 pixels in, three classes.
namespace narrows::test {

enum class SmallHead { classification, yolov2, none };

/// conv 3->4, ReLU, then a branch: conv 4->4 beside it, added; conv to the head.
Graph smallGraph(SmallHead head, std::uint64_t seed = 7);
ModelDescription smallDescription(SmallHead head);

/// Cut at "relu1", or at "left" and "relu1" together when `two_tensors`; 4 bits, zstd for one and
/// raw elements for the other.
std::shared_ptr<const Bundle> smallSplit(SmallHead head, bool two_tensors = false);
/// The picture crosses.
std::shared_ptr<const Bundle> smallImageBundle(SmallHead head, const ImageInterface& interface);
/// Nothing crosses.
std::shared_ptr<const Bundle> smallNodeBundle(SmallHead head);
/// The first convolution in two bands of rows on two devices with a row of halo, put together on
/// the second device, whose output comes back to the first as two partial sums of channels.
std::shared_ptr<const Bundle> tiledBundle();

/// The bundle without the pieces of a device, as a node gets it that cannot finish alone.
std::shared_ptr<const Bundle> withoutDevice(const Bundle& bundle, std::string_view device);

/// A picture of noise over a gradient.
Image smallPicture(std::uint64_t seed, std::int64_t width = 40, std::int64_t height = 30);

}  // namespace narrows::test
