#pragma once

#include <functional>
#include <memory>
#include <string>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/runtime/group/worker_message.h"
#include "narrows/runtime/message.h"

namespace narrows {

/// Called once, from any thread, with the answer or why there is none.
using CallDone = std::function<void(CallStatus status, ByteVector answer)>;

/// A worker as others reach it. Safe for several threads.
class Peer {
 public:
  /// Ends the calls that are open and waits until their `done` has returned. Not from a `done`.
  virtual ~Peer() = default;
  /// Sends `body` as one message. `done` may be called before this returns.
  virtual void call(WorkerCall call, ByteVector body, Seconds timeout, CallDone done) = 0;
  /// Ends the calls that are open; later ones are made as ever.
  virtual void cancelAll() = 0;
};

/// Makes peers of addresses.
class PeerConnector {
 public:
  virtual ~PeerConnector() = default;
  /// Does not talk to the worker yet; fails on what is no address, and where security asks for
  /// more than there is.
  virtual Result<std::unique_ptr<Peer>> connect(const std::string& address) = 0;
};

/// `Peer::call` that waits for the answer.
CallStatus callAndWait(Peer& peer, WorkerCall call, ByteVector body, Seconds timeout,
                       ByteVector& answer);

/// The answer as a message; an error that names the call when there is none.
template <class Reply>
Result<Reply> ask(Peer& peer, WorkerCall call, ByteVector body, Seconds timeout,
                  ByteVector& answer) {
  const CallStatus status = callAndWait(peer, call, std::move(body), timeout, answer);
  if (!status.ok()) return makeError("{}: {}", methodOf(call), toString(status));
  return readMessage<Reply>(answer).within(methodOf(call));
}

}  // namespace narrows
