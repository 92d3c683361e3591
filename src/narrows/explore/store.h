#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/explore/database.h"

namespace narrows {

/// Frames of one cut under one quantizer and coder. Measured.
struct FrameRow {
  std::string cut;
  std::string quantizer;
  std::string coder;
  std::int64_t frames = 0;
  double mean_bytes = 0;
  double bytes_deviation = 0;
  std::int64_t worst_bytes = 0;
  Seconds encode_time;
  Seconds decode_time;
  friend bool operator==(const FrameRow&, const FrameRow&) = default;
};

/// Times of a cut's pieces on the host that measured them.
struct CutTimes {
  Seconds node;
  Seconds server;
};

/// In percent. Measured.
struct AccuracyRow {
  std::string cut;
  std::string quantizer;
  double primary = 0;
  double secondary = 0;
  friend bool operator==(const AccuracyRow&, const AccuracyRow&) = default;
};

/// A design as `split` needs it, with what exploration said of it.
struct DesignRow {
  std::string id;
  /// JSON objects.
  std::string recipe;
  std::string figures;
};

/// Where rows come from: written beside each of them.
struct RowOrigin {
  std::string version;
  std::string host;
  std::uint64_t seed = 0;
};

/// All that explorations have measured, in one SQLite file. Rows belong to a context: a model, data
/// and whatever else results depend on; explorations of other links and devices in the same context
/// share them. Several processes may work on one store; what one has claimed the others leave to it
/// while it lives.
class Store {
 public:
  /// `context` is any text (JSON by custom) that names all that results depend on. Fails on a file
  /// that is no store, or one of another version.
  static Result<Store> open(const std::filesystem::path& file, const std::string& context,
                            RowOrigin origin);

  /// SHA-256 of the context.
  const std::string& context() const { return context_; }

  /// Of this context; by cut, quantizer, coder.
  Result<std::vector<FrameRow>> frames();
  Result<std::map<std::string, CutTimes>> cutTimes();
  Result<std::vector<AccuracyRow>> accuracies();

  /// Writes all or nothing; rows that are there already stay as they are.
  Status addFrames(const std::string& cut, const CutTimes& times,
                   const std::vector<FrameRow>& rows);
  Status addAccuracy(const AccuracyRow& row);

  /// True when this process may compute `task`, until it releases it; false while another living
  /// process holds it.
  Result<bool> claim(const std::string& task);
  Status release(const std::string& task);

  Status putDesigns(const std::vector<DesignRow>& rows);

  /// Of any context; the error lists how to find ids. An unambiguous beginning of an id is enough.
  static Result<DesignRow> findDesign(const std::filesystem::path& file, const std::string& id);

 private:
  Store(Database database, std::string context, RowOrigin origin)
      : database_(std::move(database)), context_(std::move(context)), origin_(std::move(origin)) {}

  Database database_;
  std::string context_;
  RowOrigin origin_;
};

}  // namespace narrows
