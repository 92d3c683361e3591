#include <algorithm>
#include <map>

#include "narrows/vision/head.h"

namespace narrows {

std::vector<Detection> suppressNonMaxima(std::vector<Detection> candidates, double iou_threshold,
                                         std::size_t max_detections) {
  // A heap instead of a sort: with a low score threshold most candidates are never reached.
  std::vector<std::size_t> heap(candidates.size());
  for (std::size_t i = 0; i < heap.size(); ++i) heap[i] = i;
  const auto later = [&candidates](std::size_t a, std::size_t b) {
    const Detection& first = candidates[a];
    const Detection& second = candidates[b];
    if (first.score != second.score) return first.score < second.score;
    if (first.label != second.label) return first.label > second.label;
    return a > b;
  };
  std::make_heap(heap.begin(), heap.end(), later);

  std::vector<Detection> kept;
  std::map<int, std::vector<Box>> kept_of_class;
  while (!heap.empty() && kept.size() < max_detections) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const Detection& candidate = candidates[heap.back()];
    heap.pop_back();
    std::vector<Box>& rivals = kept_of_class[candidate.label];
    const bool covered = std::any_of(rivals.begin(), rivals.end(), [&](const Box& rival) {
      return intersectionOverUnion(rival, candidate.box) > iou_threshold;
    });
    if (covered) continue;
    rivals.push_back(candidate.box);
    kept.push_back(candidate);
  }
  return kept;
}

}  // namespace narrows
