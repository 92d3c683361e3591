#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/cost/link_model.h"

namespace narrows {

/// Two network namespaces of this machine, a node's and a server's, joined by a cable whose rate a
/// token bucket limits in both directions (Linux: ip netns, veth, tc tbf). They go with it.
class ShapedNetwork {
 public:
  /// Needs the rights of an administrator; the error says what was refused. Files go into `work`.
  static Result<ShapedNetwork> create(const std::filesystem::path& work);
  ShapedNetwork(ShapedNetwork&& other) noexcept;
  ShapedNetwork& operator=(ShapedNetwork&&) = delete;
  ~ShapedNetwork();

  Status setRate(BitsPerSecond rate);
  /// What the bucket holds when nothing was sent for a while: so much passes at once.
  static Bytes burst(BitsPerSecond rate);
  /// How much earlier than by the link's model a message arrives that finds the bucket full.
  static Seconds credit(const LinkModel& link, Bytes message);
  /// Address of the server's end.
  static std::string serverHost();
  /// A command that runs in a namespace: program and arguments.
  std::vector<std::string> onNode(std::vector<std::string> command) const;
  std::vector<std::string> onServer(std::vector<std::string> command) const;

 private:
  ShapedNetwork(std::string name, std::filesystem::path work)
      : name_(std::move(name)), work_(std::move(work)) {}
  std::string space(std::string_view end) const { return name_ + std::string(end); }

  std::string name_;
  std::filesystem::path work_;
};

/// The network, or nothing: when that is asked for, and where the machine refuses it, which is said
/// on standard error.
std::unique_ptr<ShapedNetwork> networkUnless(bool simulate, const std::filesystem::path& work);

/// How a link of limited rate came about, for a person.
std::string_view linkInWords(bool simulated);

}  // namespace narrows
