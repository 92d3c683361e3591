#include "narrows/torch/box_overlap.h"

#include <numbers>

namespace narrows::torched {

at::Tensor ciouLoss(const std::array<at::Tensor, 4>& p, const std::array<at::Tensor, 4>& t) {
  const at::Tensor px1 = p[0] - p[2] / 2, px2 = p[0] + p[2] / 2;
  const at::Tensor py1 = p[1] - p[3] / 2, py2 = p[1] + p[3] / 2;
  const at::Tensor tx1 = t[0] - t[2] / 2, tx2 = t[0] + t[2] / 2;
  const at::Tensor ty1 = t[1] - t[3] / 2, ty2 = t[1] + t[3] / 2;
  const at::Tensor w = (at::minimum(px2, tx2) - at::maximum(px1, tx1)).clamp_min(0);
  const at::Tensor h = (at::minimum(py2, ty2) - at::maximum(py1, ty1)).clamp_min(0);
  const at::Tensor both = w * h;
  const at::Tensor iou = both / (p[2] * p[3] + t[2] * t[3] - both + 1e-9);
  const at::Tensor cw = at::maximum(px2, tx2) - at::minimum(px1, tx1);
  const at::Tensor ch = at::maximum(py2, ty2) - at::minimum(py1, ty1);
  const at::Tensor dx = p[0] - t[0];
  const at::Tensor dy = p[1] - t[1];
  const at::Tensor distance = (dx * dx + dy * dy) / (cw * cw + ch * ch + 1e-9);
  const at::Tensor angle = at::atan(t[2] / t[3]) - at::atan(p[2] / p[3]);
  const at::Tensor v = angle * angle * (4 / (std::numbers::pi * std::numbers::pi));
  const at::Tensor alpha = v / (1 - iou + v + 1e-9);
  return 1 - iou + distance + alpha * v;
}

}  // namespace narrows::torched
