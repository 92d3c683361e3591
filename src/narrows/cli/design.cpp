#include "narrows/cli/design.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "narrows/base/file.h"
#include "narrows/cli/arguments.h"
#include "narrows/cli/child_process.h"
#include "narrows/cli/command.h"
#include "narrows/cli/explore_options.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

/// The arguments without `--out`, which is this command's own.
std::vector<std::string> withoutOut(std::span<const std::string> arguments) {
  std::vector<std::string> kept;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--out") {
      ++i;
    } else if (!arguments[i].starts_with("--out=") && arguments[i] != "--json") {
      kept.push_back(arguments[i]);
    }
  }
  return kept;
}

/// The steps of the method, each a command of this program whose result is a file of the folder.
/// What is there already is not made again.
class Method {
 public:
  static Result<Method> create(fs::path folder) {
    NARROWS_TRY(program, ownProgram());
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) return makeError("{}: cannot be made", folder.string());
    return Method(std::move(program), std::move(folder));
  }

  fs::path at(const char* name) const { return folder_ / name; }

  /// What the command prints is the result.
  Status print(const char* name, const std::vector<std::string>& words) {
    return step(name, words, [&](const fs::path& printed) -> Status {
      std::error_code error;
      fs::rename(printed, at(name), error);
      if (error) return makeError("{}: cannot be written", at(name).string());
      return {};
    });
  }

  /// The command writes the result itself, whole or not at all.
  Status write(const char* name, std::vector<std::string> words) {
    words.emplace_back("--out");
    words.push_back(at(name).string());
    return step(name, words, [](const fs::path&) { return Status(); });
  }

 private:
  Method(std::string program, fs::path folder)
      : program_(std::move(program)), folder_(std::move(folder)) {}

  template <class Keep>
  Status step(const char* name, const std::vector<std::string>& words, Keep&& keep) {
    if (fs::exists(at(name))) {
      fmt::print("{}: is there\n", at(name).string());
      return {};
    }
    const fs::path printed = at(".printed");
    NARROWS_TRY(child, ChildProcess::start(program_, words, printed.string()));
    NARROWS_TRY(code, child.wait());
    Status kept =
        code == 0 ? keep(printed) : makeError("narrows {} ended with exit code {}", words[0], code);
    std::error_code ignored;
    fs::remove(printed, ignored);
    NARROWS_CHECK(std::move(kept));
    fmt::print("{}: narrows {}\n", at(name).string(), words[0]);
    return {};
  }

  std::string program_;
  fs::path folder_;
};

Status design(const ExploreCommand& options, const std::string& out,
              std::span<const std::string> arguments) {
  NARROWS_TRY(method, Method::create(out));
  const std::vector<std::string> model = modelArguments(options.model);

  std::vector<std::string> analyze = {"analyze"};
  analyze.insert(analyze.end(), model.begin(), model.end());
  analyze.emplace_back("--json");
  NARROWS_CHECK(method.print("analysis.json", analyze));

  const std::string store =
      options.store == kStandardStore ? method.at("store.sqlite").string() : options.store;
  std::vector<std::string> explore = {"explore"};
  for (std::string& word : withoutOut(arguments)) explore.push_back(std::move(word));
  if (options.store == kStandardStore) {
    explore.emplace_back("--store");
    explore.push_back(store);
  }
  if (!options.regimes) explore.emplace_back("--regimes");
  explore.emplace_back("--json");
  NARROWS_CHECK(method.print("explore.json", explore));

  NARROWS_TRY(document, readTextFile(method.at("explore.json")));
  NARROWS_TRY(id, bestDesign(document).within(method.at("explore.json").string()));
  std::vector<std::string> split = {"split"};
  split.insert(split.end(), model.begin(), model.end());
  split.insert(split.end(), {"--design", id, "--store", store});
  NARROWS_CHECK(method.write("design.narrows", split));
  NARROWS_CHECK(method.write("report.html", {"report", method.at("explore.json").string()}));
  fmt::print("best design: {}, in {}, which narrows serve and narrows node run\n", id,
             method.at("design.narrows").string());
  return {};
}

}  // namespace

Result<std::string> bestDesign(const std::string& document) {
  const auto json = nlohmann::ordered_json::parse(document, nullptr, false);
  if (!json.is_object()) return makeError("expected a JSON object");
  const auto best = json.find("best");
  if (best == json.end() || !best->is_object() || best->empty()) {
    return makeError("no design keeps to the bounds");
  }
  if (!best->begin()->is_string()) return makeError("best: expected ids of designs");
  return best->begin()->get<std::string>();
}

int runDesign(std::span<const std::string> arguments) {
  Arguments parser(
      "design",
      "The whole method in one command: analyze the network, explore its designs (with "
      "--train-budget tighten those worth it, with --train-recover their servers too), write the "
      "bundle of the best and the report. A run that is repeated goes on where it stopped.",
      "narrows design bccd.onnx --data bccd-voc --split val --device raspberry-pi4 --link ble5 \\\n"
      "      --goal energy --max-drop 3 --train-budget 30 --out camera");
  ExploreCommand options;
  addExploreOptions(parser.app(), options);
  std::string out;
  parser.app()
      .add_option("--out", out,
                  "Folder for analysis.json, explore.json, store.sqlite, design.narrows and "
                  "report.html")
      ->required();
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run)
    return Arguments::exitCode(outcome);
  if (Status status = design(options, out, arguments); !status.ok())
    return reportFailure("design", status.error());
  return kExitOk;
}

}  // namespace narrows
