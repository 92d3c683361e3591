#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "narrows/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace narrows {

/// What a column holds; monostate is NULL.
using SqlValue = std::variant<std::monostate, std::int64_t, double, std::string>;
using SqlRow = std::vector<SqlValue>;

/// One connection to an SQLite file. Several processes may have the same file open: writers wait
/// for each other up to a minute. Not for several threads.
class Database {
 public:
  /// Makes the file when it is not there. Fails on a file that is no SQLite database.
  static Result<Database> open(const std::filesystem::path& file);

  /// Runs one statement with `?` bound to the values; the rows it gives.
  Result<std::vector<SqlRow>> query(std::string_view sql, const SqlRow& values = {});
  /// The same for a statement whose rows are of no interest; the number of rows that it changed.
  Result<std::int64_t> execute(std::string_view sql, const SqlRow& values = {});

  /// Runs `body` in a transaction that no other writer interrupts; rolled back when it fails.
  Status transact(const std::function<Status()>& body);

 private:
  struct Closer {
    void operator()(sqlite3* handle) const;
  };
  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalizer>;

  explicit Database(sqlite3* handle) : handle_(handle) {}
  Result<Statement> prepare(std::string_view sql, const SqlRow& values);
  Error failure(std::string_view sql) const;

  std::unique_ptr<sqlite3, Closer> handle_;
};

}  // namespace narrows
