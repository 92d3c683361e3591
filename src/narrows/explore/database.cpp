#include "narrows/explore/database.h"

#include <sqlite3.h>

namespace narrows {
namespace {

constexpr int kBusyMilliseconds = 60'000;

bool bind(sqlite3_stmt* statement, int index, const SqlValue& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value))
    return sqlite3_bind_int64(statement, index, *number) == SQLITE_OK;
  if (const auto* real = std::get_if<double>(&value))
    return sqlite3_bind_double(statement, index, *real) == SQLITE_OK;
  if (const auto* text = std::get_if<std::string>(&value)) {
    return sqlite3_bind_text(statement, index, text->data(), static_cast<int>(text->size()),
                             SQLITE_TRANSIENT) == SQLITE_OK;
  }
  return sqlite3_bind_null(statement, index) == SQLITE_OK;
}

SqlValue columnOf(sqlite3_stmt* statement, int index) {
  switch (sqlite3_column_type(statement, index)) {
    case SQLITE_INTEGER:
      return std::int64_t{sqlite3_column_int64(statement, index)};
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, index);
    case SQLITE_NULL:
      return {};
    default: {
      const auto bytes = static_cast<std::size_t>(sqlite3_column_bytes(statement, index));
      const unsigned char* text = sqlite3_column_text(statement, index);
      return std::string(text, text + bytes);
    }
  }
}

}  // namespace

void Database::Closer::operator()(sqlite3* handle) const {
  sqlite3_close(handle);
}

void Database::Finalizer::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Result<Database> Database::open(const std::filesystem::path& file) {
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(file.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  Database database(handle);
  if (code != SQLITE_OK) return makeError("{}: {}", file.string(), sqlite3_errstr(code));
  sqlite3_busy_timeout(handle, kBusyMilliseconds);
  // With a log of its own a reader does not hold up a writer.
  NARROWS_CHECK(database.query("PRAGMA journal_mode = WAL").within(file.string()));
  NARROWS_CHECK(database.query("PRAGMA synchronous = NORMAL").within(file.string()));
  return database;
}

Error Database::failure(std::string_view sql) const {
  return makeError("{} (in: {})", sqlite3_errmsg(handle_.get()), sql);
}

Result<Database::Statement> Database::prepare(std::string_view sql, const SqlRow& values) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()), &raw, nullptr) !=
      SQLITE_OK)
    return failure(sql);
  Statement statement(raw);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!bind(raw, static_cast<int>(i) + 1, values[i])) return failure(sql);
  }
  return statement;
}

Result<std::vector<SqlRow>> Database::query(std::string_view sql, const SqlRow& values) {
  NARROWS_TRY(statement, prepare(sql, values));
  std::vector<SqlRow> rows;
  int code = sqlite3_step(statement.get());
  for (; code == SQLITE_ROW; code = sqlite3_step(statement.get())) {
    SqlRow& row = rows.emplace_back();
    const int columns = sqlite3_column_count(statement.get());
    for (int i = 0; i < columns; ++i) row.push_back(columnOf(statement.get(), i));
  }
  if (code != SQLITE_DONE) return failure(sql);
  return rows;
}

Result<std::int64_t> Database::execute(std::string_view sql, const SqlRow& values) {
  NARROWS_CHECK(query(sql, values));
  return std::int64_t{sqlite3_changes(handle_.get())};
}

Status Database::transact(const std::function<Status()>& body) {
  NARROWS_CHECK(execute("BEGIN IMMEDIATE"));
  if (Status status = body(); !status.ok()) {
    (void)execute("ROLLBACK");
    return status;
  }
  NARROWS_CHECK(execute("COMMIT"));
  return {};
}

}  // namespace narrows
