#include "store/file_system.h"

#include <array>

#include <sys/vfs.h>

namespace tapir::store {
namespace {

struct Magic {
  std::uint32_t type;
  std::string_view name;
};

// From statfs(2) and linux/magic.h. WAL shares memory between processes through a map of a file,
// which these do not keep the same on every machine. FUSE may be local, but cannot be told from
// sshfs.
constexpr std::array<Magic, 15> kNetwork = {{{0x6969, "NFS"},
                                             {0x517b, "SMB"},
                                             {0xff534d42, "CIFS"},
                                             {0xfe534d42, "SMB2"},
                                             {0x65735546, "FUSE"},
                                             {0x01021997, "9P"},
                                             {0x00c36400, "Ceph"},
                                             {0x5346414f, "AFS"},
                                             {0x6b414653, "AFS"},
                                             {0x73757245, "Coda"},
                                             {0x0bd00bd0, "Lustre"},
                                             {0x19830326, "BeeGFS"},
                                             {0x47504653, "GPFS"},
                                             {0x7461636f, "OCFS2"},
                                             {0x01161970, "GFS2"}}};

}  // namespace

std::optional<std::string_view> network_file_system(std::uint32_t type) {
  for (const Magic& magic : kNetwork) {
    if (magic.type == type) return magic.name;
  }
  return std::nullopt;
}

std::optional<std::string_view> network_file_system_of(const std::filesystem::path& folder) {
  struct statfs facts {};
  if (::statfs(folder.c_str(), &facts) != 0) return std::nullopt;
  return network_file_system(static_cast<std::uint32_t>(facts.f_type));
}

}  // namespace tapir::store
