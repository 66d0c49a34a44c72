// The memory that a file's map takes.
#pragma once

#include <string_view>

namespace tapir {

// Gives back the memory of these bytes of a MappedFile (base/file.h): looked at again, they are
// read from the file again. Whole pages only. `part` must lie in a read-only map.
void let_go_pages(std::string_view part);

}  // namespace tapir
