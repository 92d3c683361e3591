#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "narrows/vision/detection.h"

/// What processes of `narrows` leave behind.
namespace narrows::test {

/// Calls `done` until it is true; false when that takes too long.
bool waitFor(const std::function<bool()>& done,
             std::chrono::seconds limit = std::chrono::seconds(60));

std::string readAll(const std::filesystem::path& path);

/// The lines of JSON that are whole: the last one may be half written while its process runs.
std::vector<nlohmann::json> readLines(const std::filesystem::path& path);

/// The answer in a record of `narrows node`.
Prediction predictionOf(const nlohmann::json& record);

}  // namespace narrows::test
