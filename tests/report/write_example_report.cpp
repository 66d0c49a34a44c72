// write_example_report FOLDER: complete.html, half_way.html and empty.html of the example runs, for
// the browser test.
#include <cstdio>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "report/example_run.h"
#include "report/report.h"

int main(int argc, char** argv) {
  using tapir::testing::ExampleRun;
  if (argc != 2) {
    std::fprintf(stderr, "usage: write_example_report FOLDER\n");
    return 2;
  }
  try {
    for (const auto& [name, kind] :
         {std::pair{"complete", ExampleRun::complete}, std::pair{"half_way", ExampleRun::half_way},
          std::pair{"empty", ExampleRun::empty}}) {
      const std::filesystem::path folder = std::filesystem::path(argv[1]) / name;
      std::filesystem::remove_all(folder);
      std::filesystem::create_directories(folder);
      const auto store = tapir::testing::make_example_run(folder, kind);
      tapir::write_file(folder.string() + ".html",
                        tapir::report::render_report(*store, {.run_dir = folder}));
    }
  } catch (const tapir::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
