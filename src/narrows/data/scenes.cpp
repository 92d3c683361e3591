#include "narrows/data/scenes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <system_error>

#include "narrows/base/file.h"

namespace narrows {
namespace {

constexpr int kJpegQuality = 90;
constexpr std::int64_t kSmallestSide = 32;
constexpr std::int64_t kLargestSide = 4096;

struct Color {
  double r = 0;
  double g = 0;
  double b = 0;
};

enum class ShapeKind { disc, box, triangle, ring };

struct Kind {
  ShapeKind shape = ShapeKind::disc;
  Color color;
};

constexpr std::array<Kind, 8> kKinds{{{ShapeKind::disc, {200, 40, 40}},
                                      {ShapeKind::disc, {40, 70, 200}},
                                      {ShapeKind::box, {40, 160, 60}},
                                      {ShapeKind::box, {230, 190, 40}},
                                      {ShapeKind::triangle, {230, 120, 30}},
                                      {ShapeKind::triangle, {140, 60, 180}},
                                      {ShapeKind::ring, {30, 170, 180}},
                                      {ShapeKind::ring, {240, 240, 240}}}};

constexpr std::array<std::string_view, kKinds.size()> kLabels{
    "red disc",        "blue disc",       "green box",      "yellow box",
    "orange triangle", "purple triangle", "turquoise ring", "white ring"};

/// In [0, 1). Used instead of the standard library's distributions, which differ between
/// implementations.
double uniform(std::mt19937_64& random) {
  return static_cast<double>(random() >> 11U) * 0x1.0p-53;
}

double between(std::mt19937_64& random, double low, double high) {
  return low + (high - low) * uniform(random);
}

std::uint8_t sample(double value) {
  return static_cast<std::uint8_t>(std::clamp(std::floor(value + 0.5), 0.0, 255.0));
}

void setPixel(Image& image, std::int64_t x, std::int64_t y, const Color& color) {
  const auto at = static_cast<std::size_t>(3 * (y * image.width + x));
  image.rgb[at] = sample(color.r);
  image.rgb[at + 1] = sample(color.g);
  image.rgb[at + 2] = sample(color.b);
}

void drawGround(Image& image, std::mt19937_64& random) {
  const Color base{between(random, 60, 190), between(random, 60, 190), between(random, 60, 190)};
  const double slope_x = between(random, -60, 60);
  const double slope_y = between(random, -60, 60);
  const double stripe = between(random, 0, 14);
  const std::int64_t period = 6 + static_cast<std::int64_t>(uniform(random) * 30);
  const double noise = between(random, 2, 12);
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      const double light = slope_x * static_cast<double>(x) / static_cast<double>(image.width) +
                           slope_y * static_cast<double>(y) / static_cast<double>(image.height) +
                           ((x + 2 * y) / period % 2 == 0 ? stripe : -stripe) +
                           between(random, -noise, noise);
      setPixel(image, x, y, {base.r + light, base.g + light, base.b + light});
    }
  }
}

/// Whether a point, in units of the half extents from the centre, lies in the shape.
bool inside(ShapeKind shape, double x, double y) {
  switch (shape) {
    case ShapeKind::disc:
      return x * x + y * y <= 1;
    case ShapeKind::box:
      return true;
    case ShapeKind::triangle:
      return std::abs(x) <= (y + 1) / 2;
    case ShapeKind::ring: {
      const double radius = x * x + y * y;
      return radius <= 1 && radius >= 0.3;
    }
  }
  return false;
}

