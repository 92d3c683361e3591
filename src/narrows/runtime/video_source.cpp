extern "C" {
#include <libavcodec/avcodec.h>
#include <libavdevice/avdevice.h>
#include <libavformat/avformat.h>
#include <libavutil/imgutils.h>
#include <libswscale/swscale.h>
}

#include <algorithm>
#include <memory>
#include <vector>

#include "narrows/runtime/frame_source.h"

namespace narrows {
namespace {

/// A stream whose packets bring no picture for so long is not a video.
constexpr int kMaxEmptyPackets = 100'000;
constexpr std::size_t kRowAlignment = 64;
constexpr std::string_view kCameraPrefix = "/dev/video";

struct FormatDeleter {
  void operator()(AVFormatContext* format) const { avformat_close_input(&format); }
};
struct CodecDeleter {
  void operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
};
struct FrameDeleter {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
};
struct PacketDeleter {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};
struct ScalerDeleter {
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};

Error failure(const std::string& place, std::string_view what, int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof(text));
  return makeError("{}: {}: {}", place, what, text);
}

class VideoSource : public FrameSource {
 public:
  explicit VideoSource(std::string name)
      : name_(std::move(name)), frame_(av_frame_alloc()), packet_(av_packet_alloc()) {}

  Status open(const std::filesystem::path& path) {
    const std::string text = path.string();
    const AVInputFormat* camera = nullptr;
    if (text.starts_with(kCameraPrefix)) {
      avdevice_register_all();
      camera = av_find_input_format("v4l2");
      if (camera == nullptr) return makeError("{}: FFmpeg has no v4l2 here", text);
    }
    AVFormatContext* opened = nullptr;
    // The file protocol alone: a playlist must not make us fetch anything.
    AVDictionary* options = nullptr;
    av_dict_set(&options, "protocol_whitelist", "file", 0);
    const int code = avformat_open_input(&opened, text.c_str(), camera, &options);
    av_dict_free(&options);
    if (code < 0) return failure(text, "not a video that FFmpeg can open", code);
    format_.reset(opened);
    if (const int found = avformat_find_stream_info(opened, nullptr); found < 0) {
      return failure(text, "no streams", found);
    }
    const AVCodec* decoder = nullptr;
    stream_ = av_find_best_stream(opened, AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
    if (stream_ < 0) return failure(text, "no video stream", stream_);
    codec_.reset(avcodec_alloc_context3(decoder));
    if (codec_ == nullptr) return makeError("{}: no memory for the decoder", text);
    const AVCodecParameters* parameters = opened->streams[stream_]->codecpar;
    if (const int set = avcodec_parameters_to_context(codec_.get(), parameters); set < 0) {
      return failure(text, "decoder", set);
    }
    codec_->max_pixels = kMaxPixels;
    codec_->thread_count = 1;
    if (const int ready = avcodec_open2(codec_.get(), decoder, nullptr); ready < 0) {
      return failure(text, "decoder", ready);
    }
    return {};
  }

  Result<std::optional<SourceFrame>> next() override {
    for (int empty = 0; empty < kMaxEmptyPackets; ++empty) {
      const int received = avcodec_receive_frame(codec_.get(), frame_.get());
      if (received == 0) {
        const std::string place = fmt::format("{}#{}", name_, count_++);
        Result<Picture> picture = convert(place);
        return std::optional<SourceFrame>(SourceFrame{place, std::move(picture)});
      }
      if (received == AVERROR_EOF) return std::optional<SourceFrame>();
      if (received != AVERROR(EAGAIN)) return failure(name_, "decoding", received);
      NARROWS_CHECK(feed());
    }
    return makeError("{}: {} packets without a picture", name_, kMaxEmptyPackets);
  }

  std::optional<std::size_t> count() const override { return std::nullopt; }

 private:
  /// Gives the decoder its next packet, or the end.
  Status feed() {
    const int read = av_read_frame(format_.get(), packet_.get());
    if (read == AVERROR_EOF) {
      avcodec_send_packet(codec_.get(), nullptr);
      return {};
    }
    if (read < 0) return failure(name_, "reading", read);
    int sent = 0;
    if (packet_->stream_index == stream_) sent = avcodec_send_packet(codec_.get(), packet_.get());
    av_packet_unref(packet_.get());
    // A damaged packet costs its own picture only.
    if (sent < 0 && sent != AVERROR_INVALIDDATA) return failure(name_, "decoding", sent);
    return {};
  }

  Result<Picture> convert(const std::string& place) {
    const int width = frame_->width;
    const int height = frame_->height;
    if (width < 1 || height < 1 || std::int64_t{width} * height > kMaxPixels) {
      return makeError("{}: {}x{} pixels, at most {} are taken", place, width, height, kMaxPixels);
    }
    scaler_.reset(sws_getCachedContext(scaler_.release(), width, height,
                                       static_cast<AVPixelFormat>(frame_->format), width, height,
                                       AV_PIX_FMT_RGB24, SWS_BILINEAR, nullptr, nullptr, nullptr));
    if (scaler_ == nullptr) return makeError("{}: pixel format is not known", place);
    // swscale stores whole vectors, so rows are padded here and copied without the padding.
    const std::size_t row = static_cast<std::size_t>(width) * 3;
    const std::size_t stride = (row + 2 * kRowAlignment) / kRowAlignment * kRowAlignment;
    padded_.resize(stride * static_cast<std::size_t>(height) + kRowAlignment);
    std::uint8_t* const rows[] = {padded_.data()};
    const int strides[] = {static_cast<int>(stride)};
    sws_scale(scaler_.get(), frame_->data, frame_->linesize, 0, height, rows, strides);
    Image image = makeImage({width, height});
    for (std::size_t y = 0; y < static_cast<std::size_t>(height); ++y) {
      std::copy_n(padded_.data() + y * stride, row, image.rgb.data() + y * row);
    }
    return Picture::fromImage(std::move(image));
  }

  const std::string name_;
  std::unique_ptr<AVFormatContext, FormatDeleter> format_;
  std::unique_ptr<AVCodecContext, CodecDeleter> codec_;
  std::unique_ptr<AVFrame, FrameDeleter> frame_;
  std::unique_ptr<AVPacket, PacketDeleter> packet_;
  std::unique_ptr<SwsContext, ScalerDeleter> scaler_;
  std::vector<std::uint8_t> padded_;
  int stream_ = -1;
  std::uint64_t count_ = 0;
};

}  // namespace

Result<std::unique_ptr<FrameSource>> openVideo(const std::filesystem::path& path) {
  // Errors come back as values; FFmpeg's own lines on stderr would only repeat them.
  av_log_set_level(AV_LOG_QUIET);
  auto source = std::make_unique<VideoSource>(path.filename().string());
  NARROWS_CHECK(source->open(path));
  return std::unique_ptr<FrameSource>(std::move(source));
}

}  // namespace narrows
