#pragma once

#include "narrows/data/dataset.h"

/// One function for each layout of dataset.h; `openDataSet` chooses.
namespace narrows {

Result<DataSet> openYolo(const std::filesystem::path& path, const DataOptions& options);
Result<DataSet> openVoc(const std::filesystem::path& path, const DataOptions& options);
Result<DataSet> openClassFolders(const std::filesystem::path& path, const DataOptions& options);
Result<DataSet> openTinyImageNet(const std::filesystem::path& path, const DataOptions& options);
Result<DataSet> openLabelsTsv(const std::filesystem::path& path, const DataOptions& options);
Result<DataSet> openPictures(const std::filesystem::path& path, const DataOptions& options);

}  // namespace narrows
