#include "narrows/runtime/group/grpc_peer.h"

#include <gtest/gtest.h>

#include <future>

namespace narrows {
namespace {

/// gRPC lets go of a call after it has told its end; a peer that ends in between must not leave the
/// channel to gRPC's own thread.
TEST(GrpcPeer, EndsAsSoonAsItsLastCallHasBeenTold) {
  GrpcPeerConnector connector{GrpcPeerOptions()};
  for (int i = 0; i < 400; ++i) {
    auto peer = connector.connect("127.0.0.1:1");
    ASSERT_TRUE(peer.ok()) << peer.error().message;
    std::promise<CallCode> told;
    (*peer)->call(
        WorkerCall::ping, {}, Seconds(10),
        [&](const CallStatus& status, const ByteVector&) { told.set_value(status.code); });
    EXPECT_NE(told.get_future().get(), CallCode::ok);
    peer->reset();
  }
}

}  // namespace
}  // namespace narrows
