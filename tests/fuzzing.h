// Seeded damage of good inputs, for the fuzz tests of every parser of outside text.
//
// A default test runs a few hundred inputs (`iterations`); its twin with label slow runs for
// TAPIR_FUZZ_SECONDS (300 when unset). Input number i depends on (name, seed, i) alone, so a
// finding is reproduced by its number. A crash leaves the input in the file that is printed.
//
//   TEST(TokenizerJsonFuzz, LoadsOrRefuses) {
//     testing::fuzz({.name = "tokenizer.json", .corpus = {good}, .mutate =
//     testing::mutate_json_text,
//                    .run = [](const std::string& input) { load_from(input); }});
//   }
#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "base/strings.h"

namespace tapir::testing {

// Numbers and strings at which parsers break.
inline const std::vector<std::string>& awkward_numbers() {
  static const std::vector<std::string> numbers = {"0",
                                                   "-1",
                                                   "1",
                                                   "1e308",
                                                   "-0.0",
                                                   "1e-320",
                                                   "2147483647",
                                                   "2147483648",
                                                   "-2147483649",
                                                   "4294967296",
                                                   "9223372036854775807",
                                                   "9223372036854775808",
                                                   "18446744073709551615",
                                                   "1000000000000000000000000"};
  return numbers;
}

inline const std::vector<std::string>& awkward_strings() {
  static const std::vector<std::string> strings = {"",
                                                   " ",
                                                   "a",
                                                   "\n",
                                                   std::string(1, '\0'),
                                                   "\xff\xfe",
                                                   "\xed\xa0\x80",
                                                   "\xF4\x90",
                                                   "\xe2\x96",
                                                   "../..",
                                                   "{{",
                                                   "(?R)*",
                                                   "%s%n",
                                                   "🙂",
                                                   "\xcc\x81x",
                                                   "<s>",
                                                   "</s>",
                                                   "\xef\xbb\xbf",
                                                   std::string(5000, 'x')};
  return strings;
}

// One to eight small changes of bytes: flips, cuts, copies, awkward strings put in.
inline std::string mutate_bytes(std::string input, RandomStream& random) {
  for (int n = random.between(1, 8); n > 0; --n) {
    const std::size_t at = random.below(input.size() + 1);
    const std::size_t length = random.below(std::min<std::size_t>(input.size() - at, 64) + 1);
    switch (random.below(7)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(random.below(256));
        break;
      case 1:
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << random.below(8)));
        break;
      case 2:
        input.erase(at, length);
        break;
      case 3:
        input.insert(at, input.substr(at, length));
        break;
      case 4:
        input.insert(random.below(input.size() + 1), input.substr(at, length));
        break;
      case 5:
        input.insert(at, random.chance(0.5) ? random.choose(awkward_strings())
                                            : random.choose(awkward_numbers()));
        break;
      default:
        if (random.chance(0.2)) input.resize(at);
    }
  }
  return input;
}

// A JSON value that does not belong where it is put.
inline Json awkward_value(RandomStream& random) {
  switch (random.below(8)) {
    case 0:
      return nullptr;
    case 1:
      return random.chance(0.5);
    case 2:
      return Json::parse(random.choose(awkward_numbers()));
    case 3:
      return random.choose(awkward_strings());
    case 4:
      return Json::array();
    case 5:
      return Json::object();
    case 6:
      return Json::array({1, "a", nullptr});
    default: {
      Json nested = 0;
      for (int depth = random.between(1, 60); depth > 0; --depth) nested = Json::array({nested});
      return nested;
    }
  }
}

// One change somewhere in the tree: a value replaced, left out, doubled or moved.
inline void mutate_json(Json& value, RandomStream& random) {
  const bool deeper = value.is_structured() && !value.empty() && random.chance(0.85);
  if (!deeper) {
    value = awkward_value(random);
    return;
  }
  auto child = value.begin();
  std::advance(child, random.below(value.size()));
  switch (random.below(10)) {
    case 0:
      value.erase(child);
      return;
    case 1: {
      Json copy = *child;
      if (value.is_array()) {
        value.push_back(std::move(copy));
      } else {
        value[random.choose(awkward_strings())] = std::move(copy);
      }
      return;
    }
    case 2: {
      auto other = value.begin();
      std::advance(other, random.below(value.size()));
      child->swap(*other);
      return;
    }
    case 3:
      *child = awkward_value(random);
      return;
    default:
      mutate_json(*child, random);
  }
}

