#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <random>
#include <thread>

#include "inference.grpc.pb.h"
#include "narrows/base/file.h"
#include "narrows/runtime/edge_node.h"
#include "narrows/runtime/grpc_transport.h"
#include "narrows/runtime/runtime_case.h"
#include "narrows/runtime/server.h"
#include "narrows/vision/preprocess.h"

namespace narrows {
namespace {

using test::must;
using test::SmallHead;

ServerOptions referenceServer(std::uint16_t port = 0) {
  ServerOptions options;
  options.address = fmt::format("127.0.0.1:{}", port);
  options.service.pipeline = test::referencePipeline();
  return options;
}

GrpcTransportOptions transportTo(std::uint16_t port) {
  GrpcTransportOptions options;
  options.address = fmt::format("127.0.0.1:{}", port);
  return options;
}

std::unique_ptr<EdgeNode> nodeAt(const GrpcTransportOptions& transport, SystemClock& clock,
                                 std::shared_ptr<const Bundle> bundle,
                                 EdgeNodeOptions options = {}) {
  options.pipeline = test::referencePipeline();
  return must(
      EdgeNode::create(std::move(bundle), options, must(GrpcTransport::create(transport)), clock));
}

/// A connection to this machine without gRPC; closed with the object.
class Socket {
 public:
  explicit Socket(std::uint16_t port) : descriptor_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int connected =
        connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    EXPECT_EQ(connected, 0);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { close(descriptor_); }
  void send(std::string_view bytes) const {
    const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    static_cast<void>(sent);  // the server may have hung up already, which is its right
  }

 private:
  int descriptor_;
};

/// Accepts connections and says nothing.
class SilentListener {
 public:
  SilentListener() : descriptor_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(descriptor_, 8), 0);
    socklen_t length = sizeof(address);
    EXPECT_EQ(getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
  }
  SilentListener(const SilentListener&) = delete;
  SilentListener& operator=(const SilentListener&) = delete;
  ~SilentListener() { close(descriptor_); }
  std::uint16_t port() const { return port_; }

 private:
  int descriptor_;
  std::uint16_t port_ = 0;
};

void expectServes(std::uint16_t port, const std::shared_ptr<const Bundle>& bundle) {
  SystemClock clock;
  const auto node = nodeAt(transportTo(port), clock, bundle);
  test::SeededSource source(3);
  const test::NodeRun run = test::runNode(*node, source);
  test::expectAnsweredOnce(run, test::expectedPredictions(bundle, 3));
  EXPECT_EQ(run.summary.by_server, 3U);
}

TEST(Grpc, NodeAndServerEqualOneProcess) {
  for (const auto& bundle :
       {test::smallSplit(SmallHead::yolov2, true), test::smallSplit(SmallHead::classification),
        test::tiledBundle(), test::smallImageBundle(SmallHead::yolov2, {ImageCoding::jpeg, 80})}) {
    const auto server = must(Server::start(bundle, referenceServer()));
    SystemClock clock;
    const auto node = nodeAt(transportTo(server->port()), clock, bundle);
    test::SeededSource source(30);
    const test::NodeRun run = test::runNode(*node, source);
    test::expectAnsweredOnce(run, test::expectedPredictions(bundle, 30));
    EXPECT_EQ(run.summary.by_server, 30U);
    EXPECT_EQ(server->counters().answered, 30U);
    for (const FrameRecord& record : run.records) EXPECT_GT(record.server, Seconds(0));
  }
}

/// The server stops in mid-run and starts again on its port.
void restartInMidRun(bool carries_tail) {
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  auto server = must(Server::start(bundle, referenceServer()));
  const std::uint16_t port = server->port();
  SystemClock clock;
  EdgeNodeOptions options;
  options.server.deadline = milliseconds(400);
  const auto node = nodeAt(transportTo(port), clock,
                           carries_tail ? bundle : test::withoutDevice(*bundle, "server"), options);
  EXPECT_EQ(node->canFinish(), carries_tail);
  test::SeededSource source(120);
  std::thread reviver;
  std::uint64_t before = 0;
  source.before([&](std::size_t index) {
    if (index == 40) {
      server->stop();
      before = server->counters().answered;
      server.reset();
      reviver = std::thread([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(700));
        server = must(Server::start(bundle, referenceServer(port)));
      });
    }
    if (index > 40) std::this_thread::sleep_for(std::chrono::milliseconds(30));
  });
  const test::NodeRun run = test::runNode(*node, source);
  reviver.join();
  test::expectAnsweredOnce(run, test::expectedPredictions(bundle, 120));
  EXPECT_EQ(run.summary.failed, 0U);
  EXPECT_EQ(run.records.back().answered, AnsweredBy::server);
  EXPECT_GT(server->counters().answered, 0U);
  EXPECT_GE(before, 38U);
  if (carries_tail) {
    EXPECT_GT(run.summary.by_fallback, 0U);
  } else {
    EXPECT_EQ(run.summary.by_server, 120U);
  }
  ASSERT_GE(run.events.size(), 2U);
  EXPECT_EQ(run.events.front().kind, NodeEvent::Kind::server_lost);
  EXPECT_EQ(run.events.back().kind, NodeEvent::Kind::server_back);
}

