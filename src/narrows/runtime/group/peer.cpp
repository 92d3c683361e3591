#include "narrows/runtime/group/peer.h"

#include <future>

namespace narrows {

CallStatus callAndWait(Peer& peer, WorkerCall call, ByteVector body, Seconds timeout,
                       ByteVector& answer) {
  std::promise<CallStatus> promise;
  std::future<CallStatus> status = promise.get_future();
  peer.call(call, std::move(body), timeout, [&](CallStatus ended, ByteVector bytes) {
    answer = std::move(bytes);
    promise.set_value(std::move(ended));
  });
  return status.get();
}

}  // namespace narrows
