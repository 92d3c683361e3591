#include "tests/support/process_output.h"

#include <fstream>
#include <thread>

namespace narrows::test {

using Json = nlohmann::json;

bool waitFor(const std::function<bool()>& done, std::chrono::seconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < end) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return done();
}

std::string readAll(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<Json> readLines(const std::filesystem::path& path) {
  std::vector<Json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    Json json = Json::parse(line, nullptr, false);
    if (!json.is_discarded()) lines.push_back(std::move(json));
  }
  return lines;
}

Prediction predictionOf(const Json& record) {
  Prediction prediction;
  for (const Json& entry : record.value("detections", Json::array())) {
    const auto& box = entry["box"];
    prediction.detections.push_back(
        {entry["label"].get<int>(),
         entry["score"].get<float>(),
         {box[0].get<float>(), box[1].get<float>(), box[2].get<float>(), box[3].get<float>()}});
  }
  for (const Json& entry : record.value("classes", Json::array())) {
    prediction.classes.push_back({entry["label"].get<int>(), entry["score"].get<float>()});
  }
  return prediction;
}

}  // namespace narrows::test
