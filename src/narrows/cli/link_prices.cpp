#include "narrows/cli/link_prices.h"

#include <array>

#include "narrows/cli/interface_options.h"
#include "narrows/cost/profiles.h"
#include "narrows/graph/cuts.h"

namespace narrows {
namespace {

/// A reply with a handful of detections.
constexpr Bytes kAnswer(128);

constexpr std::array kLinks = {"ethernet", "wifi",     "ble5",      "ble4",
                               "lte-cat4", "lte-cat1", "ieee802154"};

}  // namespace

std::vector<Design> designs(const SweepDocument& document, const Graph& graph) {
  std::vector<Design> all;
  for (const ImageSweep& image : document.images) {
    Design design;
    design.cut = fmt::format("(all on server, {})", toString(image.interface.coding));
    design.mean_bytes = image.mean_bytes;
    design.accuracy = image.accuracy;
    // The file and the samples are there already; only JPEG is made.
    if (image.interface.coding == ImageCoding::jpeg) design.encode = image.encode_time;
    design.server = document.baseline.uncut_time;
    all.push_back(design);
  }
  for (const CutSweep& cut : document.cuts) {
    for (const SweepRow& row : cut.rows) {
      for (const CoderFigures& coder : row.coders) {
        all.push_back({cutName(graph, cut.cut), row.quantizer, coder.coder, true, coder.mean_bytes,
                       row.accuracy, cut.node_time, coder.encode_time, coder.decode_time,
                       cut.server_time});
      }
    }
  }
  Design on_node;
  on_node.cut = "(all on node)";
  on_node.accuracy = document.baseline.uncut;
  on_node.node = document.baseline.uncut_time;
  all.push_back(on_node);
  return all;
}

Seconds latency(const Design& design, const LinkModel& link, double node_slowdown) {
  const Seconds node = node_slowdown * (design.node + design.encode);
  if (design.mean_bytes <= 0) return node;
  return node + messageTime(link, Bytes(design.mean_bytes), LinkWay::up).arrival() + design.decode +
         design.server + messageTime(link, kAnswer, LinkWay::down).arrival();
}

Result<Table> bestDesigns(std::span<const Design> all, const SweepBaseline& baseline,
                          double max_drop, double node_slowdown) {
  Table table({{"link", "link"},
               {"cut", "best cut"},
               {"interface", "interface"},
               {"coder", "coder"},
               {"mean_bytes", "mean B", 0},
               {"node_ms", "node ms", 2},
               {"link_ms", "link ms", 2},
               {"server_ms", "server ms", 2},
               {"total_ms", "total ms", 2},
               {"drop_points", "drop", 2},
               {"speedup_vs_server", "vs all on server", 2},
               {"speedup_vs_node", "vs all on node", 2}});
  for (const char* name : kLinks) {
    NARROWS_TRY(link, findLinkModel(name));
    const auto time = [&](const Design& design) { return latency(design, link, node_slowdown); };
    const Design* best = nullptr;
    const Design* best_server = nullptr;
    for (const Design& design : all) {
      if (baseline.uncut.primary - design.accuracy.primary > max_drop) continue;
      if (best == nullptr || time(design) < time(*best)) best = &design;
      const bool on_server = !design.is_cut && design.mean_bytes > 0;
      if (on_server && (best_server == nullptr || time(design) < time(*best_server))) {
        best_server = &design;
      }
    }
    if (best == nullptr) continue;  // all() holds the node alone, which loses nothing
    const Seconds node = node_slowdown * (best->node + best->encode);
    const Seconds server = best->mean_bytes > 0 ? best->decode + best->server : Seconds();
    const Seconds total = time(*best);
    table.add({link.name, best->cut, best->is_cut ? toString(best->quantizer) : std::string("-"),
               best->is_cut ? coderName(best->coder) : std::string("-"), best->mean_bytes,
               toMilliseconds(node), toMilliseconds(total - node - server), toMilliseconds(server),
               toMilliseconds(total), baseline.uncut.primary - best->accuracy.primary,
               best_server != nullptr ? Cell(time(*best_server) / total) : Cell(),
               time(all.back()) / total});
  }
  return table;
}

}  // namespace narrows
