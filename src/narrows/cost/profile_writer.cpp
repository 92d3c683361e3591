#include "narrows/cost/profile_writer.h"

#include <fmt/format.h>

namespace narrows {
namespace {

/// A basic string of TOML.
std::string tomlText(std::string_view text) {
  std::string result = "\"";
  for (const char character : text) {
    const auto code = static_cast<unsigned char>(character);
    if (character == '"' || character == '\\') {
      result += '\\';
      result += character;
    } else if (code < 0x20 || code == 0x7F) {
      result += fmt::format("\\u{:04X}", code);
    } else {
      result += character;
    }
  }
  return result + '"';
}

/// The shortest number that reads back as this one.
std::string number(double value) {
  const std::string text = fmt::format("{}", value);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

void addFigures(std::string& text, const DeviceModel& device) {
  std::string open;
  for (const ProfileFigure& figure : device.figures) {
    const std::size_t dot = figure.key.find('.');
    NARROWS_ASSERT(dot != std::string::npos);
    if (const std::string section = figure.key.substr(0, dot); section != open) {
      open = section;
      text += fmt::format("\n[{}]\n", section);
    }
    text += fmt::format("{} = {{ value = {}, origin = {}, source = {} }}\n",
                        figure.key.substr(dot + 1), number(figure.value),
                        tomlText(toString(figure.ground)), tomlText(figure.source));
  }
}

void addPredictor(std::string& text, const TimePredictor& predictor) {
  text += fmt::format("\n[predictor]\nsource = {}\n", tomlText(predictor.source));
  if (predictor.error_percent)
    text += fmt::format("error_percent = {}\n", number(*predictor.error_percent));
  text += "\n[predictor.ns]\n";
  for (std::size_t i = 0; i < kTerms; ++i) {
    text += fmt::format("{} = {}\n", toString(static_cast<Term>(i)),
                        number(predictor.nanoseconds.values()[i]));
  }
}

void addTable(std::string& text, const LayerTable& table) {
  text += fmt::format("\n[[tables]]\nnetwork = {}\norigin = {}\nsource = {}\nrows = [\n",
                      tomlText(table.network), tomlText(toString(table.ground)),
                      tomlText(table.source));
  for (const LayerFigure& row : table.rows) {
    std::string names;
    for (const std::string& name : row.names) names += (names.empty() ? "" : ", ") + tomlText(name);
    const std::string energy =
        row.energy ? fmt::format(", mj = {}", number(row.energy->value() * 1e3)) : std::string();
    text += fmt::format("  {{ names = [{}], macs = {}, ms = {}{} }},\n", names, row.macs,
                        number(toMilliseconds(row.time)), energy);
  }
  text += "]\n";
}

}  // namespace

std::string formatDeviceModel(const DeviceModel& device) {
  std::string text = fmt::format("name = {}\n", tomlText(device.name));
  if (!device.summary.empty()) text += fmt::format("summary = {}\n", tomlText(device.summary));
  addFigures(text, device);
  if (device.predictor) addPredictor(text, *device.predictor);
  for (const LayerTable& table : device.tables) addTable(text, table);
  return text;
}

}  // namespace narrows
