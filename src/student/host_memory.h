// The memory of this process, and what the system lets it take.
#pragma once

#include <cstdint>

namespace tapir::student {

// Resident memory of this process in bytes; 0 where the system does not say.
std::int64_t resident_memory();
// The most that it has been.
std::int64_t peak_resident_memory();

// Bytes that this process may take at most: the caps of its cgroups, of RLIMIT_AS (less what is
// mapped, not used), and the machine's memory. The same at every call, however much others use.
// 0: nothing says.
std::int64_t memory_cap();

}  // namespace tapir::student
