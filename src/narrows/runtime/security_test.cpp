#include "narrows/runtime/security.h"

#include <gtest/gtest.h>

#include "narrows/base/file.h"

namespace narrows {
namespace {

TEST(TokenList, HoldsOneTokenALine) {
  const auto list =
      TokenList::parse("# nodes\n0123456789abcdef\r\n\nfedcba9876543210X\n", "tokens");
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->size(), 2U);
  EXPECT_TRUE(list->contains("0123456789abcdef"));
  EXPECT_TRUE(list->contains("fedcba9876543210X"));
  EXPECT_FALSE(list->contains("0123456789abcdeX"));
  EXPECT_FALSE(list->contains("0123456789abcde"));
  EXPECT_FALSE(list->contains(""));
}

TEST(TokenList, NamesTheLineThatIsWrong) {
  for (const char* text : {"0123456789abcdef\nshort\n", "# x\ntoken with spaces in it"}) {
    const auto list = TokenList::parse(text, "tokens");
    ASSERT_FALSE(list.ok());
    EXPECT_TRUE(list.error().message.starts_with("tokens:2:")) << list.error().message;
  }
  EXPECT_FALSE(TokenList::parse("\n#\n", "tokens").ok());
}

TEST(TokenList, ReadsTheFirstForTheSideThatShowsIt) {
  const auto folder = TemporaryDirectory::create();
  ASSERT_TRUE(folder.ok());
  const auto path = folder->path() / "tokens";
  ASSERT_TRUE(
      writeFileAtomically(path, asBytes("# a\nfirst-0123456789abc\nsecond-0123456789\n")).ok());
  const auto token = readToken(path);
  ASSERT_TRUE(token.ok());
  EXPECT_EQ(*token, "first-0123456789abc");
}

TEST(Address, IsAHostAndAPort) {
  for (const char* good : {"localhost:0", "127.0.0.1:8001", "[::1]:65535", "host.example:80"}) {
    EXPECT_TRUE(checkAddress(good).ok()) << good;
  }
  for (const char* bad : {"", "localhost", ":80", "host:", "host:65536", "host:8x", "host:-1"}) {
    EXPECT_FALSE(checkAddress(bad).ok()) << bad;
  }
  EXPECT_TRUE(isLoopback("127.0.0.1:1"));
  EXPECT_TRUE(isLoopback("[::1]:1"));
  EXPECT_FALSE(isLoopback("0.0.0.0:1"));
  EXPECT_FALSE(isLoopback("192.168.0.1:1"));
}

TEST(TlsFiles, CertificateAndKeyComeTogether) {
  TlsFiles files;
  files.certificate = "/nowhere/cert.pem";
  EXPECT_FALSE(readTlsFiles(files).ok());
  files.key = "/nowhere/key.pem";
  const auto missing = readTlsFiles(files);
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("/nowhere/cert.pem"), std::string::npos);
}

}  // namespace
}  // namespace narrows
