#include "narrows/bundle/archive.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace narrows {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kLongestName = 100;
constexpr std::size_t kMostMembers = 65536;
constexpr std::uint64_t kLargestMember = 077777777777;  // 11 octal digits

/// Fields of a header: offset and width.
struct Field {
  std::size_t offset;
  std::size_t width;
};
constexpr Field kName{0, 100};
constexpr Field kMode{100, 8};
constexpr Field kUser{108, 8};
constexpr Field kGroup{116, 8};
constexpr Field kSize{124, 12};
constexpr Field kTime{136, 12};
constexpr Field kChecksum{148, 8};
constexpr Field kKind{156, 1};
constexpr Field kMagic{257, 8};
constexpr Field kPrefix{345, 155};
constexpr std::string_view kMagicText("ustar\00000", 8);

using Block = std::array<char, kBlock>;

std::size_t padding(std::uint64_t size) {
  return static_cast<std::size_t>((kBlock - size % kBlock) % kBlock);
}

void putOctal(Block& block, Field field, std::uint64_t value) {
  const std::string digits = fmt::format("{:0{}o}", value, field.width - 1);
  NARROWS_ASSERT(digits.size() == field.width - 1);
  std::copy(digits.begin(), digits.end(),
            block.begin() + static_cast<std::ptrdiff_t>(field.offset));
}

/// Sum of all bytes with the checksum field taken as spaces.
std::uint64_t checksumOf(std::string_view block) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool inside = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.width;
    sum += inside ? ' ' : static_cast<unsigned char>(block[i]);
  }
  return sum;
}

Block headerOf(std::string_view name, std::uint64_t size) {
  Block block{};
  std::copy(name.begin(), name.end(), block.begin());
  putOctal(block, kMode, 0644);
  putOctal(block, kUser, 0);
  putOctal(block, kGroup, 0);
  putOctal(block, kSize, size);
  putOctal(block, kTime, 0);
  block[kKind.offset] = '0';
  std::copy(kMagicText.begin(), kMagicText.end(), block.begin() + kMagic.offset);
  // Six digits, NUL, space.
  const std::string sum = fmt::format("{:06o}", checksumOf({block.data(), block.size()}));
  std::copy(sum.begin(), sum.end(), block.begin() + kChecksum.offset);
  block[kChecksum.offset + 7] = ' ';
  return block;
}

/// A file that is written in sequence.
class Output {
 public:
  static Result<Output> create(const std::filesystem::path& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) {
      return makeError("{}: cannot create: {}", path.string(),
                       std::system_category().message(errno));
    }
    return Output(path, fd);
  }
  Output(Output&& other) noexcept : path_(std::move(other.path_)), fd_(other.fd_) {
    other.fd_ = -1;
  }
  Output& operator=(Output&&) = delete;
  ~Output() {
    if (fd_ >= 0) ::close(fd_);
  }

  Status write(ByteSpan bytes) {
    while (!bytes.empty()) {
      const ssize_t done = ::write(fd_, bytes.data(), bytes.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) return failed("write");
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
    return {};
  }
  Status sync() { return ::fsync(fd_) == 0 ? Status() : failed("sync"); }

 private:
  Output(std::filesystem::path path, int fd) : path_(std::move(path)), fd_(fd) {}
  Error failed(std::string_view doing) const {
    return makeError("{}: cannot {}: {}", path_.string(), doing,
                     std::system_category().message(errno));
  }
  std::filesystem::path path_;
  int fd_;
};

/// Digits up to a NUL or space, nothing but these behind them.
Result<std::uint64_t> readOctal(std::string_view block, Field field, std::string_view what) {
  const std::string_view text = block.substr(field.offset, field.width);
  std::uint64_t value = 0;
  std::size_t i = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '7'; ++i) {
    value = value * 8 + static_cast<std::uint64_t>(text[i] - '0');
  }
  const bool ended = std::all_of(text.begin() + static_cast<std::ptrdiff_t>(i), text.end(),
                                 [](char c) { return c == '\0' || c == ' '; });
  if (i == 0 || !ended) return makeError("{} is no octal number", what);
  return value;
}

/// Text up to a NUL, nothing but NULs behind it.
Result<std::string> readText(std::string_view block, Field field, std::string_view what) {
  const std::string_view text = block.substr(field.offset, field.width);
  const std::string_view name = text.substr(0, text.find('\0'));
  if (text.find_first_not_of('\0', name.size()) != std::string_view::npos) {
    return makeError("{} goes on behind its end", what);
  }
  return std::string(name);
}