// Text of one JSON value: mostly damage of its structure, sometimes of its bytes.
inline std::string mutate_json_text(const std::string& input, RandomStream& random) {
  if (random.chance(0.25)) return mutate_bytes(input, random);
  Json value = Json::parse(input, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return mutate_bytes(input, random);
  for (int n = random.between(1, 4); n > 0; --n) mutate_json(value, random);
  return value.dump(-1, ' ', random.chance(0.3), Json::error_handler_t::ignore);
}

// Text of JSON lines: damage of one line or of their order.
inline std::string mutate_jsonl(const std::string& input, RandomStream& random) {
  std::vector<std::string> lines = split(input, '\n');
  std::string& line = lines[random.below(lines.size())];
  switch (random.below(4)) {
    case 0:
      line += random.choose(lines);
      break;
    case 1:
      line.resize(random.below(line.size() + 1));
      break;
    default:
      line = mutate_json_text(line, random);
  }
  return join(lines, "\n");
}

struct FuzzPlan {
  std::string name;                 // names the stream of random numbers and the crash file
  std::vector<std::string> corpus;  // good inputs
  std::function<std::string(const std::string& good, RandomStream&)> mutate = mutate_bytes;
  // Must return or throw an Error that is no bug; anything else is a finding. It may also EXPECT_.
  std::function<void(const std::string& input)> run;
  std::uint64_t seed = 1;
  std::uint64_t first = 0;           // number of the first input
  std::uint64_t iterations = 0;      // 0: as many as the time of the slow label allows
  std::chrono::seconds slowest{10};  // an input that takes longer is a finding
};

struct FuzzCount {
  std::uint64_t inputs = 0;
  std::uint64_t refused = 0;
};

inline std::chrono::seconds fuzz_time() {
  const char* seconds = std::getenv("TAPIR_FUZZ_SECONDS");
  return std::chrono::seconds(seconds == nullptr ? 300 : std::strtol(seconds, nullptr, 10));
}

// ---- implementation ----
namespace fuzzing_detail {

inline const std::string* current_input = nullptr;
inline std::string
    crash_file;  // NOLINT: read by a signal handler, no destruction before exit matters

inline void write_crash(int signal) {
  const int file = ::open(crash_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file >= 0 && current_input != nullptr) {
    if (::write(file, current_input->data(), current_input->size()) > 0) {
      if (::write(STDERR_FILENO, crash_file.data(), crash_file.size()) > 0) ::close(file);
    }
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

// The handlers of the signals that end a program, while it is alive.
class CrashFile {
 public:
  CrashFile(const std::string& name, const std::string& input) {
    crash_file = (std::filesystem::temp_directory_path() / ("tapir-fuzz-" + name)).string();
    current_input = &input;
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGABRT}) std::signal(signal, write_crash);
  }
  ~CrashFile() {
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGABRT}) std::signal(signal, SIG_DFL);
    current_input = nullptr;
  }
  CrashFile(const CrashFile&) = delete;
  CrashFile& operator=(const CrashFile&) = delete;
};

// True when the input was refused.
inline bool run_one(const FuzzPlan& plan, const std::string& input, const std::string& which) {
  try {
    plan.run(input);
    return false;
  } catch (const Error& e) {
    EXPECT_NE(e.kind(), ErrorKind::bug) << which << ": " << e.what();
  } catch (const std::exception& e) {
    ADD_FAILURE() << which << ": " << e.what();
  }
  return true;
}

}  // namespace fuzzing_detail

// Stops at the first finding. Not for two threads at once.
inline FuzzCount fuzz(const FuzzPlan& plan) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + fuzz_time();
  std::string input;
  const fuzzing_detail::CrashFile crash(replace_all(plan.name, "/", "-"), input);
  FuzzCount count;
  const auto more = [&] {
    if (::testing::Test::HasFailure()) return false;
    return plan.iterations > 0 ? count.inputs < plan.iterations : Clock::now() < end;
  };
  for (std::uint64_t i = plan.first; more(); ++i) {
    RandomStream random(plan.seed, plan.name, std::to_string(i));
    input = plan.mutate(random.choose(plan.corpus), random);
    const std::string which = plan.name + ", input " + std::to_string(i);
    const auto start = Clock::now();
    count.refused += fuzzing_detail::run_one(plan, input, which) ? 1 : 0;
    EXPECT_LT(Clock::now() - start, plan.slowest) << which << " is slow";
    ++count.inputs;
  }
  return count;
}

}  // namespace tapir::testing