TEST(Grpc, RestartInMidRunWithFallback) {
  restartInMidRun(true);
}
TEST(Grpc, RestartInMidRunWithoutTail) {
  restartInMidRun(false);
}

/// Workers share what a stream refers to, and a new server has nothing of it.
TEST(Grpc, StreamGoesOnWithAServerThatStartsAgain) {
  const auto bundle = test::streamBundle(1000, CoderKind::context);
  ServerOptions server_options = referenceServer();
  server_options.service.workers = 2;
  auto server = must(Server::start(bundle, server_options));
  const std::uint16_t port = server->port();
  SystemClock clock;
  EdgeNodeOptions options;
  options.fallback = false;
  const auto node = nodeAt(transportTo(port), clock, bundle, options);
  test::SeededSource source(80, 0, 20);
  source.before([&](std::size_t index) {
    if (index != 50) return;
    server.reset();
    server_options.address = fmt::format("127.0.0.1:{}", port);
    server = must(Server::start(bundle, server_options));
  });
  const test::NodeRun run = test::runNode(*node, source);
  test::expectAnsweredOnce(run, test::expectedPredictions(bundle, 80, 0, 20));
  EXPECT_EQ(run.summary.by_server, 80U);
  std::size_t still = 0;
  for (const FrameRecord& record : run.records) {
    still += record.frame_bytes == test::kStillFrame ? 1 : 0;
  }
  EXPECT_GT(still, 50U);
}

/// More nodes than the queue has room for: some are told to wait, none loses a frame.
TEST(Grpc, EightNodesAtOnceLoseNothing) {
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  ServerOptions options = referenceServer();
  options.service.max_in_flight = 4;
  options.service.workers = 2;
  const auto server = must(Server::start(bundle, options));
  constexpr std::size_t kNodes = 8;
  constexpr std::size_t kFrames = 40;
  std::vector<test::NodeRun> runs(kNodes);
  std::vector<std::thread> nodes;
  for (std::size_t i = 0; i < kNodes; ++i) {
    nodes.emplace_back([&, i] {
      SystemClock clock;
      EdgeNodeOptions node_options;
      node_options.server.deadline = Seconds(20);
      node_options.server.seed = i;
      node_options.fallback = false;
      const auto node = nodeAt(transportTo(server->port()), clock, bundle, node_options);
      test::SeededSource source(kFrames, 100 * i);
      runs[i] = test::runNode(*node, source);
    });
  }
  for (std::thread& node : nodes) node.join();
  for (std::size_t i = 0; i < kNodes; ++i) {
    SCOPED_TRACE(i);
    test::expectAnsweredOnce(runs[i], test::expectedPredictions(bundle, kFrames, 100 * i));
    EXPECT_EQ(runs[i].summary.by_server, kFrames);
  }
  EXPECT_EQ(server->counters().answered, kNodes * kFrames);
}

