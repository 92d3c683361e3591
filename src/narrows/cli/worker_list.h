#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/runtime/group/coordinator.h"

namespace narrows {

/// Which worker stands for which device: "camera=10.0.0.1:9001,board1=10.0.0.2:9001", or the path
/// of a file with one such entry a line, where "#" begins a comment.
Result<std::vector<GroupMember>> readWorkerList(const std::string& text_or_path);
Result<std::vector<GroupMember>> parseWorkerList(std::string_view text, std::string_view origin);

}  // namespace narrows