struct Header {
  std::string name;
  std::uint64_t size = 0;
};

Result<Header> readHeader(std::string_view block) {
  if (block.substr(kMagic.offset, kMagic.width) != kMagicText) {
    return makeError("not a ustar header");
  }
  NARROWS_TRY(checksum, readOctal(block, kChecksum, "the checksum"));
  if (checksum != checksumOf(block)) return makeError("the header's checksum is wrong");
  NARROWS_TRY(name, readText(block, kName, "the name"));
  NARROWS_TRY(prefix, readText(block, kPrefix, "the name's prefix"));
  if (!prefix.empty()) name = prefix + "/" + name;
  NARROWS_CHECK(checkMemberName(name));
  if (block[kKind.offset] != '0') {
    return makeError(
        "\"{}\" is an entry of kind '{}'; only files are allowed", name,
        block[kKind.offset] >= ' ' && block[kKind.offset] < 127 ? block[kKind.offset] : '?');
  }
  NARROWS_TRY(size, readOctal(block, kSize, "the size"));
  return Header{std::move(name), size};
}

bool isZero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

}  // namespace

Status checkMemberName(std::string_view name) {
  if (name.empty() || name.size() > kLongestName) {
    return makeError("a file name of {} bytes, expected 1 to {}", name.size(), kLongestName);
  }
  for (char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') {
      return makeError("a file name with the character 0x{:02x}", static_cast<unsigned char>(c));
    }
  }
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") {
      return makeError("file name \"{}\" is not a plain relative path", name);
    }
    if (end == name.size()) return {};
    begin = end + 1;
  }
}

Status writeArchive(
    const std::filesystem::path& archive,
    const std::vector<std::pair<std::string, std::filesystem::path>>& names_and_files) {
  NARROWS_TRY(output, Output::create(archive));
  const Block zeros{};
  const auto blockBytes = [](const Block& block) { return std::as_bytes(std::span(block)); };
  for (const auto& [name, path] : names_and_files) {
    NARROWS_CHECK(checkMemberName(name));
    NARROWS_TRY(file, MappedFile::open(path));
    const std::uint64_t size = file->bytes().size();
    if (size > kLargestMember) {
      return makeError("{}: {} bytes, an archive holds files of up to {}", name, size,
                       kLargestMember);
    }
    NARROWS_CHECK(output.write(blockBytes(headerOf(name, size))));
    NARROWS_CHECK(output.write(file->bytes()));
    NARROWS_CHECK(output.write(blockBytes(zeros).first(padding(size))));
  }
  NARROWS_CHECK(output.write(blockBytes(zeros)));
  NARROWS_CHECK(output.write(blockBytes(zeros)));
  return output.sync();
}

Result<FileMap> readArchive(const std::shared_ptr<const MappedFile>& archive) {
  const std::string_view text = asText(archive->bytes());
  FileMap members;
  std::size_t offset = 0;
  while (true) {
    const std::string place = fmt::format("offset {}", offset);
    if (text.size() - offset < kBlock) {
      return makeError("{}: the archive ends without its end mark", place);
    }
    const std::string_view block = text.substr(offset, kBlock);
    if (isZero(block)) break;
    NARROWS_TRY(header, readHeader(block).within(place));
    offset += kBlock;
    const std::size_t left = text.size() - offset;
    if (header.size > left || padding(header.size) > left - header.size) {
      return makeError("{}: \"{}\" has {} bytes, {} are left in the archive", place, header.name,
                       header.size, left);
    }
    const auto size = static_cast<std::size_t>(header.size);
    if (!isZero(text.substr(offset + size, padding(size)))) {
      return makeError("{}: \"{}\" is followed by stray bytes", place, header.name);
    }
    if (members.size() >= kMostMembers) {
      return makeError("{}: more than {} files", place, kMostMembers);
    }
    if (!members.emplace(header.name, MappedFile::part(archive, offset, size)).second) {
      return makeError("{}: \"{}\" occurs twice", place, header.name);
    }
    offset += size + padding(size);
  }
  if (text.size() - offset != 2 * kBlock || !isZero(text.substr(offset))) {
    return makeError("offset {}: expected two empty blocks and the end of the archive", offset);
  }
  return members;
}

}  // namespace narrows