TruthBox drawObject(Image& image, std::mt19937_64& random) {
  const auto label = static_cast<std::size_t>(uniform(random) * static_cast<double>(kKinds.size()));
  const double side = static_cast<double>(std::min(image.width, image.height));
  const double half_w = side * between(random, 0.06, 0.25);
  const double half_h = half_w * between(random, 0.7, 1.4);
  const double center_x = between(random, half_w, static_cast<double>(image.width) - half_w);
  const double center_y = between(random, std::min(half_h, side / 2),
                                  static_cast<double>(image.height) - std::min(half_h, side / 2));
  const auto left = static_cast<std::int64_t>(std::max(0.0, std::floor(center_x - half_w)));
  const auto right = std::min(image.width, static_cast<std::int64_t>(std::ceil(center_x + half_w)));
  const auto top = static_cast<std::int64_t>(std::max(0.0, std::floor(center_y - half_h)));
  const auto bottom =
      std::min(image.height, static_cast<std::int64_t>(std::ceil(center_y + half_h)));
  for (std::int64_t y = top; y < bottom; ++y) {
    for (std::int64_t x = left; x < right; ++x) {
      const double u = (static_cast<double>(x) + 0.5 - center_x) / half_w;
      const double v = (static_cast<double>(y) + 0.5 - center_y) / half_h;
      if (!inside(kKinds[label].shape, u, v) || std::abs(u) > 1 || std::abs(v) > 1) continue;
      const double light = 1.0 - 0.2 * (u + v) / 2 + between(random, -0.03, 0.03);
      const Color& color = kKinds[label].color;
      setPixel(image, x, y, {color.r * light, color.g * light, color.b * light});
    }
  }
  const auto relative = [](std::int64_t at, std::int64_t extent) {
    return static_cast<float>(at) / static_cast<float>(extent);
  };
  TruthBox truth;
  truth.label = static_cast<int>(label);
  truth.box = {relative(left, image.width), relative(top, image.height),
               relative(right, image.width), relative(bottom, image.height)};
  return truth;
}

std::string yoloText(const std::vector<TruthBox>& boxes) {
  std::string text;
  for (const TruthBox& truth : boxes) {
    const Box& box = truth.box;
    text += fmt::format("{} {:.6f} {:.6f} {:.6f} {:.6f}\n", truth.label, (box.x1 + box.x2) / 2,
                        (box.y1 + box.y2) / 2, box.x2 - box.x1, box.y2 - box.y1);
  }
  return text;
}

Status checkOptions(const SceneOptions& options) {
  for (std::int64_t side : {options.size.width, options.size.height}) {
    if (side < kSmallestSide || side > kLargestSide) {
      return makeError("a side of {} pixels, expected {} to {}", side, kSmallestSide, kLargestSide);
    }
  }
  if (options.most_objects < 1)
    return makeError("{} objects, expected 1 or more", options.most_objects);
  return {};
}

}  // namespace

std::span<const std::string_view> sceneLabels() {
  return kLabels;
}

Scene drawScene(ImageSize size, int most_objects, std::mt19937_64& random) {
  Scene scene{makeImage(size), {}};
  drawGround(scene.image, random);
  const int objects = 1 + static_cast<int>(uniform(random) * most_objects);
  for (int i = 0; i < objects; ++i) scene.boxes.push_back(drawObject(scene.image, random));
  return scene;
}

Status writeScenes(const std::filesystem::path& folder, const SceneOptions& options) {
  NARROWS_CHECK(checkOptions(options));
  if (std::filesystem::exists(folder)) return makeError("{} exists already", folder.string());
  std::error_code code;
  for (const char* part : {"images", "labels"}) {
    std::filesystem::create_directories(folder / part, code);
    if (code) return makeError("{}: {}", (folder / part).string(), code.message());
  }
  std::mt19937_64 random(options.seed);
  for (std::size_t i = 0; i < options.count; ++i) {
    const Scene scene = drawScene(options.size, options.most_objects, random);
    const std::string name = fmt::format("scene{:04}", i);
    NARROWS_TRY(jpeg, encodeJpeg(scene.image, kJpegQuality));
    NARROWS_CHECK(writeFileAtomically(folder / "images" / (name + ".jpg"), jpeg));
    NARROWS_CHECK(
        writeFileAtomically(folder / "labels" / (name + ".txt"), asBytes(yoloText(scene.boxes))));
  }
  std::string names;
  for (std::string_view label : kLabels) names.append(label).append("\n");
  return writeFileAtomically(folder / "labels.txt", asBytes(names));
}

}  // namespace narrows
