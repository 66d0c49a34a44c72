// Which packages a Python environment has.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "backends/training_backend.h"

namespace tapir::backends {

// Versions by package, of those that are installed; nothing is imported. Error{usage} when there is
// no such program, or it is no Python 3.
std::map<std::string, std::string> installed_packages(const std::string& python,
                                                      const std::vector<std::string>& packages);

// Error{usage} listing what is missing or of a version that is not tested, and how to get it.
// backend: its name, in messages.
void check_packages(const std::string& backend, const std::string& python,
                    const std::vector<Requirement>& requirements);

}  // namespace tapir::backends
