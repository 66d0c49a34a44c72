// The measuring side of benchmarks/scale_bench.py: one part of the product on made instructions.
//   scale_speed PART ROWS FOLDER
// PART: write, read, report (the run store in FOLDER, which `write` makes), exact, minhash,
// rouge_l, mixture, packing. Prints one JSON object: rows, wall and CPU seconds of the part alone
// (not of making the rows), what it found, peak memory of the process before and after in bytes.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "curriculum/curriculum.h"
#include "dataset/duplicates.h"
#include "report/report.h"
#include "stats/minhash.h"
#include "stats/rouge_index.h"
#include "store/run_store.h"
#include "student/batching.h"

namespace {

using namespace tapir;

constexpr double kCopies = 0.02;  // rows that repeat an earlier one
constexpr double kNear = 0.03;    // and such that change one word of it
constexpr double kWords = 12;     // of a row on average, as in Alpaca
constexpr int kTasks = 33;
constexpr const char* kStage = "data";

std::string row_id(std::size_t i) { return fmt::format("{:012x}", i); }
std::string task_of(std::size_t i) { return fmt::format("task-{:02}", i * 7919 % kTasks); }

// Words by Zipf's law out of a vocabulary that is large beside the rows.
std::string word(RandomStream& stream) {
  const double rank = std::pow(200'000.0, stream.uniform());
  return fmt::format("w{:x}", static_cast<std::int64_t>(rank));
}

std::vector<std::string> made_texts(std::size_t rows) {
  std::vector<std::string> texts;
  texts.reserve(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    RandomStream stream(1, "scale", std::to_string(i));
    const double kind = stream.uniform();
    if (i > 0 && kind < kCopies + kNear) {
      std::string text = texts[stream.below(i)];
      if (kind >= kCopies) text.replace(0, text.find(' '), word(stream));
      texts.push_back(std::move(text));
      continue;
    }
    const auto length =
        static_cast<std::size_t>(4 + -std::log(1 - stream.uniform()) * (kWords - 4));
    std::string text;
    for (std::size_t k = 0; k < length; ++k) text += (k > 0 ? " " : "") + word(stream);
    texts.push_back(std::move(text));
  }
  return texts;
}

Instruction instruction_of(std::size_t i, const std::string& text) {
  return {.id = row_id(i),
          .messages = {{Role::user, text}},
          .task = task_of(i),
          .source = "made",
          .parent_id = "",
          .round = 0};
}

std::int64_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

// Seconds and memory of what `work` does; it returns what it found.
Json measured(const std::function<Json()>& work) {
  const std::int64_t before = peak_bytes();
  const auto start = std::chrono::steady_clock::now();
  const std::clock_t cpu = std::clock();
  Json result = work();
  result["seconds"] = seconds_since(start);
  result["cpu_seconds"] = static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
  result["peak_before"] = before;
  result["peak_bytes"] = peak_bytes();
  return result;
}

// What the stages write about a row before the first round: the row, its answer, the student's,
// the judge's reading, the fit, and the outcomes.
Json write_store(std::size_t rows, const std::filesystem::path& folder) {
  const std::vector<std::string> texts = made_texts(rows);
  std::filesystem::remove(folder / "run.db");
  Json result = measured([&]() -> Json {
    const auto store = store::RunStore::open(folder / "run.db", store::OpenMode::create);
    store->begin_stage(kStage, "made");
    for (std::size_t i = 0; i < rows; ++i) {
      const std::string id = row_id(i);
      store->put_instruction(kStage, instruction_of(i, texts[i]));
      store->put_response(kStage, {.instruction_id = id, .author = "data", .text = texts[i]});
      store->put_response(kStage, {.instruction_id = id, .author = "student/s0", .text = texts[i]});
      store->put_fit(kStage, {.instruction_id = id,
                              .author = "student/s0",
                              .teacher_score = 9,
                              .student_score = static_cast<double>(1 + i % 9),
                              .orders = 1});
      store->put_outcome(kStage, id, Outcome::done, "");
    }
    store->flush();
    Ledger ledger = store->count_outcomes(kStage);
    ledger.in = rows;
    store->finish_stage(kStage, ledger, 1, "");
    return {{"found", ledger.done}};
  });
  result["file_bytes"] = std::filesystem::file_size(folder / "run.db");  // it is closed
  return result;
}

Json with_store(const std::filesystem::path& folder,
                const std::function<Json(const store::RunStore&)>& work) {
  const auto store = store::RunStore::open(folder / "run.db", store::OpenMode::read_only);
  return measured([&] { return work(*store); });
}

// What the beginning of every sitting reads.
Json read_store(const store::RunStore& store) {
  const auto rows = store.instructions();
  const auto answers = store.responses("data");
  const auto own = store.responses("student/s0");
  const auto fits = store.fits("student/s0");
  return {{"found", std::min({rows.size(), answers.size(), own.size(), fits.size()})}};
}

template <typename Index>
Json near_duplicates(std::size_t rows, Index index) {
  const std::vector<std::string> texts = made_texts(rows);
  return measured([&]() -> Json {
    std::int64_t found = 0;
    for (const std::string& text : texts) {
      if (index.find(text)) {
        ++found;
      } else {
        index.add(text);
      }
    }
    return {{"found", found}, {"index_bytes", index.bytes()}};
  });
}

Json exact(std::size_t rows) {
  const std::vector<std::string> texts = made_texts(rows);
  std::vector<Instruction> made;
  for (std::size_t i = 0; i < rows; ++i) made.push_back(instruction_of(i, texts[i]));
  return measured([&]() -> Json {
    std::size_t found = 0;
    for (const auto& group : dataset::exact_duplicates(made)) found += group.size() - 1;
    return {{"found", found}};
  });
}

// Quotas and mixture of one round of so many rows: half of them hard, shares of the tasks even.
Json mixture(std::size_t rows) {
  std::vector<curriculum::Candidate> hard;
  std::vector<curriculum::Candidate> easy;
  curriculum::QuotaInput input;
  input.rows = static_cast<std::int64_t>(rows) / 2;
  input.alpha = 0.5;
  for (std::size_t i = 0; i < rows; ++i) {
    const std::string task = task_of(i);
    input.shares[task] = 1.0 / kTasks;
    if (i / kTasks % 2 == 0) {
      hard.push_back({row_id(i), task, 0});
    } else {
      easy.push_back({row_id(i), task, 0});
      ++input.easy_available[task];
    }
  }
  return measured([&]() -> Json {
    const curriculum::Quotas quotas = curriculum::quotas(input);
    RandomStream stream(1, "mixture");
    const auto mixed = curriculum::mix(quotas, std::move(hard), std::move(easy), stream);
    return {{"found", mixed.rows.size()}, {"repeated", mixed.repeated.size()}};
  });
}

Json packing(std::size_t rows) {
  std::vector<std::int64_t> lengths;
  for (std::size_t i = 0; i < rows; ++i) {
    RandomStream stream(1, "lengths", std::to_string(i));
    lengths.push_back(std::min<std::int64_t>(
        2048, 40 + static_cast<std::int64_t>(-std::log(1 - stream.uniform()) * 120)));
  }
  return measured([&]() -> Json {
    const auto packed = student::pack_best_fit(lengths, 2048);
    std::int64_t tokens = 0;
    for (const std::int64_t length : lengths) tokens += length;
    return {
        {"found", packed.size()},
        {"filled", static_cast<double>(tokens) / (2048.0 * static_cast<double>(packed.size()))}};
  });
}

Json run(const std::string& part, std::size_t rows, const std::filesystem::path& folder) {
  if (part == "write") return write_store(rows, folder);
  if (part == "read") return with_store(folder, read_store);
  if (part == "report") {
    return with_store(folder, [&](const store::RunStore& store) -> Json {
      return {{"found", report::render_report(store, {.run_dir = folder}).size()}};
    });
  }
  if (part == "exact") return exact(rows);
  if (part == "minhash") return near_duplicates(rows, stats::MinHashIndex({.threshold = 0.7}));
  if (part == "rouge_l") return near_duplicates(rows, stats::RougeIndex(0.7));
  if (part == "mixture") return mixture(rows);
  if (part == "packing") return packing(rows);
  throw Error(ErrorKind::usage, "no part " + part);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    tapir::check(argc == 4, "PART ROWS FOLDER");
    tapir::Json result = run(argv[1], std::stoul(argv[2]), argv[3]);
    result["part"] = argv[1];
    result["rows"] = std::stoul(argv[2]);
    std::puts(result.dump().c_str());
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "scale_speed: %s\n", e.what());
    return 1;
  }
}
