// docs/cost.md's figures are those of `tapir estimate`. TAPIR_UPDATE_DOCS=1 rewrites them.
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "marked_part.h"
#include "pipeline/estimate.h"
#include "pipeline/estimate_corpus.h"
#include "pipeline/recipe.h"
#include "student/student.h"
#include "test_data.h"

namespace tapir::pipeline {
namespace {

const std::filesystem::path kPage = std::filesystem::path(TAPIR_SOURCE_DIR) / "docs" / "cost.md";
constexpr const char* kData = "instructions/alpaca_union_17k.jsonl.gz";
constexpr std::int64_t kRows = 52'002;  // of Alpaca

// The page is about endpoints: training is neither planned nor timed.
class NoTraining final : public student::StudentEngine {
 public:
  std::shared_ptr<const student::Student> load(const std::filesystem::path&) const override {
    throw Error(ErrorKind::bug, "an estimate needs no weights");
  }
  student::Preflight preflight(const student::TrainJob&) const override { return {}; }
  student::TrainResult train(const student::TrainJob&, ProgressSink&,
                             std::stop_token) const override {
    throw Error(ErrorKind::bug, "an estimate trains nothing");
  }
  std::string version() const override { return "none"; }
};

struct Variant {
  std::string name;
  std::vector<std::string> settings;
};

const std::vector<Variant>& variants() {
  static const std::vector<Variant> all = {
      {"one order, local tasks, answers kept", {"judge.orders=single"}},
      {"adaptive, local tasks, answers kept", {}},
      {"both orders, local tasks, answers kept", {"judge.orders=both"}},
      {"adaptive, tasks by the teacher, answers kept", {"tasks.classifier=llm"}},
      {"adaptive, local tasks, re-annotated", {"data.responses=reannotate"}},
      {"both orders, tasks by the teacher, re-annotated: the paper's way",
       {"judge.orders=both", "tasks.classifier=llm", "data.responses=reannotate"}},
  };
  return all;
}

class CostPage {
 public:
  CostPage()
      : facts_(corpus_facts(recipe(
            {fmt::format("data.instructions=['{}']", (testing::test_data() / kData).string())}))) {
    facts_.rows = kRows;  // a third of the rows tells how long they are
  }

  Estimate of(std::vector<std::string> settings) const {
    return estimate(recipe(settings), NoTraining(), facts_);
  }

  std::string totals() const {
    std::string table =
        "| | calls | prompt tokens, M | reply tokens, M | $ | $, judge by batch | hours |\n"
        "|---|---|---|---|---|---|---|\n";
    for (const Variant& variant : variants()) {
      auto by_batch = variant.settings;
      by_batch.push_back("judge.mode=batch");
      const Estimate e = of(variant.settings);
      std::int64_t prompt = 0;
      std::int64_t reply = 0;
      for (const StageEstimate& stage : e.stages) {
        prompt += stage.prompt_tokens;
        reply += stage.completion_tokens;
      }
      table += fmt::format("| {} | {} | {:.1f} | {:.1f} | {:.0f} | {:.0f} | {:.1f} |\n",
                           variant.name, e.calls, static_cast<double>(prompt) / 1e6,
                           static_cast<double>(reply) / 1e6, e.usd, of(by_batch).usd, hours(e));
    }
    return table;
  }

  std::string stages() const {
    std::string table =
        "| stage | calls | prompt tokens, M | reply tokens, M | $ | hours |\n"
        "|---|---|---|---|---|---|\n";
    for (const StageEstimate& stage : of(variants().back().settings).stages) {
      if (stage.calls == 0) continue;
      table += fmt::format("| {} | {} | {:.1f} | {:.1f} | {:.0f} | {:.1f} |\n", stage.stage,
                           stage.calls, static_cast<double>(stage.prompt_tokens) / 1e6,
                           static_cast<double>(stage.completion_tokens) / 1e6, stage.usd,
                           stage.seconds / 3600);
    }
    return table;
  }

 private:
  // Of the stages that ask somebody.
  static double hours(const Estimate& e) {
    double seconds = 0;
    for (const StageEstimate& stage : e.stages) seconds += stage.calls > 0 ? stage.seconds : 0;
    return seconds / 3600;
  }

  // The recipe that the page shows, read from the page itself.
  static Recipe recipe(const std::vector<std::string>& settings) {
    const std::string page = read_file(kPage);
    const std::size_t begin = page.find("```yaml\n") + 8;
    const std::string yaml = page.substr(begin, page.find("```", begin) - begin);
    return parse_recipe(yaml, "docs/cost.md", TAPIR_SOURCE_DIR, settings);
  }

  CorpusFacts facts_;
};

TEST(CostPage, HoldsWhatTheEstimateSays) {
  TAPIR_NEEDS_TEST_DATA(kData);
  const CostPage cost;
  const std::string page = read_file(kPage);
  std::string made = testing::with_part(page, "<!-- totals -->\n", "<!-- end -->", cost.totals());
  made = testing::with_part(made, "<!-- stages -->\n", "<!-- end -->", cost.stages());
  if (std::getenv("TAPIR_UPDATE_DOCS") != nullptr) write_file(kPage, made);
  EXPECT_EQ(read_file(kPage), made) << "TAPIR_UPDATE_DOCS=1 writes it anew";
}

// What the page says in words.
TEST(CostPage, ItsWordsHold) {
  TAPIR_NEEDS_TEST_DATA(kData);
  const CostPage cost;
  const double single = cost.of({"judge.orders=single"}).usd;
  const double adaptive = cost.of({}).usd;
  const double both = cost.of({"judge.orders=both"}).usd;
  EXPECT_LT(adaptive - single, 0.25 * (both - single)) << "adaptive saves most of the second order";
  EXPECT_LT(both, 700) << "the recipe fits its own budget";
  EXPECT_LT(cost.of(variants().back().settings).usd, 700);
}

}  // namespace
}  // namespace tapir::pipeline
