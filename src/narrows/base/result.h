#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "narrows/base/assert.h"

namespace narrows {

/// Why an operation failed, in one sentence that says where and what was expected.
struct Error {
  std::string message;

  /// The same error with the place that met it in front: "PLACE: MESSAGE".
  Error within(std::string_view place) && {
    message.insert(0, ": ").insert(0, place);
    return std::move(*this);
  }
};

template <class... Args>
Error makeError(fmt::format_string<Args...> format, Args&&... args) {
  return Error{fmt::format(format, std::forward<Args>(args)...)};
}

/// A value or the error that prevented it. Reading the value of a failed result asserts.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const {
    NARROWS_ASSERT(!ok());
    return std::get<1>(state_);
  }
  Error takeError() {
    NARROWS_ASSERT(!ok());
    return std::move(std::get<1>(state_));
  }
  /// The result with the place put in front of its error, if it is one.
  Result within(std::string_view place) && {
    if (!ok()) return takeError().within(place);
    return std::move(*this);
  }

 private:
  T& value() {
    NARROWS_ASSERT(ok());
    return std::get<0>(state_);
  }
  const T& value() const {
    NARROWS_ASSERT(ok());
    return std::get<0>(state_);
  }
  std::variant<T, Error> state_;
};

/// Success or an error, for operations without a value.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    NARROWS_ASSERT(!ok());
    return *error_;
  }
  Error takeError() {
    NARROWS_ASSERT(!ok());
    return std::move(*error_);
  }
  Status within(std::string_view place) && {
    if (!ok()) return takeError().within(place);
    return {};
  }

 private:
  std::optional<Error> error_;
};

}  // namespace narrows

#define NARROWS_CONCAT_INNER(a, b) a##b
#define NARROWS_CONCAT(a, b) NARROWS_CONCAT_INNER(a, b)

/// `NARROWS_TRY(x, f());` declares `x` as the value of `f()` or returns its error.
#define NARROWS_TRY(name, expression)                  \
  auto NARROWS_CONCAT(name, _result_) = (expression);  \
  if (!NARROWS_CONCAT(name, _result_).ok()) {          \
    return NARROWS_CONCAT(name, _result_).takeError(); \
  }                                                    \
  auto& name = *NARROWS_CONCAT(name, _result_)

/// `NARROWS_CHECK(f());` returns the error of a Status (or of a Result whose value is not needed).
#define NARROWS_CHECK(...) \
  NARROWS_CHECK_AS(NARROWS_CONCAT(narrows_status_, __COUNTER__), __VA_ARGS__)
#define NARROWS_CHECK_AS(name, ...)          \
  do {                                       \
    auto name = (__VA_ARGS__);               \
    if (!name.ok()) return name.takeError(); \
  } while (false)
