// Memory that the system takes back page by page.
#pragma once

#include <string_view>

namespace tapir {

// Gives back the memory of these bytes, whole pages only. In a MappedFile (base/file.h) they are
// read from the file again when they are looked at again; elsewhere they are lost, so that `part`
// must hold nothing that is still wanted.
void let_go_pages(std::string_view part);

}  // namespace tapir
