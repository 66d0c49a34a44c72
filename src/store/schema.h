// The tables of a run store and their versions. Documented in docs/run_store.md. Internal to
// store/.
#pragma once

#include <filesystem>

#include "store/sqlite.h"

namespace tapir::store {

inline constexpr int kApplicationId = 0x54415052;  // "TAPR", in the header of the file

// Error{data}: not a store, or of a newer schema.
void check_schema(Connection& connection, const std::filesystem::path& file);

// A store of an older version that is open for reading only is shown as one of the newest: columns
// that it lacks are null.
void show_as_newest(Connection& connection);

// Makes the tables in an empty file, or takes an older schema to the newest one, in one
// transaction.
void create_or_upgrade(Connection& connection, const std::filesystem::path& file);

}  // namespace tapir::store
