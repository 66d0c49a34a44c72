// A made-up run with all that a report shows: S_0 and four arms over three rounds in ten families.
// Its figures are drawn from streams, so that the same run comes out every time.
#pragma once

#include <filesystem>
#include <memory>

#include "store/run_store.h"

namespace tapir::testing {

enum class ExampleRun {
  empty,     // nothing but a recipe
  half_way,  // S_0, its difficulty and the expansion of round 1; no arm is trained
  complete,
};

// Writes run.db and metrics/ into the folder; the returned store is open and flushed.
std::unique_ptr<store::RunStore> make_example_run(const std::filesystem::path& folder,
                                                  ExampleRun kind);

// Text as a hostile model might write it, put into instructions, answers and the judge's words of
// the example run.
inline constexpr const char* kHostile =
    "<script>alert('x')</script> & \"quoted\" <img src=x onerror=alert(1)> \x01";

}  // namespace tapir::testing
