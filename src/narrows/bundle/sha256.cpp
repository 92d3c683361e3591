#include "narrows/bundle/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

#include "narrows/base/assert.h"

namespace narrows {

std::string sha256(ByteSpan bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  const int ok =
      EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  NARROWS_ASSERT(ok == 1 && size == 32);
  std::string text;
  text.reserve(64);
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace narrows
