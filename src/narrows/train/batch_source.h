#pragma once

#include <memory>

#include "narrows/base/thread_pool.h"
#include "narrows/data/dataset.h"
#include "narrows/eval/pictures.h"
#include "narrows/train/augment.h"
#include "narrows/vision/description.h"

namespace narrows {

struct BatchOptions {
  std::size_t batch = 16;
  Augmentation augmentation;
  std::uint64_t seed = 1;
  /// Threads that prepare pictures; the batches do not depend on it.
  std::size_t threads = 1;
};

/// Shuffled, varied batches of a data set. What a batch holds depends on the seed, the epoch and
/// its number alone, so that a resumed run sees what an unbroken one would have seen.
class BatchSource {
 public:
  /// Data and description outlive the source. Fails on a set without pictures.
  static Result<BatchSource> create(const DataSet& data, const ModelDescription& description,
                                    const BatchOptions& options);

  /// Whole batches; the pictures that are left over come in other epochs. One smaller batch when
  /// the set is smaller than a batch.
  std::size_t batchesPerEpoch() const;
  Result<TrainBatch> batch(std::size_t epoch, std::size_t index);

 private:
  BatchSource(const DataSet& data, const ModelDescription& description,
              const BatchOptions& options);
  Result<Example> load(std::size_t item);
  Result<Example> make(std::size_t item, std::uint64_t seed);

  const DataSet* data_;
  const ModelDescription* description_;
  BatchOptions options_;
  std::unique_ptr<PictureSource> pictures_;
  std::unique_ptr<ThreadPool> pool_;
  std::vector<std::size_t> order_;
  std::size_t order_epoch_;
};

}  // namespace narrows
