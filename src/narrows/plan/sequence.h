#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/plan/plan.h"

namespace narrows {

/// How a plan of one device runs with few tensors at a time: pieces one after another, each result
/// kept until its last reader has run. A port of several parts whose sources nobody else reads is
/// put together as those are made, so that they can go at once; any other is put together when its
/// reader runs. A port that one whole tensor fills is that tensor.
class Sequence {
 public:
  /// Fails on an invalid plan and on one of several devices.
  static Result<Sequence> of(const Plan& plan);

  /// Number of pieces; as a reader it stands for the model's outputs, as a source for its inputs.
  std::size_t pieces() const { return ports_.size() - 1; }

  struct Port {
    /// Those that fill it, in the plan's order.
    std::vector<std::size_t> transfers;
    /// It is the tensor at the one transfer's source.
    bool borrowed = false;
    /// It is put together as its parts are made, from this piece on.
    std::optional<std::size_t> early;
    std::size_t bytes = 0;
  };
  /// Input ports of a piece, or (`reader` = pieces()) the outputs of the model.
  const std::vector<Port>& ports(std::size_t reader) const { return ports_[reader]; }

  struct Source {
    std::size_t bytes = 0;
    /// The last piece that reads it as it is; pieces() when an output of the model does. A result
    /// that nobody reads has its maker here.
    std::size_t last = 0;
    /// Transfers that are made as soon as it is there.
    std::vector<std::size_t> early;
  };
  /// Output ports of a piece, or (`maker` = pieces()) the inputs of the model.
  const std::vector<Source>& sources(std::size_t maker) const { return sources_[maker]; }

  /// Bytes of all tensors outside of pieces: while piece p is made ready, while it runs, and when
  /// its results have been handed on.
  struct Held {
    std::size_t before = 0;
    std::size_t during = 0;
    std::size_t after = 0;
  };
  Held held(std::size_t piece) const;

 private:
  std::vector<std::vector<Port>> ports_;
  std::vector<std::vector<Source>> sources_;
};

}  // namespace narrows
