// Is a folder on a network file system? Internal to store/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

namespace tapir::store {

// The name of the network (or FUSE) file system of this statfs() type; nothing for local ones.
std::optional<std::string_view> network_file_system(std::uint32_t type);

// Of the file system that holds this folder; nothing too when it cannot be told.
std::optional<std::string_view> network_file_system_of(const std::filesystem::path& folder);

}  // namespace tapir::store
