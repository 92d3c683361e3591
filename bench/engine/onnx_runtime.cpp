#include "bench/engine/onnx_runtime.h"

#include <dlfcn.h>

#include <array>

namespace narrows::bench {
namespace {

// ONNX Runtime's C interface is a table of functions that only grows. These are the entries used
// here, by their places in the table (onnxruntime_c_api.h, struct OrtApi).
enum Entry : std::size_t {
  kGetErrorMessage = 2,
  kCreateEnv = 3,
  kCreateSessionFromArray = 8,
  kRun = 9,
  kCreateSessionOptions = 10,
  kSetSessionGraphOptimizationLevel = 23,
  kSetIntraOpNumThreads = 24,
  kSetInterOpNumThreads = 25,
  kCreateTensorWithDataAsOrtValue = 49,
  kGetTensorMutableData = 51,
  kGetTensorShapeElementCount = 64,
  kGetTensorTypeAndShape = 65,
  kCreateCpuMemoryInfo = 69,
  kReleaseEnv = 92,
  kReleaseStatus = 93,
  kReleaseMemoryInfo = 94,
  kReleaseSession = 95,
  kReleaseValue = 96,
  kReleaseTensorTypeAndShapeInfo = 99,
  kReleaseSessionOptions = 100,
  kEntries = 101,
};

struct OrtStatus;
struct OrtEnv;
struct OrtSession;
struct OrtSessionOptions;
struct OrtRunOptions;
struct OrtMemoryInfo;
struct OrtValue;
struct OrtTypeInfo;

using Function = void (*)();
using Table = std::array<Function, kEntries>;
struct OrtApiBase {
  const Table* (*get_api)(std::uint32_t version);
  const char* (*get_version)();
};
constexpr std::uint32_t kApiVersion = 13;

class Api {
 public:
  explicit Api(const Table& table) : table_(table) {}

  template <class... Parameters, class... Arguments>
  void release(Entry entry, Arguments... arguments) const {
    reinterpret_cast<void (*)(Parameters...)>(table_[entry])(arguments...);
  }
  /// Calls an entry that reports success by a null status.
  template <class... Parameters, class... Arguments>
  Status call(Entry entry, Arguments... arguments) const {
    OrtStatus* status =
        reinterpret_cast<OrtStatus* (*)(Parameters...)>(table_[entry])(arguments...);
    if (status == nullptr) return {};
    const auto message =
        reinterpret_cast<const char* (*)(const OrtStatus*)>(table_[kGetErrorMessage]);
    Error error = makeError("ONNX Runtime: {}", message(status));
    release<OrtStatus*>(kReleaseStatus, status);
    return error;
  }

 private:
  const Table& table_;
};

class OrtSessionAdapter final : public OnnxRuntime::Session {
 public:
  OrtSessionAdapter(const Api& api, std::vector<std::string> input_names,
                    std::vector<std::string> output_names)
      : api_(api), input_names_(std::move(input_names)), output_names_(std::move(output_names)) {
    for (const std::string& name : input_names_) input_pointers_.push_back(name.c_str());
    for (const std::string& name : output_names_) output_pointers_.push_back(name.c_str());
    outputs_.resize(output_names_.size(), nullptr);
  }
  OrtSessionAdapter(const OrtSessionAdapter&) = delete;
  OrtSessionAdapter& operator=(const OrtSessionAdapter&) = delete;
  ~OrtSessionAdapter() override {
    releaseOutputs();
    for (OrtValue* value : inputs_) api_.release<OrtValue*>(kReleaseValue, value);
    if (memory_ != nullptr) api_.release<OrtMemoryInfo*>(kReleaseMemoryInfo, memory_);
    if (session_ != nullptr) api_.release<OrtSession*>(kReleaseSession, session_);
  }

  Status open(OrtEnv* env, ByteSpan model, std::size_t threads,
              const std::vector<TensorView>& inputs) {
    OrtSessionOptions* options = nullptr;
    NARROWS_CHECK(api_.call<OrtSessionOptions**>(kCreateSessionOptions, &options));
    Status status = configure(options, threads);
    if (status.ok()) {
      status = api_.call<OrtEnv*, const std::byte*, std::size_t, OrtSessionOptions*, OrtSession**>(
          kCreateSessionFromArray, env, model.data(), model.size(), options, &session_);
    }
    api_.release<OrtSessionOptions*>(kReleaseSessionOptions, options);
    NARROWS_CHECK(std::move(status));
    return bind(inputs);
  }

  Status run() override {
    releaseOutputs();
    return api_.call<OrtSession*, const OrtRunOptions*, const char* const*, const OrtValue* const*,
                     std::size_t, const char* const*, std::size_t, OrtValue**>(
        kRun, session_, nullptr, input_pointers_.data(), inputs_.data(), inputs_.size(),
        output_pointers_.data(), output_pointers_.size(), outputs_.data());
  }

