#include "narrows/train/checkpoint.h"

#include <cstring>

#include "narrows/base/file.h"
#include "narrows/bundle/sha256.h"

namespace narrows {
namespace {

constexpr std::string_view kMagic = "NRWSTAT1";
constexpr std::size_t kDigest = 64;
constexpr std::size_t kMostBytes = std::size_t{8} << 30;

class Writer {
 public:
  template <class T>
  void number(T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      bytes.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i)));
    }
  }
  void text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    raw({reinterpret_cast<const std::byte*>(value.data()), value.size()});
  }
  void raw(ByteSpan value) { bytes.insert(bytes.end(), value.begin(), value.end()); }

  ByteVector bytes;
};

class Reader {
 public:
  explicit Reader(ByteSpan bytes) : bytes_(bytes) {}

  std::size_t offset() const { return offset_; }
  bool atEnd() const { return offset_ == bytes_.size(); }
  Result<ByteSpan> raw(std::size_t count) {
    if (count > bytes_.size() - offset_) {
      return makeError("offset {}: {} bytes expected, {} left", offset_, count,
                       bytes_.size() - offset_);
    }
    const ByteSpan part = bytes_.subspan(offset_, count);
    offset_ += count;
    return part;
  }
  template <class T>
  Result<T> number() {
    NARROWS_TRY(part, raw(sizeof(T)));
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      value |= std::to_integer<std::uint64_t>(part[i]) << (8 * i);
    }
    return static_cast<T>(value);
  }
  Result<std::string> text() {
    NARROWS_TRY(size, number<std::uint32_t>());
    NARROWS_TRY(part, raw(size));
    return std::string(reinterpret_cast<const char*>(part.data()), part.size());
  }

 private:
  ByteSpan bytes_;
  std::size_t offset_ = 0;
};

Result<NamedTensor> readTensor(Reader& reader) {
  NARROWS_TRY(name, reader.text());
  NARROWS_TRY(dtype, reader.number<std::uint8_t>());
  NARROWS_TRY(rank, reader.number<std::uint8_t>());
  if (dtype > static_cast<std::uint8_t>(DType::boolean)) {
    return makeError("offset {}: no dtype {}", reader.offset(), dtype);
  }
  if (rank > Shape::kMaxRank) return makeError("offset {}: rank {}", reader.offset(), rank);
  std::vector<std::int64_t> extents;
  for (int axis = 0; axis < rank; ++axis) {
    NARROWS_TRY(extent, reader.number<std::int64_t>());
    extents.push_back(extent);
  }
  NARROWS_TRY(shape, Shape::create(extents));
  const TensorType type{static_cast<DType>(dtype), shape};
  // Bounded by the bytes that are there, before anything is allocated.
  NARROWS_TRY(elements, reader.raw(type.bytes()));
  Tensor tensor(type);
  std::copy(elements.begin(), elements.end(), tensor.mutableView().bytes().begin());
  return NamedTensor{name, std::move(tensor)};
}

Result<Checkpoint> parse(ByteSpan bytes) {
  Reader head(bytes);
  NARROWS_TRY(magic, head.raw(kMagic.size()));
  if (std::memcmp(magic.data(), kMagic.data(), kMagic.size()) != 0) {
    return makeError("offset 0: expected {}", kMagic);
  }
  NARROWS_TRY(size, head.number<std::uint64_t>());
  const std::size_t start = head.offset();
  if (size > bytes.size() - start || bytes.size() - start - size != kDigest) {
    return makeError("offset {}: {} bytes announced, {} there", kMagic.size(), size,
                     bytes.size() - start);
  }
  const std::string digest = sha256(bytes.first(start + size));
  if (std::memcmp(bytes.data() + start + size, digest.data(), kDigest) != 0) {
    return makeError("the digest does not fit: the file is damaged");
  }
  Reader reader(bytes.subspan(start, size));
  Checkpoint checkpoint;
  NARROWS_TRY(text, reader.text());
  checkpoint.text = text;
  NARROWS_TRY(count, reader.number<std::uint32_t>());
  for (std::uint32_t i = 0; i < count; ++i) {
    NARROWS_TRY(tensor, readTensor(reader));
    checkpoint.tensors.push_back(std::move(tensor));
  }
  if (!reader.atEnd()) return makeError("offset {}: bytes behind the end", reader.offset());
  return checkpoint;
}

}  // namespace

Status writeCheckpoint(const Checkpoint& checkpoint, const std::filesystem::path& path) {
  Writer body;
  body.text(checkpoint.text);
  body.number(static_cast<std::uint32_t>(checkpoint.tensors.size()));
  for (const NamedTensor& entry : checkpoint.tensors) {
    body.text(entry.name);
    body.number(static_cast<std::uint8_t>(entry.tensor.dtype()));
    body.number(static_cast<std::uint8_t>(entry.tensor.shape().rank()));
    for (const std::int64_t extent : entry.tensor.shape().extents()) body.number(extent);
    body.raw(entry.tensor.view().bytes());
  }
  Writer file;
  file.raw({reinterpret_cast<const std::byte*>(kMagic.data()), kMagic.size()});
  file.number(static_cast<std::uint64_t>(body.bytes.size()));
  file.raw(body.bytes);
  const std::string digest = sha256(file.bytes);
  file.raw({reinterpret_cast<const std::byte*>(digest.data()), digest.size()});
  return writeFileAtomically(path, file.bytes);
}

Result<Checkpoint> readCheckpoint(const std::filesystem::path& path) {
  NARROWS_TRY(bytes, readFile(path, kMostBytes));
  return parse(bytes).within(path.string());
}

}  // namespace narrows
