// narrows-sequence: a network on a device that is too small for it. A program of its own, since the
// libraries of the others would take more memory than many a network.
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <vector>

#include "narrows/base/file.h"
#include "narrows/base/file_pages.h"
#include "narrows/cli/command.h"
#include "narrows/cli/record_writer.h"
#include "narrows/cli/sequence_options.h"
#include "narrows/cli/stop_signal.h"
#include "narrows/runtime/frame_source.h"

namespace narrows {
namespace {

/// A line of /proc/self/status (proc(5)) in bytes; 0 where there is none.
std::size_t statusBytes(std::string_view field) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(field) && line[field.size()] == ':') {
      return std::stoul(line.substr(field.size() + 1)) * 1024;
    }
  }
  return 0;
}

/// A mapping of a file as /proc/self/smaps tells it (proc(5)).
struct Mapping {
  ByteSpan bytes;
  std::string permissions;
  std::string path;
  /// No page of it is this process's own.
  bool clean = false;
};

std::vector<Mapping> mappings() {
  std::ifstream file("/proc/self/smaps");
  std::vector<Mapping> found;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string first;
    fields >> first;
    if (first == "Anonymous:" && !found.empty()) {
      std::size_t kilobytes = 0;
      fields >> kilobytes;
      found.back().clean = kilobytes == 0;
    }
    if (first.empty() || first.back() == ':') continue;
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::istringstream(first) >> std::hex >> begin >> dash >> end;
    Mapping mapping;
    mapping.bytes = {reinterpret_cast<const std::byte*>(begin), end - begin};
    std::string offset, device, inode;
    fields >> mapping.permissions >> offset >> device >> inode >> mapping.path;
    found.push_back(std::move(mapping));
  }
  return found;
}

/// Systems read megabytes around what a program touches of itself and its libraries. What has been
/// read leaves memory, and from here on only what is touched comes back.
void trimProgram() {
  std::set<std::string> files;
  for (const Mapping& mapping : mappings()) {
    if (!mapping.path.starts_with('/')) continue;
    readOnlyTouchedPages(mapping.bytes);
    // Pages that relocation has written to are this process's only copy.
    const bool read_only = mapping.permissions.find('w') == std::string::npos;
    if (read_only && mapping.clean) releasePages(mapping.bytes);
    files.insert(mapping.path);
  }
  for (const std::string& path : files) {
    const auto pages = FilePages::open(path);
    std::error_code code;
    const auto size = std::filesystem::file_size(path, code);
    if (pages.ok() && !code) pages->drop(0, size);
  }
}

struct Memory {
  std::size_t program = 0;   // resident before anything is run
  std::size_t tensors = 0;   // the pipeline's peak
  std::size_t resident = 0;  // the process's peak
  std::string piece;
  double seconds = 0;  // of the fastest picture
};

FrameRecord recordOf(const SequencePipeline& pipeline, Seconds time) {
  FrameRecord record;
  record.answered = AnsweredBy::node;
  record.node = record.total = time;
  record.prediction = pipeline.prediction();
  const Plan& plan = pipeline.bundle().plan();
  if (pipeline.bundle().description().head.kind == HeadKind::none) {
    for (std::size_t i = 0; i < plan.outputs.size(); ++i) {
      record.outputs.push_back(summarize(plan.outputs[i].name, pipeline.outputs()[i]));
    }
  }
  return record;
}

Status writeOutputs(const SequencePipeline& pipeline, const std::string& path) {
  ByteVector bytes;
  for (const Tensor& output : pipeline.outputs()) {
    const ByteSpan elements = output.view().bytes();
    bytes.insert(bytes.end(), elements.begin(), elements.end());
  }
  return writeFileAtomically(path, bytes);
}

