// The one exception type of tapir. Expected outcomes (an unreadable judgment, a refused request)
// are data, not errors.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace tapir {

// What went wrong, by who can mend it. Each kind has one exit code (exit_code()).
enum class ErrorKind {
  usage,        // 2: command line or recipe
  data,         // 3: a file of the user: instructions, student folder, run folder
  endpoint,     // 4: teacher or judge cannot be reached or refuses
  budget,       // 5: the cap is reached; state is saved
  incomplete,   // 6: rows missing from a ledger that balances otherwise
  waiting,      // 7: waiting for a batch
  interrupted,  // 130: stopped by the user; state is saved
  bug,          // 1: ours
};

int exit_code(ErrorKind kind);
std::string_view to_string(ErrorKind kind);

// message: what was expected, what was found, and where (file:line, key). hint: what to do, one
// sentence, may be empty.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, std::string hint = {});
  ErrorKind kind() const { return kind_; }
  const std::string& hint() const { return hint_; }

 private:
  ErrorKind kind_;
  std::string hint_;
};

// A broken promise inside tapir: throws Error{bug} naming the place. Never for input of a user.
void check(bool condition, std::string_view what);

}  // namespace tapir
