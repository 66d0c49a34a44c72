// The page as a whole: what it must say, what it must never contain, and that its elements close.
#include <set>
#include <vector>

#include <gmock/gmock.h>

#include "report/example_run.h"
#include "report/report.h"
#include "test_data.h"

namespace tapir::report {
namespace {

using tapir::testing::ExampleRun;
using ::testing::HasSubstr;
using ::testing::Not;

std::string page(ExampleRun kind) {
  const tapir::testing::TemporaryFolder folder;
  const auto store = tapir::testing::make_example_run(folder.path(), kind);
  return render_report(*store, {.run_dir = folder.path()});
}

const std::string& complete_page() {
  static const std::string html = page(ExampleRun::complete);
  return html;
}

// Names of elements that are left open or closed out of order; empty when the page is well-formed.
std::string badly_nested(const std::string& html) {
  static const std::set<std::string> kEmpty = {"meta", "link", "br", "img"};
  std::vector<std::string> open;
  for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    if (html.compare(at, 2, "<!") == 0) continue;
    const std::size_t end = html.find('>', at);
    if (end == std::string::npos) return "a tag without end";
    const bool closing = html[at + 1] == '/';
    const std::size_t begin = at + (closing ? 2 : 1);
    const std::string name = html.substr(begin, html.find_first_of(" />\n", begin) - begin);
    if (closing) {
      if (open.empty() || open.back() != name)
        return "</" + name + "> at byte " + std::to_string(at);
      open.pop_back();
    } else if (html[end - 1] != '/' && !kEmpty.contains(name)) {
      open.push_back(name);
    }
    if (!closing && name == "style") at = html.find("</style", at) - 1;
  }
  return open.empty() ? "" : "open at the end: " + open.back();
}

TEST(Page, IsWellFormedInEveryState) {
  for (const ExampleRun kind : {ExampleRun::empty, ExampleRun::half_way, ExampleRun::complete}) {
    const std::string html = kind == ExampleRun::complete ? complete_page() : page(kind);
    EXPECT_EQ(badly_nested(html), "");
    EXPECT_THAT(html, Not(HasSubstr("nan%")));
    EXPECT_THAT(html, Not(HasSubstr("inf%")));
  }
}

TEST(Page, HoldsEverySection) {
  for (const char* words : {"points</b> above plain distillation",
                            "Exam accuracy",
                            "Against plain distillation",
                            "Model fitting difficulty of D",
                            "One order against the other",
                            "decisions flip",
                            " of 1,500 replies could be read",
                            "Warning: &lt;b&gt;odd&lt;/b&gt; figures",
                            "What any other threshold would keep",
                            "near duplicate",
                            "Shares that could not hold",
                            "The rounds",
                            "Equal tokens",
                            "Before: S\xE2\x82\x80",
                            "After: tapir",
                            "Backward transfer",
                            "Largest gains in the exam",
                            "Largest losses in the exam",
                            "The judge on",
                            "Ledger of every stage",
                            "Estimated and actual time",
                            "Teacher and judge",
                            "How to repeat it",
                            "3f9c1b7a90d2e4f65a77",
                            "agrees with its labels on 95.5 % of 200"}) {
    EXPECT_THAT(complete_page(), HasSubstr(words));
  }
}

TEST(Page, NeedsNoNetworkAndNoScript) {
  for (const char* forbidden :
       {"http://", "https://", "<script", "@import", "url(", "<iframe", "<object"}) {
    EXPECT_THAT(complete_page(), Not(HasSubstr(forbidden)));
  }
}

TEST(Page, TextOfModelsIsEscaped) {
  EXPECT_THAT(complete_page(), Not(HasSubstr("<script")));
  EXPECT_THAT(complete_page(), Not(HasSubstr("<img")));
  EXPECT_THAT(complete_page(), Not(HasSubstr("<not a tag>")));
  EXPECT_THAT(complete_page(), HasSubstr("short of &lt;easy&gt; rows"));
}

TEST(Page, HostileNamesAreEscapedToo) {
  ReportData data;
  const std::string hostile = tapir::testing::kHostile;
  data.run.name = data.run.seed = data.run.version = data.run.command = data.run.recipe = hostile;
  StudentResult student{.student = hostile, .arm = hostile, .label = hostile, .main = true};
  student.sets["uniform"] = {.items = 1, .accuracy = 1, .interval = {1, 1}, .score = 10};
  student.cells[{hostile, 1}] = {1, 1, 10, false};
  data.outcome = {"uniform", {student}};
  data.difficulty.rows = 1;
  data.difficulty.by_task.push_back({.task = hostile, .rows = 1});
  data.teaching.push_back(
      {.arm = hostile, .tasks = {{.task = hostile, .rejected = {{hostile, 1}}}}});
  data.curves.push_back({.arm = hostile, .label = hostile, .points = {{1, 1, 1, 1}}});
  data.trainings.push_back({.student = hostile});
  data.tokens.push_back({.arm = hostile, .steps = 1});
  data.forgetting.push_back(
      {.arm = hostile,
       .main = true,
       .students = {"s0", hostile},
       .rows = {{.set = hostile, .kind = hostile, .cells = {std::nullopt, ForgettingCell{1}}}}});
  data.benchmarks.alpaca_eval.push_back(
      {.student = hostile, .judge = hostile, .lc = 12.3, .not_comparable = hostile});
  data.benchmarks.mt_bench.push_back({.student = hostile, .judge = hostile});
  Example example{.id = hostile,
                  .family = hostile,
                  .task = hostile,
                  .instruction = hostile,
                  .teacher = hostile};
  example.teacher_author = example.s0 = example.final_answer = hostile;
  example.judge.push_back({hostile, 1, 1, hostile});
  data.examples.final_label = hostile;
  data.examples.random = data.examples.gains = data.examples.judged_random = {example};
  data.stages.push_back({.name = hostile,
                         .begun = true,
                         .finished = true,
                         .ledger = {.in = 1, .failed = {{hostile, 1}}}});
  data.usage.push_back({.role = hostile, .model = hostile});
  const std::string html = render_html(data);
  EXPECT_EQ(badly_nested(html), "");
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_EQ(html.find('\x01'), std::string::npos);
}

TEST(Page, ARunHalfWaySaysWhatIsNotThereYet) {
  const std::string html = page(ExampleRun::half_way);
  EXPECT_THAT(html, HasSubstr("under way"));
  EXPECT_THAT(html, HasSubstr("No student has sat the exam yet"));
  EXPECT_THAT(html, HasSubstr("Model fitting difficulty of D"));
  EXPECT_THAT(html, HasSubstr("This arm has no mixture yet"));
  EXPECT_THAT(html, HasSubstr("not yet"));
  const std::string empty = page(ExampleRun::empty);
  EXPECT_THAT(empty, HasSubstr("No pair has been judged yet"));
  EXPECT_THAT(empty, HasSubstr("Neither teacher nor judge was asked yet"));
}

TEST(Page, IsTheSameTextEveryTime) { EXPECT_EQ(complete_page(), page(ExampleRun::complete)); }

}  // namespace
}  // namespace tapir::report