Status writeMemory(const Memory& memory, const std::string& path) {
  nlohmann::ordered_json document;
  document["program_bytes"] = memory.program;
  document["tensors_and_programs_bytes"] = memory.tensors;
  document["largest_piece"] = memory.piece;
  document["peak_resident_bytes"] = memory.resident;
  document["fastest_s"] = memory.seconds;
  document["origin"] = "measured";
  return writeFileAtomically(path, asBytes(document.dump(1) + "\n"));
}

Result<std::unique_ptr<RecordWriter>> makeWriter(const SequenceCommand& command,
                                                 const SequencePipeline& pipeline) {
  RecordOutput output;
  output.json = command.json || ::isatty(STDOUT_FILENO) == 0;
  output.file = command.out;
  output.drawings = command.draw;
  output.labels = pipeline.bundle().description().labels;
  NARROWS_TRY(writer, RecordWriter::create(std::move(output)));
  return std::make_unique<RecordWriter>(std::move(writer));
}

Result<int> runPictures(SequenceCommand& command) {
  const StopSignal stop;
  command.sequence.window = command.window_mb << 20;
  command.sequence.stream = !command.keep_weights;
  NARROWS_TRY(source, openSource(command.input, {command.max_frames}));
  NARROWS_TRY(pipeline, SequencePipeline::open(command.bundle, command.sequence));
  NARROWS_TRY(writer, makeWriter(command, pipeline));
  Memory memory;
  memory.program = statusBytes("VmRSS");
  std::size_t frames = 0;
  std::size_t failed = 0;
  while (!stop.raised().load()) {
    NARROWS_TRY(next, source->next());
    if (!next) break;
    const auto began = std::chrono::steady_clock::now();
    Status status;
    Picture picture = Picture::fromFile({});
    if (next->picture.ok()) {
      picture = std::move(*next->picture);
      status = pipeline.run(picture);
    } else {
      status = next->picture.error();
    }
    const Seconds time(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    FrameRecord record = status.ok() ? recordOf(pipeline, time) : FrameRecord();
    if (!status.ok()) record.error = status.error().message;
    record.frame = frames++;
    record.input = next->name;
    failed += status.ok() ? 0 : 1;
    if (status.ok()) {
      memory.tensors = std::max(memory.tensors, pipeline.peak());
      memory.piece = pipeline.bundle().plan().pieces[pipeline.peakPiece()].name;
      memory.seconds = memory.seconds > 0 ? std::min(memory.seconds, time.value()) : time.value();
    }
    NARROWS_CHECK(writer->write(record, picture));
  }
  NARROWS_CHECK(writer->finish());
  memory.resident = statusBytes("VmHWM");
  if (!command.outputs.empty()) NARROWS_CHECK(writeOutputs(pipeline, command.outputs));
  if (!command.memory.empty()) NARROWS_CHECK(writeMemory(memory, command.memory));
  fmt::print(stderr,
             "{} frames, {} failed; the fastest took {:.3f} s; {:.1f} MB resident at most, of them "
             "{:.1f} MB for tensors and the running piece (\"{}\"), {:.1f} MB before it began "
             "(measured)\n",
             frames, failed, memory.seconds, static_cast<double>(memory.resident) / 1e6,
             static_cast<double>(memory.tensors) / 1e6, memory.piece,
             static_cast<double>(memory.program) / 1e6);
  return failed == 0 ? kExitOk : kExitFailure;
}

int runSequence(std::span<const std::string> arguments) {
  SequenceCommand command;
  const auto outcome = parseSequence(arguments, command);
  if (outcome != Arguments::Outcome::run) return Arguments::exitCode(outcome);
  const auto code = runPictures(command);
  return code.ok() ? *code : reportFailure("run", code.error());
}

}  // namespace
}  // namespace narrows

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  // Large blocks go back to the system when they are freed, and none is kept for later.
  ::mallopt(M_MMAP_THRESHOLD, 128 << 10);
  ::mallopt(M_TRIM_THRESHOLD, 128 << 10);
  ::mallopt(M_ARENA_MAX, 1);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  narrows::trimProgram();
  return narrows::runCommand({"run", "", narrows::runSequence}, arguments);
}