  Result<std::span<const float>> output(std::size_t index) override {
    float* data = nullptr;
    NARROWS_CHECK((api_.call<OrtValue*, float**>(kGetTensorMutableData, outputs_[index], &data)));
    OrtTypeInfo* info = nullptr;
    NARROWS_CHECK((
        api_.call<const OrtValue*, OrtTypeInfo**>(kGetTensorTypeAndShape, outputs_[index], &info)));
    std::size_t count = 0;
    Status status =
        api_.call<const OrtTypeInfo*, std::size_t*>(kGetTensorShapeElementCount, info, &count);
    api_.release<OrtTypeInfo*>(kReleaseTensorTypeAndShapeInfo, info);
    NARROWS_CHECK(std::move(status));
    return std::span<const float>(data, count);
  }

 private:
  Status configure(OrtSessionOptions* options, std::size_t threads) const {
    constexpr int kAllOptimizations = 99;
    NARROWS_CHECK((api_.call<OrtSessionOptions*, int>(kSetIntraOpNumThreads, options,
                                                      static_cast<int>(threads))));
    NARROWS_CHECK((api_.call<OrtSessionOptions*, int>(kSetInterOpNumThreads, options, 1)));
    return api_.call<OrtSessionOptions*, int>(kSetSessionGraphOptimizationLevel, options,
                                              kAllOptimizations);
  }

  Status bind(const std::vector<TensorView>& inputs) {
    constexpr int kArena = 1;
    constexpr int kDefaultMemory = 0;
    constexpr int kFloat = 1;
    NARROWS_CHECK((api_.call<int, int, OrtMemoryInfo**>(kCreateCpuMemoryInfo, kArena,
                                                        kDefaultMemory, &memory_)));
    for (const TensorView& input : inputs) {
      OrtValue* value = nullptr;
      const auto extents = input.shape().extents();
      NARROWS_CHECK((api_.call<const OrtMemoryInfo*, const std::byte*, std::size_t,
                               const std::int64_t*, std::size_t, int, OrtValue**>(
          kCreateTensorWithDataAsOrtValue, memory_, input.bytes().data(), input.bytes().size(),
          extents.data(), extents.size(), kFloat, &value)));
      inputs_.push_back(value);
    }
    return {};
  }

  void releaseOutputs() {
    for (OrtValue*& value : outputs_) {
      if (value != nullptr) api_.release<OrtValue*>(kReleaseValue, value);
      value = nullptr;
    }
  }

  const Api& api_;
  std::vector<std::string> input_names_;
  std::vector<std::string> output_names_;
  std::vector<const char*> input_pointers_;
  std::vector<const char*> output_pointers_;
  std::vector<OrtValue*> inputs_;
  std::vector<OrtValue*> outputs_;
  OrtMemoryInfo* memory_ = nullptr;
  OrtSession* session_ = nullptr;
};

class LoadedOnnxRuntime final : public OnnxRuntime {
 public:
  LoadedOnnxRuntime(const Table& table, std::string version)
      : api_(table), version_(std::move(version)) {}
  LoadedOnnxRuntime(const LoadedOnnxRuntime&) = delete;
  LoadedOnnxRuntime& operator=(const LoadedOnnxRuntime&) = delete;
  ~LoadedOnnxRuntime() override {
    if (env_ != nullptr) api_.release<OrtEnv*>(kReleaseEnv, env_);
  }

  Status start() {
    constexpr int kErrorsOnly = 3;
    return api_.call<int, const char*, OrtEnv**>(kCreateEnv, kErrorsOnly, "bench", &env_);
  }

  std::string version() const override { return version_; }

  Result<std::unique_ptr<Session>> open(ByteSpan model, std::size_t threads,
                                        std::vector<std::string> input_names,
                                        std::vector<TensorView> inputs,
                                        std::vector<std::string> output_names) override {
    auto session =
        std::make_unique<OrtSessionAdapter>(api_, std::move(input_names), std::move(output_names));
    NARROWS_CHECK(session->open(env_, model, threads, inputs));
    return std::unique_ptr<Session>(std::move(session));
  }

 private:
  Api api_;
  std::string version_;
  OrtEnv* env_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<OnnxRuntime>> OnnxRuntime::load(const std::filesystem::path& library) {
  auto* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return makeError("{}: {}", library.string(), dlerror());
  const auto get_base = reinterpret_cast<const OrtApiBase* (*)()>(dlsym(handle, "OrtGetApiBase"));
  if (get_base == nullptr) return makeError("{}: no OrtGetApiBase", library.string());
  const OrtApiBase* base = get_base();
  const Table* table = base->get_api(kApiVersion);
  if (table == nullptr) return makeError("{}: no API {}", library.string(), kApiVersion);
  auto loaded = std::make_unique<LoadedOnnxRuntime>(*table, base->get_version());
  NARROWS_CHECK(loaded->start());
  return std::unique_ptr<OnnxRuntime>(std::move(loaded));
}

}  // namespace narrows::bench
