// Our side of benchmarks/novelty_bench.py.
//   novelty_speed TEXTS THRESHOLD rouge_l|minhash OUT
// TEXTS: a JSON array of texts. Each is kept unless one that was kept before it is too like it. OUT
// gets, line by line, -1 for a text that is kept, else the number of the text that it is like and
// the likeness. Prints one JSON object: texts, kept, CPU seconds of all and of the last tenth of
// the texts, bytes of the index, peak memory of the process in bytes.
#include <cstdio>
#include <ctime>
#include <exception>
#include <string>
#include <vector>

#include <sys/resource.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "stats/minhash.h"
#include "stats/rouge_index.h"

namespace {

// Of this process: what else the machine does is not counted.
double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double likeness(const tapir::stats::RougeMatch& match) { return match.f1; }
double likeness(const tapir::stats::MinHashMatch& match) { return match.similarity; }

template <typename Index>
tapir::Json decide(const std::vector<std::string>& texts, Index& index, std::string& out) {
  std::vector<std::size_t> kept;
  const double start = cpu_seconds();
  double tail_start = start;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i == texts.size() - texts.size() / 10) tail_start = cpu_seconds();
    if (const auto match = index.find(texts[i])) {
      out +=
          std::to_string(kept[match->number]) + " " + tapir::Json(likeness(*match)).dump() + "\n";
      continue;
    }
    index.add(texts[i]);
    kept.push_back(i);
    out += "-1\n";
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {{"texts", texts.size()},
          {"kept", kept.size()},
          {"seconds", cpu_seconds() - start},
          {"tail_texts", texts.size() / 10},
          {"tail_seconds", cpu_seconds() - tail_start},
          {"index_bytes", index.bytes()},
          {"peak_bytes", usage.ru_maxrss * 1024}};
}

int run(const std::vector<std::string>& arguments) {
  tapir::check(arguments.size() == 4, "TEXTS THRESHOLD rouge_l|minhash OUT");
  const auto texts = tapir::parse_json(tapir::read_file(arguments[0]), arguments[0])
                         .get<std::vector<std::string>>();
  const double threshold = std::stod(arguments[1]);
  std::string out;
  tapir::Json result;
  if (arguments[2] == "minhash") {
    tapir::stats::MinHashIndex index({.threshold = threshold});
    result = decide(texts, index, out);
  } else {
    tapir::stats::RougeIndex index(threshold);
    result = decide(texts, index, out);
  }
  tapir::write_file(arguments[3], out);
  std::puts(result.dump().c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "novelty_speed: %s\n", e.what());
    return 1;
  }
}
