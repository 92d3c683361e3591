#include "narrows/graph/text_lexer.h"

#include <algorithm>

namespace narrows {
namespace {

bool isWordByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '+' || c == '-';
}

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void TextLexer::skipBlanks() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '#') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      ++at_;
    } else {
      return;
    }
  }
}

Result<Token> TextLexer::next() {
  skipBlanks();
  const std::size_t begin = at_;
  if (at_ == text_.size()) return Token{Token::Kind::end, "", begin};
  if (text_[at_] == '"') return string();
  if (text_.substr(at_, 2) == "->") {
    at_ += 2;
    return Token{Token::Kind::mark, "->", begin};
  }
  if (std::string_view("()[],=").find(text_[at_]) != std::string_view::npos) {
    return Token{Token::Kind::mark, std::string(1, text_[at_++]), begin};
  }
  while (at_ < text_.size() && isWordByte(text_[at_]) && text_.substr(at_, 2) != "->") ++at_;
  if (at_ == begin) {
    return makeError("{}: unexpected byte 0x{:02x}", placeOf(begin),
                     static_cast<unsigned char>(text_[at_]));
  }
  return Token{Token::Kind::word, std::string(text_.substr(begin, at_ - begin)), begin};
}

Result<Token> TextLexer::string() {
  Token token{Token::Kind::string, "", at_++};
  while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n') {
    if (text_[at_] != '\\') {
      token.text += text_[at_++];
      continue;
    }
    NARROWS_TRY(byte, escape());
    token.text += byte;
  }
  if (at_ == text_.size() || text_[at_] == '\n') {
    return makeError("{}: the string does not end on its line", placeOf(token.offset));
  }
  ++at_;
  return token;
}

Result<char> TextLexer::escape() {
  const std::size_t begin = at_++;
  const char kind = at_ < text_.size() ? text_[at_++] : '\0';
  if (kind == '"' || kind == '\\') return kind;
  if (kind == 'n') return '\n';
  if (kind == 't') return '\t';
  if (kind == 'x' && text_.size() - at_ >= 2) {
    const int high = hexDigit(text_[at_]);
    const int low = hexDigit(text_[at_ + 1]);
    at_ += 2;
    if (high >= 0 && low >= 0) return static_cast<char>(high * 16 + low);
  }
  return makeError("{}: expected one of \\\" \\\\ \\n \\t \\xHH", placeOf(begin));
}

std::string TextLexer::placeOf(std::size_t offset) const {
  const std::string_view before = text_.substr(0, std::min(offset, text_.size()));
  const std::size_t newline = before.rfind('\n');
  const std::size_t start = newline == std::string_view::npos ? 0 : newline + 1;
  return fmt::format("line {}, column {}", 1 + std::count(before.begin(), before.end(), '\n'),
                     before.size() - start + 1);
}

}  // namespace narrows
