#include "narrows/explore/store.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "narrows/base/file.h"
#include "narrows/bundle/sha256.h"

namespace narrows {
namespace {

constexpr std::int64_t kFormat = 1;

constexpr std::array<std::string_view, 6> kSchema{
    "CREATE TABLE IF NOT EXISTS contexts (id TEXT PRIMARY KEY, description TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS cuts (context TEXT, cut TEXT, node_s REAL, server_s REAL, "
    "version TEXT, host TEXT, seed INTEGER, PRIMARY KEY (context, cut))",
    "CREATE TABLE IF NOT EXISTS frames (context TEXT, cut TEXT, quantizer TEXT, coder TEXT, "
    "frames INTEGER, mean_bytes REAL, bytes_deviation REAL, worst_bytes INTEGER, encode_s REAL, "
    "decode_s REAL, version TEXT, host TEXT, seed INTEGER, "
    "PRIMARY KEY (context, cut, quantizer, coder))",
    "CREATE TABLE IF NOT EXISTS accuracies (context TEXT, cut TEXT, quantizer TEXT, "
    "primary_percent REAL, secondary_percent REAL, version TEXT, host TEXT, seed INTEGER, "
    "PRIMARY KEY (context, cut, quantizer))",
    "CREATE TABLE IF NOT EXISTS claims (context TEXT, task TEXT, host TEXT, process INTEGER, "
    "PRIMARY KEY (context, task))",
    "CREATE TABLE IF NOT EXISTS designs (id TEXT PRIMARY KEY, context TEXT, recipe TEXT, "
    "figures TEXT, version TEXT, host TEXT, seed INTEGER)"};

std::string text(const SqlValue& value) {
  const auto* string = std::get_if<std::string>(&value);
  return string != nullptr ? *string : std::string();
}

std::int64_t integer(const SqlValue& value) {
  const auto* number = std::get_if<std::int64_t>(&value);
  return number != nullptr ? *number : 0;
}

double real(const SqlValue& value) {
  if (const auto* number = std::get_if<double>(&value)) return *number;
  return static_cast<double>(integer(value));
}

bool isAlive(std::int64_t process) {
  return kill(static_cast<pid_t>(process), 0) == 0 || errno == EPERM;
}

Status prepareSchema(Database& database) {
  return database.transact([&]() -> Status {
    NARROWS_TRY(version, database.query("PRAGMA user_version"));
    NARROWS_TRY(tables, database.query("SELECT count(*) FROM sqlite_master"));
    const std::int64_t format = integer(version.at(0).at(0));
    if (format == 0 && integer(tables.at(0).at(0)) > 0)
      return makeError("an SQLite database, but not one of narrows explore");
    if (format != 0 && format != kFormat)
      return makeError("a store of format {}, expected {}", format, kFormat);
    for (std::string_view statement : kSchema) NARROWS_CHECK(database.execute(statement));
    NARROWS_CHECK(database.execute(fmt::format("PRAGMA user_version = {}", kFormat)));
    return {};
  });
}

Result<Database> openDatabase(const std::filesystem::path& file) {
  NARROWS_TRY(database, Database::open(file));
  NARROWS_CHECK(prepareSchema(database).within(file.string()));
  return std::move(database);
}

}  // namespace

Result<Store> Store::open(const std::filesystem::path& file, const std::string& context,
                          RowOrigin origin) {
  NARROWS_TRY(database, openDatabase(file));
  Store store(std::move(database), sha256(asBytes(context)), std::move(origin));
  NARROWS_CHECK(
      store.database_
          .execute("INSERT OR IGNORE INTO contexts VALUES (?, ?)", {store.context_, context})
          .within(file.string()));
  return store;
}

Result<std::vector<FrameRow>> Store::frames() {
  NARROWS_TRY(rows, database_.query("SELECT cut, quantizer, coder, frames, mean_bytes, "
                                    "bytes_deviation, worst_bytes, encode_s, decode_s FROM frames "
                                    "WHERE context = ? ORDER BY cut, quantizer, coder",
                                    {context_}));
  std::vector<FrameRow> found;
  found.reserve(rows.size());
  for (const SqlRow& row : rows) {
    found.push_back({text(row[0]), text(row[1]), text(row[2]), integer(row[3]), real(row[4]),
                     real(row[5]), integer(row[6]), Seconds(real(row[7])), Seconds(real(row[8]))});
  }
  return found;
}

Result<std::map<std::string, CutTimes>> Store::cutTimes() {
  NARROWS_TRY(rows, database_.query("SELECT cut, node_s, server_s FROM cuts WHERE context = ?",
                                    {context_}));
  std::map<std::string, CutTimes> found;
  for (const SqlRow& row : rows)
    found[text(row[0])] = {Seconds(real(row[1])), Seconds(real(row[2]))};
  return found;
}

Result<std::vector<AccuracyRow>> Store::accuracies() {
  NARROWS_TRY(rows, database_.query("SELECT cut, quantizer, primary_percent, secondary_percent "
                                    "FROM accuracies WHERE context = ? ORDER BY cut, quantizer",
                                    {context_}));
  std::vector<AccuracyRow> found;
  found.reserve(rows.size());
  for (const SqlRow& row : rows)
    found.push_back({text(row[0]), text(row[1]), real(row[2]), real(row[3])});
  return found;
}

Status Store::addFrames(const std::string& cut, const CutTimes& times,
                        const std::vector<FrameRow>& rows) {
  const auto seed = static_cast<std::int64_t>(origin_.seed);
  return database_.transact([&]() -> Status {
    NARROWS_CHECK(database_.execute("INSERT OR IGNORE INTO cuts VALUES (?, ?, ?, ?, ?, ?, ?)",
                                    {context_, cut, times.node.value(), times.server.value(),
                                     origin_.version, origin_.host, seed}));
    for (const FrameRow& row : rows) {
      NARROWS_CHECK(database_.execute(
          "INSERT OR IGNORE INTO frames VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          {context_, row.cut, row.quantizer, row.coder, row.frames, row.mean_bytes,
           row.bytes_deviation, row.worst_bytes, row.encode_time.value(), row.decode_time.value(),
           origin_.version, origin_.host, seed}));
    }
    return {};
  });
}