TEST(Grpc, GarbageLeavesTheServerServing) {
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  const auto server = must(Server::start(bundle, referenceServer()));
  constexpr unsigned kSeed = 3;
  std::mt19937 random(kSeed);
  constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  // An empty SETTINGS frame, then the start of a HEADERS frame that never ends.
  const std::string half = std::string(kPreface) + std::string("\0\0\0\4\0\0\0\0\0", 9) +
                           std::string("\0\1\0\1\4\0\0\0\1", 9);
  std::vector<std::unique_ptr<Socket>> open;
  for (int round = 0; round < 20; ++round) {
    std::string noise(1 + random() % 5000, '\0');
    for (char& byte : noise) byte = static_cast<char>(random());
    Socket(server->port()).send(noise);
    Socket(server->port()).send(std::string(kPreface) + noise);
    Socket(server->port()).send("GET / HTTP/1.1\r\n\r\n");
    // These stay open in mid-request.
    open.push_back(std::make_unique<Socket>(server->port()));
    open.back()->send(half.substr(0, 1 + random() % half.size()));
  }
  expectServes(server->port(), bundle);

  // Well-formed calls with contents that are not.
  const auto transport = must(GrpcTransport::create(transportTo(server->port())));
  ByteVector reply;
  for (int round = 0; round < 200; ++round) {
    ByteVector noise(random() % 3000);
    for (std::byte& byte : noise) byte = static_cast<std::byte>(random());
    EXPECT_EQ(transport->infer(noise, Seconds(5), reply).code, CallCode::invalid_argument)
        << "seed " << kSeed << " round " << round;
  }
  for (const std::size_t size : {std::size_t{1} << 20, std::size_t{50} << 20}) {
    const CallStatus status = transport->infer(ByteVector(size), Seconds(5), reply);
    EXPECT_EQ(status.code, CallCode::resource_exhausted) << toString(status);
  }
  expectServes(server->port(), bundle);
}

/// A peer that takes connections and never answers: the node says so within its deadline.
TEST(Grpc, SilentServerIsReportedWithinTheDeadline) {
  const SilentListener listener;
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  SystemClock clock;
  EdgeNodeOptions options;
  options.server.deadline = milliseconds(300);
  const auto node = nodeAt(transportTo(listener.port()), clock, bundle, options);
  test::SeededSource source(5);
  const test::NodeRun run = test::runNode(*node, source);
  test::expectAnsweredOnce(run, test::expectedPredictions(bundle, 5));
  EXPECT_EQ(run.summary.by_fallback, 5U);
  ASSERT_EQ(run.events.size(), 1U);
  EXPECT_EQ(run.events[0].kind, NodeEvent::Kind::server_lost);
  EXPECT_GT(run.records[0].total, milliseconds(100));
  EXPECT_LT(run.records[0].total, milliseconds(2000));
}

/// A peer that takes long over the handshake, as over TLS and a slow link, is waited for as long as
/// the call may take, not given up and tried anew.
TEST(Grpc, SlowHandshakeHasTheTimeOfTheCall) {
  const SilentListener listener;
  const auto transport = must(GrpcTransport::create(transportTo(listener.port())));
  ByteVector reply;
  const CallStatus status = transport->infer(writeRequest({}), milliseconds(1500), reply);
  EXPECT_EQ(status.code, CallCode::deadline_exceeded) << toString(status);
}

