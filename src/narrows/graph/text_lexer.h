#pragma once

#include <string>
#include <string_view>

#include "narrows/base/result.h"

/// Splits the text form of a graph into tokens; for text_parse.cpp only.
namespace narrows {

struct Token {
  enum class Kind : std::uint8_t {
    word,    // letters, digits and _ . + -
    string,  // quoted; `text` is what the quotes hold
    mark,    // ( ) [ ] , = ->
    end,
  };
  Kind kind = Kind::end;
  std::string text;
  std::size_t offset = 0;  // of its first byte
};

class TextLexer {
 public:
  explicit TextLexer(std::string_view text) : text_(text) {}

  /// The next token; fails on a byte that starts none, an unfinished string and an unknown escape.
  Result<Token> next();
  /// "line 3, column 14", columns counted in bytes from 1.
  std::string placeOf(std::size_t offset) const;

 private:
  void skipBlanks();
  Result<Token> string();
  Result<char> escape();

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace narrows
