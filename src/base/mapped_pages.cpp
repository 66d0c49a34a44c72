#include "base/mapped_pages.h"

#include <cstdint>

#include <sys/mman.h>
#include <unistd.h>

namespace tapir {

void let_go_pages(std::string_view part) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::uintptr_t into_page = reinterpret_cast<std::uintptr_t>(part.data()) % page;
  const std::uintptr_t skipped = into_page == 0 ? 0 : page - into_page;
  if (part.size() < skipped + page) return;
  const std::uintptr_t whole = (part.size() - skipped) / page * page;
  // Advice: where it cannot be followed, nothing is lost. The system's own interface takes away
  // const.
  (void)::madvise(const_cast<char*>(part.data()) + skipped, whole, MADV_DONTNEED);
}

}  // namespace tapir
