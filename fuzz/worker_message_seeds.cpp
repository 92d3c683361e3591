// Writes seeds of the fuzz target worker_message into the folder that is given.
#include <cstdio>
#include <filesystem>
#include <string>

#include "narrows/base/file.h"
#include "narrows/runtime/group/message_envelope.h"

namespace narrows {
namespace {

/// A message as the target takes it: kind, length of the fields, fields and bulk.
bool write(const std::filesystem::path& folder, const std::string& name, ByteSpan message) {
  ByteReader reader(message.subspan(16));
  const auto length = reader.read<std::uint32_t>("length");
  if (!length.ok()) return false;
  ByteWriter seed;
  seed.append(message.subspan(4, 1));
  seed.write(static_cast<std::uint16_t>(*length));
  seed.append(message.subspan(envelope::kHeaderBytes));
  return writeFileAtomically(folder / name, seed.view()).ok() &&
         writeFileAtomically(folder / (name + "-whole"), message).ok();
}

bool writeAll(const std::filesystem::path& folder) {
  ByteVector payload(40, std::byte{5});
  PrepareRequest prepare{3, "{\"format\": \"narrows-bundle\"}", {"plan.json", "pieces/a.onnx"}};
  PrepareReply lacks{{std::string(64, 'b')}};
  StoreRequest store{3, std::string(64, 'c'), 100, 10, payload};
  ActivateRequest activate{3, 1, "board1", "{}", {{0, "127.0.0.1:9001"}}, 2};
  RunRequest run;
  run.timeout = Seconds(2);
  run.size = ImageSize{8, 6};
  run.input = RunInput::tensors;
  run.payload = payload;
  RunReply reply;
  reply.error = "why";
  reply.end = RunEnd::peer_wrong;
  reply.blamed = 1;
  reply.sent = {{1, 2, 300, 400}};
  reply.prediction.detections = {{3, 0.5F, {0.1F, 0.2F, 0.3F, 0.4F}}};
  reply.prediction.classes = {{7, 0.25F}};
  reply.outputs = payload;
  RegionsRequest regions{3, 1, 2, 9, {{4, payload}, {5, payload}}};
  return write(folder, "ping", writeMessage(PingRequest{3})) &&
         write(folder, "pinged", writeMessage(PingReply{1, 2, 3, 4})) &&
         write(folder, "prepare", writeMessage(prepare)) &&
         write(folder, "lacks", writeMessage(lacks)) &&
         write(folder, "store", writeMessage(store)) &&
         write(folder, "activate", writeMessage(activate)) &&
         write(folder, "activated", writeMessage(ActivateReply{1, 2, 3})) &&
         write(folder, "run", writeMessage(run)) && write(folder, "ran", writeMessage(reply)) &&
         write(folder, "regions", writeMessage(regions));
}

}  // namespace
}  // namespace narrows

// NOLINTNEXTLINE(bugprone-exception-escape): whoever makes seeds may read what was thrown.
int main(int count, char** arguments) {
  if (count != 2 || !narrows::writeAll(arguments[1])) {
    std::fprintf(stderr, "expected a folder that can be written to\n");
    return 1;
  }
  return 0;
}
