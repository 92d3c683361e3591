#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/bundle/bundle.h"
#include "narrows/codec/params.h"
#include "narrows/engine/engine.h"
#include "narrows/eval/calibration.h"
#include "narrows/eval/pictures.h"

/// Interfaces for the regions that devices of a group send each other.
namespace narrows {

/// How regions are coded on their way. Two kinds of them lose nothing, whatever `quantizer` says:
/// the picture at the model's input travels with the 8 bits of its samples, and what a piece gives
/// to the model's outputs as it is, since a head reads rare large values that a range fitted to all
/// of them cuts off.
struct TransferCoding {
  QuantizerSpec quantizer;
  CoderParams coder;
  /// Partial sums too; otherwise they travel as they are.
  bool sums = true;
  /// Width of partial sums under a uniform quantizer, 1 to 8; that of `quantizer` without one.
  std::optional<int> sum_bits = {};
};

/// Gives every region of floats between two devices of the bundle's plan an interface: quantizers
/// are fitted to what the pieces make of the pictures, tables of the context coder to a sample of
/// it. Regions that go to several devices share one, and parts of one sum a quantizer and tables.
/// Without a quantizer elements travel without loss and `pictures` may be null. The result does not
/// depend on the number of threads. Fails when the plan has interfaces already.
Status codeTransfers(const Engine& engine, Bundle& bundle, PictureSource* pictures,
                     const TransferCoding& coding, std::size_t threads);

/// Bytes of each transfer's frame, header included: the mean over the pictures as the devices send
/// them; 0 within a device. Measured. At least one picture.
Result<std::vector<double>> transferBytes(std::string_view engine,
                                          const std::shared_ptr<const Bundle>& bundle,
                                          PictureSource& pictures, std::size_t threads);

}  // namespace narrows
