#pragma once

#include <string>
#include <string_view>

#include "narrows/base/result.h"
#include "narrows/plan/plan.h"

/// The text form of a plan, `plan.json`:
///
///   {"format": "narrows-plan", "version": 1,
///    "devices": [{"name": "node"}, {"name": "server"}],
///    "source_device": "node", "sink_device": "server",
///    "inputs": [{"name": "images", "dtype": "f32", "shape": [1, 3, 416, 416]}],
///    "outputs": [...],
///    "pieces": [{"name": "node", "device": "node", "inputs": [PORT...], "outputs": [PORT...]}],
///    "interfaces": [
///      {"kind": "feature", "dtype": "f32", "shape": [1, 16, 104, 104],
///       "quantizer": {"kind": "uniform", "bits": 4, "granularity": "tensor",
///                     "low": [-0.5], "step": [0.25]},
///       "coder": {"kind": "zstd", "level": -1}},
///      {"kind": "image", "coding": "jpeg", "quality": 90}],
///    "transfers": [
///      {"source": {"piece": "node", "port": "conv3"}, "from": [[0, 1], [0, 16], ...],
///       "destination": {"port": "output"}, "to": [...], "mode": "copy", "interface": 0}]}
///
/// The coder `context` may have "tables", its serialized tables in hexadecimal.
/// An end without "piece" is the model's; "interface" is left out where there is none; "mode" is
/// "copy" or "add".
namespace narrows {

std::string formatPlan(const Plan& plan);

/// Reads and checks a plan. Unknown keys are errors; errors read
/// "plan.json: transfers[3].to: expected ...". `origin` names the file.
Result<Plan> parsePlan(std::string_view text, std::string_view origin = "plan.json");

}  // namespace narrows
