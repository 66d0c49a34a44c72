#include "backends/python_packages.h"

#include <array>
#include <cstdio>
#include <memory>

#include "base/command_template.h"
#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"

namespace tapir::backends {
namespace {

constexpr const char* kAsk = R"(
import importlib.metadata, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
)";

std::string output_of(const std::string& command) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string output;
  std::array<char, 4096> piece{};
  while (pipe != nullptr) {
    const std::size_t size = std::fread(piece.data(), 1, piece.size(), pipe.get());
    if (size == 0) break;
    output.append(piece.data(), size);
  }
  return output;
}

}  // namespace

std::map<std::string, std::string> installed_packages(const std::string& python,
                                                      const std::vector<std::string>& packages) {
  if (!find_program(python)) {
    throw Error(ErrorKind::usage, "train.python: there is no program " + python,
                "name the interpreter of the environment that the backend is installed in");
  }
  std::string command = shell_quoted(python) + " -c " + shell_quoted(kAsk);
  for (const std::string& package : packages) command += " " + shell_quoted(package);
  const std::string output(trim(output_of(command + " 2>&1")));
  try {
    return parse_json(output, python).get<std::map<std::string, std::string>>();
  } catch (const std::exception&) {
    throw Error(ErrorKind::usage,
                "train.python: " + python + " does not say which packages it has: " +
                    (output.empty() ? "it printed nothing" : output.substr(0, 500)),
                "it has to be a Python 3.8 or newer");
  }
}

void check_packages(const std::string& backend, const std::string& python,
                    const std::vector<Requirement>& requirements) {
  std::vector<std::string> names;
  std::vector<std::string> pins;
  for (const Requirement& r : requirements) {
    names.push_back(r.package);
    pins.push_back(r.package + "==" + r.version);
  }
  const std::map<std::string, std::string> found = installed_packages(python, names);
  std::vector<std::string> wrong;
  for (const Requirement& r : requirements) {
    const auto package = found.find(r.package);
    if (package == found.end()) {
      wrong.push_back(r.package + " is not installed");
    } else if (!package->second.starts_with(r.tested)) {
      wrong.push_back(r.package + " is " + package->second + ", tested are " + r.tested + "*");
    }
  }
  if (wrong.empty()) return;
  throw Error(
      ErrorKind::usage,
      "train.backend: " + backend + ": in the environment of " + python + ": " + join(wrong, "; "),
      "install there: " + python + " -m pip install " + join(pins, " ") +
          "; or name another environment's interpreter in train.python");
}

}  // namespace tapir::backends