/// A client that knows the protocol and nothing of narrows.
TEST(Grpc, PlainClientOfTheProtocol) {
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  const auto server = must(Server::start(bundle, referenceServer()));
  const auto channel = grpc::CreateChannel(fmt::format("127.0.0.1:{}", server->port()),
                                           grpc::InsecureChannelCredentials());
  const auto stub = inference::GRPCInferenceService::NewStub(channel);
  const auto context = [] {
    auto made = std::make_unique<grpc::ClientContext>();
    made->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    return made;
  };
  inference::ServerLiveResponse live;
  ASSERT_TRUE(stub->ServerLive(context().get(), {}, &live).ok());
  EXPECT_TRUE(live.live());
  inference::ServerReadyResponse ready;
  ASSERT_TRUE(stub->ServerReady(context().get(), {}, &ready).ok());
  EXPECT_TRUE(ready.ready());
  inference::ModelReadyRequest which;
  which.set_name("small");
  inference::ModelReadyResponse model_ready;
  ASSERT_TRUE(stub->ModelReady(context().get(), which, &model_ready).ok());
  EXPECT_TRUE(model_ready.ready());
  which.set_name("other");
  EXPECT_EQ(stub->ModelReady(context().get(), which, &model_ready).error_code(), grpc::NOT_FOUND);
  inference::ServerMetadataResponse about;
  ASSERT_TRUE(stub->ServerMetadata(context().get(), {}, &about).ok());
  EXPECT_EQ(about.name(), "narrows");
  inference::ModelMetadataRequest model;
  model.set_name("small");
  inference::ModelMetadataResponse metadata;
  ASSERT_TRUE(stub->ModelMetadata(context().get(), model, &metadata).ok());
  ASSERT_EQ(metadata.inputs_size(), 2);
  EXPECT_EQ(metadata.inputs(1).name(), "image");
  EXPECT_EQ(metadata.inputs(1).shape(2), 16);

  const Image image = test::smallPicture(5);
  const Tensor input = must(preprocess(image, bundle->description.preprocessing));
  inference::ModelInferRequest request;
  request.set_model_name("small");
  request.set_id("my request");
  auto& tensor = *request.add_inputs();
  tensor.set_name("image");
  tensor.set_datatype("FP32");
  for (const std::int64_t extent : input.shape().extents()) tensor.add_shape(extent);
  request.add_raw_input_contents(std::string(asText(input.view().bytes())));
  (*request.mutable_parameters())["picture_width"].set_int64_param(image.width);
  (*request.mutable_parameters())["picture_height"].set_int64_param(image.height);
  inference::ModelInferResponse response;
  const grpc::Status status = stub->ModelInfer(context().get(), request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.id(), "my request");
  const Prediction expected = test::expectedPredictions(bundle, 1, 5)[0];
  ASSERT_EQ(response.outputs_size(), 3);
  EXPECT_EQ(response.outputs(0).name(), "boxes");
  ASSERT_EQ(response.outputs(1).shape(0), static_cast<std::int64_t>(expected.detections.size()));
  std::vector<float> scores(expected.detections.size());
  std::memcpy(scores.data(), response.raw_output_contents(1).data(), scores.size() * sizeof(float));
  for (std::size_t i = 0; i < scores.size(); ++i) {
    EXPECT_EQ(scores[i], expected.detections[i].score);
  }

  // The same over one stream, with a bad request between good ones.
  const auto stream_context = context();
  const auto stream = stub->ModelStreamInfer(stream_context.get());
  for (const char* id : {"a", "bad", "b"}) {
    request.set_id(id);
    request.set_model_name(std::string(id) == "bad" ? "other" : "small");
    ASSERT_TRUE(stream->Write(request));
    inference::ModelStreamInferResponse answer;
    ASSERT_TRUE(stream->Read(&answer));
    EXPECT_EQ(answer.error_message().empty(), std::string(id) != "bad") << answer.error_message();
    EXPECT_EQ(answer.infer_response().id(), id);
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(Grpc, CallsWithoutTimeLeftAreNotMade) {
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  const auto server = must(Server::start(bundle, referenceServer()));
  const auto transport = must(GrpcTransport::create(transportTo(server->port())));
  ByteVector reply;
  EXPECT_TRUE(transport->ready(Seconds(5)).ok());
  const CallStatus status = transport->infer(writeRequest({}), Seconds(-1), reply);
  EXPECT_EQ(status.code, CallCode::deadline_exceeded);
  EXPECT_EQ(server->counters().answered, 0U);
}

TEST(Grpc, StopEndsIdleStreamsAndRefusesTheirPort) {
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  const auto server = must(Server::start(bundle, referenceServer()));
  EXPECT_FALSE(Server::start(bundle, referenceServer(server->port())).ok()) << "port is taken";
  const auto stub = inference::GRPCInferenceService::NewStub(grpc::CreateChannel(
      fmt::format("127.0.0.1:{}", server->port()), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  const auto stream = stub->ModelStreamInfer(&context);
  ASSERT_TRUE(stream->Write(inference::ModelInferRequest()));
  inference::ModelStreamInferResponse answer;
  ASSERT_TRUE(stream->Read(&answer));
  const auto begin = std::chrono::steady_clock::now();
  server->stop(milliseconds(200));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_FALSE(stream->Read(&answer));
  const auto transport = must(GrpcTransport::create(transportTo(server->port())));
  EXPECT_FALSE(transport->ready(milliseconds(300)).ok());
}

TEST(Grpc, PlainTextStaysOnThisMachineUnlessAskedFor) {
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  ServerOptions server = referenceServer();
  server.address = "0.0.0.0:0";
  EXPECT_FALSE(Server::start(bundle, server).ok());
  server.plain_text = true;
  EXPECT_TRUE(Server::start(bundle, server).ok());
  GrpcTransportOptions transport;
  transport.address = "192.0.2.1:8001";
  EXPECT_FALSE(GrpcTransport::create(transport).ok());
  transport.plain_text = true;
  EXPECT_TRUE(GrpcTransport::create(transport).ok());
}

/// Two authorities, a server and a client below the first, a stranger below the second; made by the
/// openssl program.
class TlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("openssl version > /dev/null 2>&1") != 0) {
      GTEST_SKIP() << "there is no openssl program to make certificates with";
    }
    for (const char* authority : {"ca", "other"}) {
      run(
          fmt::format("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
                      "-subj /CN={0} -keyout {0}.key -out {0}.pem",
                      authority));
    }
    issue("server", "ca");
    issue("client", "ca");
    issue("stranger", "other");
  }

  std::filesystem::path file(const std::string& name) const { return folder_.path() / name; }

  ServerOptions tlsServer() const {
    ServerOptions options = referenceServer();
    options.tls.certificate = file("server.pem");
    options.tls.key = file("server.key");
    return options;
  }
  GrpcTransportOptions tlsTransport(std::uint16_t port) const {
    GrpcTransportOptions options = transportTo(port);
    options.tls.authority = file("ca.pem");
    options.server_name = "localhost";
    return options;
  }

  static CallCode callCode(const GrpcTransportOptions& options) {
    const auto transport = must(GrpcTransport::create(options));
    InferRequest request;
    request.model = "other";
    ByteVector reply;
    return transport->infer(writeRequest(request), Seconds(5), reply).code;
  }
  /// The server got the request and looked at it.
  static constexpr CallCode kAdmitted = CallCode::not_found;

 private:
  void run(const std::string& arguments) const {
    const std::string command =
        fmt::format("cd {} && openssl {} > log 2>&1", folder_.path().string(), arguments);
    ASSERT_EQ(std::system(command.c_str()), 0) << arguments;
  }
  void issue(const std::string& name, const std::string& authority) const {
    run(
        fmt::format("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={0} "
                    "-addext subjectAltName=DNS:localhost -keyout {0}.key -out {0}.csr",
                    name));
    run(
        fmt::format("x509 -req -in {0}.csr -CA {1}.pem -CAkey {1}.key -CAcreateserial -days 2 "
                    "-copy_extensions copy -out {0}.pem",
                    name, authority));
  }

  TemporaryDirectory folder_ = must(TemporaryDirectory::create());
};

TEST_F(TlsTest, ServerIsProvenToTheNode) {
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  const auto server = must(Server::start(bundle, tlsServer()));
  SystemClock clock;
  const auto node = nodeAt(tlsTransport(server->port()), clock, bundle);
  test::SeededSource source(3);
  const test::NodeRun run = test::runNode(*node, source);
  test::expectAnsweredOnce(run, test::expectedPredictions(bundle, 3));
  EXPECT_EQ(run.summary.by_server, 3U);

  EXPECT_EQ(callCode(tlsTransport(server->port())), kAdmitted);
  EXPECT_EQ(callCode(transportTo(server->port())), CallCode::unavailable) << "plain text";
  GrpcTransportOptions wrong = tlsTransport(server->port());
  wrong.tls.authority = file("other.pem");
  EXPECT_EQ(callCode(wrong), CallCode::unavailable) << "another authority";
  GrpcTransportOptions other_name = tlsTransport(server->port());
  other_name.server_name = "elsewhere";
  EXPECT_EQ(callCode(other_name), CallCode::unavailable) << "another name";
}

TEST_F(TlsTest, NodeIsProvenToTheServer) {
  ServerOptions options = tlsServer();
  options.tls.authority = file("ca.pem");
  const auto server = must(Server::start(test::smallSplit(SmallHead::yolov2), options));
  GrpcTransportOptions client = tlsTransport(server->port());
  EXPECT_EQ(callCode(client), CallCode::unavailable) << "without a certificate";
  client.tls.certificate = file("stranger.pem");
  client.tls.key = file("stranger.key");
  EXPECT_EQ(callCode(client), CallCode::unavailable) << "another authority's certificate";
  client.tls.certificate = file("client.pem");
  client.tls.key = file("client.key");
  EXPECT_EQ(callCode(client), kAdmitted);
}

TEST_F(TlsTest, WrongFilesDoNotServe) {
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  ServerOptions options = tlsServer();
  options.tls.key = file("client.key");
  EXPECT_FALSE(Server::start(bundle, options).ok()) << "key of another certificate";
  options = referenceServer();
  options.tls.authority = file("ca.pem");
  EXPECT_FALSE(Server::start(bundle, options).ok()) << "authority alone";
  GrpcTransportOptions client = transportTo(1);
  client.tls.certificate = file("client.pem");
  client.tls.key = file("client.key");
  EXPECT_FALSE(GrpcTransport::create(client).ok()) << "no authority for the server";
}

TEST_F(TlsTest, TokensAreAsked) {
  ServerOptions options = tlsServer();
  options.tokens =
      must(TokenList::parse("a-long-enough-token-1\na-long-enough-token-2\n", "tokens"));
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  const auto server = must(Server::start(bundle, options));
  GrpcTransportOptions client = tlsTransport(server->port());
  EXPECT_EQ(callCode(client), CallCode::unauthenticated);
  client.token = "a-long-enough-token-3";
  EXPECT_EQ(callCode(client), CallCode::unauthenticated);
  client.token = "a-long-enough-token-2";
  EXPECT_EQ(callCode(client), kAdmitted);
  // Health needs no token: load balancers ask for it.
  client.token.clear();
  EXPECT_TRUE(must(GrpcTransport::create(client))->ready(Seconds(5)).ok());

  // A node without a token finishes here and says why.
  SystemClock clock;
  const auto node = nodeAt(client, clock, bundle);
  test::SeededSource source(2);
  const test::NodeRun run = test::runNode(*node, source);
  EXPECT_EQ(run.summary.by_fallback, 2U);
  ASSERT_EQ(run.events.size(), 1U);
  EXPECT_EQ(run.events[0].kind, NodeEvent::Kind::refused);
  EXPECT_NE(run.events[0].message.find("unauthenticated"), std::string::npos);
}

}  // namespace
}  // namespace narrows