Status Store::addAccuracy(const AccuracyRow& row) {
  NARROWS_CHECK(
      database_.execute("INSERT OR IGNORE INTO accuracies VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        {context_, row.cut, row.quantizer, row.primary, row.secondary,
                         origin_.version, origin_.host, static_cast<std::int64_t>(origin_.seed)}));
  return {};
}

Result<bool> Store::claim(const std::string& task) {
  const auto self = static_cast<std::int64_t>(getpid());
  bool taken = false;
  NARROWS_CHECK(database_.transact([&]() -> Status {
    NARROWS_TRY(rows,
                database_.query("SELECT host, process FROM claims WHERE context = ? AND task = ?",
                                {context_, task}));
    if (!rows.empty()) {
      const bool here = text(rows[0][0]) == origin_.host;
      const std::int64_t owner = integer(rows[0][1]);
      // Whether a process of another machine lives cannot be told; its claim stands.
      if (!here || (owner != self && isAlive(owner))) return {};
    }
    NARROWS_CHECK(database_.execute("INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?)",
                                    {context_, task, origin_.host, self}));
    taken = true;
    return {};
  }));
  return taken;
}

Status Store::release(const std::string& task) {
  NARROWS_CHECK(
      database_.execute("DELETE FROM claims WHERE context = ? AND task = ?", {context_, task}));
  return {};
}

Status Store::putDesigns(const std::vector<DesignRow>& rows) {
  return database_.transact([&]() -> Status {
    for (const DesignRow& row : rows) {
      NARROWS_CHECK(database_.execute("INSERT OR REPLACE INTO designs VALUES (?, ?, ?, ?, ?, ?, ?)",
                                      {row.id, context_, row.recipe, row.figures, origin_.version,
                                       origin_.host, static_cast<std::int64_t>(origin_.seed)}));
    }
    return {};
  });
}

Result<DesignRow> Store::findDesign(const std::filesystem::path& file, const std::string& id) {
  if (!std::filesystem::exists(file)) return makeError("{}: no such file", file.string());
  NARROWS_TRY(database, openDatabase(file));
  NARROWS_TRY(rows, database.query("SELECT id, recipe, figures FROM designs WHERE "
                                   "substr(id, 1, length(?)) = ? ORDER BY length(id) LIMIT 2",
                                   {id, id}));
  if (id.empty() || rows.empty()) {
    return makeError("{}: no design \"{}\"; narrows explore --store {} prints their ids",
                     file.string(), id, file.string());
  }
  if (rows.size() > 1 && text(rows[0][0]) != id)
    return makeError("{}: \"{}\" begins the ids of several designs", file.string(), id);
  return DesignRow{text(rows[0][0]), text(rows[0][1]), text(rows[0][2])};
}

}  // namespace narrows
