#include <atomic>
#include <mutex>
#include <set>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "shuffled_model.h"
#include "teach/novelty.h"
#include "teach/teach.h"

namespace tapir::teach {
namespace {

using testing::fails;
using testing::says;
using testing::ShuffledModel;

std::string text_of(const Instruction& instruction) {
  return instruction.messages.empty() ? std::string() : instruction.prompt();
}

std::vector<Instruction> seeds_of(const std::string& task, int count) {
  std::vector<Instruction> seeds;
  for (int i = 0; i < count; ++i) {
    Instruction seed;
    seed.task = task;
    seed.id = task + "-" + std::to_string(i);
    seed.messages = {{Role::user, task + " question " + std::to_string(i)}};
    seeds.push_back(seed);
  }
  return seeds;
}

// One of a few new instructions of the task, drawn by the sampling seed, so that duplicates occur.
llm::ChatReply teacher(const llm::ChatRequest& request) {
  const auto task = prompting::read_fence(request.messages.back().content, "task").value();
  RandomStream stream(static_cast<std::uint64_t>(request.sampling.seed.value()), "teacher");
  if (stream.chance(0.1)) return says("I'm sorry, but I can't.");
  if (stream.chance(0.05)) return fails(llm::Failure::content_filter);
  return says("New instruction: " + task + " number " + std::to_string(stream.below(60)));
}

struct Result {
  ExpandSummary summary;
  std::vector<std::pair<std::string, std::string>> rows;  // id, outcome, in order
  std::vector<ExpandedRow> expanded;
  std::vector<llm::ChatRequest> asked;
};

const std::map<std::string, std::vector<Instruction>> kSeeds = {
    {"Math", seeds_of("Math", 7)}, {"Grammar", seeds_of("Grammar", 2)}};
const std::map<std::string, std::int64_t> kNeeded = {
    {"Math", 30}, {"Grammar", 10}, {"Roleplay", 8}, {"Reasoning", 0}};

Result run(const ShuffledModel::Answer& answer, ExpandOptions options, std::uint64_t shuffle = 1,
           const std::map<std::string, std::int64_t>& needed = kNeeded, std::stop_token stop = {}) {
  ShuffledModel model(answer, shuffle);
  HashNovelty novelty(text_of);
  for (const auto& [task, seeds] : kSeeds) {
    for (const Instruction& seed : seeds) novelty.add(seed);
  }
  Result result;
  result.summary = expand(
      model, prompting::PromptSet::load({}), tasks::load_taxonomy("gym"), kSeeds, needed, novelty,
      options,
      [&](const ExpandedRow& row) {
        result.rows.emplace_back(row.instruction.id, row.outcome);
        result.expanded.push_back(row);
      },
      silent_progress(), stop);
  EXPECT_TRUE(result.summary.ledger.balances());
  EXPECT_EQ(result.summary.ledger.in, result.rows.size());
  result.asked = model.asked();
  return result;
}

ExpandOptions options_of(int wave_rows = 2048) {
  ExpandOptions options;
  options.arm = "tapir";
  options.wave_rows = wave_rows;
  options.max_in_flight = 8;
  return options;
}

TEST(Expand, LayeredRequestsAskForTheirRequirements) {
  ExpandOptions options;
  options.requirements = [](const std::string& request) { return "Of " + request + "."; };
  const Result result = run(teacher, options);
  std::set<std::string> asked_for;
  for (const llm::ChatRequest& request : result.asked) {
    const auto asked = prompting::read_fence(request.messages.back().content, "requirements");
    ASSERT_TRUE(asked);
    asked_for.insert(*asked);
  }
  std::set<std::string> named;
  for (const ExpandedRow& row : result.expanded) named.insert("Of " + row.request + ".");
  EXPECT_EQ(asked_for, named) << "rows know the request that their requirements were drawn for";
  EXPECT_EQ(named.size(), result.expanded.size());
}

TEST(Expand, ReachesWhatIsNeededWithNewInstructionsOnly) {
  const Result result = run(teacher, options_of());
  EXPECT_TRUE(result.summary.complete);
  EXPECT_TRUE(result.summary.missing.empty());
  EXPECT_EQ(result.summary.kept.at("Math"), 30);
  EXPECT_EQ(result.summary.kept.at("Grammar"), 10);
  EXPECT_EQ(result.summary.kept.at("Roleplay"), 8)
      << "a task without seeds starts from its description";
  EXPECT_FALSE(result.summary.kept.contains("Reasoning"));
  EXPECT_GT(result.summary.waves, 1);
  EXPECT_GT(result.summary.ledger.filtered.at("duplicate"), 0U);
  EXPECT_GT(result.summary.ledger.failed.at("refusal"), 0U);
  std::set<std::string> texts;
  std::set<std::string> ids;
  for (const ExpandedRow& row : result.expanded) {
    EXPECT_TRUE(ids.insert(row.instruction.id).second);
    EXPECT_EQ(row.instruction.round, 1);
    EXPECT_EQ(row.instruction.source, "expanded");
    if (row.outcome != "kept") continue;
    EXPECT_TRUE(texts.insert(row.instruction.prompt()).second) << row.instruction.prompt();
    EXPECT_TRUE(row.instruction.prompt().starts_with(row.instruction.task + " number"));
    if (row.instruction.task == "Roleplay") {
      EXPECT_EQ(row.instruction.parent_id, "");
    } else {
      EXPECT_TRUE(row.instruction.parent_id.starts_with(row.instruction.task + "-"));
    }
  }
  EXPECT_EQ(texts.size(), 48U);
}

TEST(Expand, DoesNotDependOnArrival) {
  const Result first = run(teacher, options_of(), 1);
  ExpandOptions wide = options_of();
  wide.max_in_flight = 500;
  const Result second = run(teacher, wide, 2);
  EXPECT_EQ(first.rows, second.rows);
  EXPECT_EQ(first.summary.ledger, second.summary.ledger);
}

// A task that the data has nothing of is not asked for by the same words again and again.
TEST(Expand, ExamplesOfTheTaxonomyStandInForSeeds) {
  ShuffledModel model(
      [](const llm::ChatRequest& request) {
        return says("Invented " + std::to_string(request.sampling.seed.value()));
      },
      1);
  const tasks::Taxonomy taxonomy = tasks::load_taxonomy("tapir33");
  const std::vector<std::string>& examples = taxonomy.find("Math")->examples;
  ASSERT_GE(examples.size(), 2U);
  HashNovelty novelty(text_of);
  std::vector<ExpandedRow> rows;
  expand(model, prompting::PromptSet::load({}), taxonomy, {}, {{"Math", 6}}, novelty, options_of(),
         [&](const ExpandedRow& row) { rows.push_back(row); }, silent_progress(), {});
  std::set<std::string> shown;
  for (const llm::ChatRequest& request : model.asked()) {
    shown.insert(
        prompting::read_fence(request.messages.back().content, "seed_instruction").value());
  }
  EXPECT_EQ(shown, std::set<std::string>(examples.begin(), examples.end()));
  for (const ExpandedRow& row : rows) EXPECT_EQ(row.instruction.parent_id, "");
}

// Of a conversation the last question alone would mean nothing.
TEST(Expand, ASeedWithEarlierTurnsIsShownWhole) {
  ShuffledModel model([](const llm::ChatRequest&) { return says("Something new"); }, 1);
  Instruction seed;
  seed.id = "talk";
  seed.task = "Math";
  seed.messages = {{Role::system, "You are helpful."},
                   {Role::user, "What is 2 + 3?"},
                   {Role::assistant, "5"},
                   {Role::user, "And twice that?"}};
  HashNovelty novelty(text_of);
  expand(model, prompting::PromptSet::load({}), tasks::load_taxonomy("gym"), {{"Math", {seed}}},
         {{"Math", 1}}, novelty, options_of(), [](const ExpandedRow&) {}, silent_progress(), {});
  EXPECT_EQ(
      prompting::read_fence(model.asked().front().messages.back().content, "seed_instruction"),
      "[user]\nWhat is 2 + 3?\n\n[assistant]\n5\n\n[user]\nAnd twice that?");
}

TEST(Expand, SeedsTakeTurns) {
  const Result result = run(teacher, options_of(), 1, {{"Math", 7}});
  std::set<std::string> parents;
  for (std::size_t i = 0; i < 7; ++i) parents.insert(result.expanded[i].instruction.parent_id);
  EXPECT_EQ(parents.size(), 7U) << "all seven seeds inspire one each before any inspires a second";
}

std::set<std::string> keys(const Result& result) {
  std::set<std::string> keys;
  for (const llm::ChatRequest& request : result.asked)
    keys.insert(llm::reply_key({"k", "m", ""}, request));
  return keys;
}

TEST(Expand, EveryRequestIsAnotherOneAndArmsShareTheirs) {
  const Result tapir = run(teacher, options_of());
  EXPECT_EQ(keys(tapir).size(), tapir.asked.size())
      << "the same seed again asks for something else";
  ExpandOptions other = options_of();
  other.arm = "ablation";
  const Result ablation = run(teacher, other);
  EXPECT_EQ(keys(ablation), keys(tapir));
  EXPECT_NE(ablation.rows.front().first, tapir.rows.front().first) << "ids are the arm's own";
  ExpandOptions next_round = options_of();
  next_round.round = 2;
  for (const std::string& key : keys(run(teacher, next_round)))
    EXPECT_FALSE(keys(tapir).contains(key));
}

TEST(Expand, SmallWavesKeepTheirSize) {
  const Result result = run(teacher, options_of(/*wave_rows=*/5));
  EXPECT_TRUE(result.summary.missing.empty());
  EXPECT_GE(result.summary.waves, 10);
}

TEST(Expand, GivesUpAfterTheAttempts) {
  const Result result =
      run([](const llm::ChatRequest&) { return says("always the same"); }, options_of());
  EXPECT_TRUE(result.summary.complete);
  EXPECT_EQ(result.summary.ledger.done, 1U);
  EXPECT_EQ(result.summary.ledger.in, 3U * 48U);
  std::int64_t missing = 0;
  for (const auto& [task, rows] : result.summary.missing) missing += rows;
  EXPECT_EQ(missing, 47);
}

TEST(Expand, TransientFailuresAndStopsEndInTheSameRows) {
  const Result reference = run(teacher, options_of(16));
  // Durable replies: what was answered once is answered the same from then on.
  std::mutex mutex;
  std::set<std::string> durable;
  std::atomic<int> calls = 0;
  Result last;
  for (int sitting = 0; sitting < 200; ++sitting) {
    std::stop_source stop;
    std::atomic<int> here = 0;
    const auto faulty = [&](const llm::ChatRequest& request) {
      const std::lock_guard lock(mutex);
      const std::string key = llm::reply_key({"k", "m", ""}, request);
      if (!durable.contains(key)) {
        if (sitting % 3 == 0 && ++here == 20) stop.request_stop();
        if (++calls % 4 == 0) return fails(llm::Failure::rate_limited);
        durable.insert(key);
      }
      return teacher(request);
    };
    last =
        run(faulty, options_of(16), static_cast<std::uint64_t>(sitting), kNeeded, stop.get_token());
    if (last.summary.complete) break;
    // What was decided so far is the beginning of the whole.
    ASSERT_LE(last.rows.size(), reference.rows.size());
    ASSERT_TRUE(std::equal(last.rows.begin(), last.rows.end(), reference.rows.begin()));
  }
  EXPECT_TRUE(last.summary.complete);
  EXPECT_EQ(last.rows, reference.rows);
  EXPECT_EQ(last.summary.ledger, reference.summary.ledger);
  EXPECT_EQ(last.summary.kept, reference.summary.kept);
}

TEST(Expand, UnknownTasksAreErrors) {
  EXPECT_THROW(run(teacher, options_of(), 1, {{"Cooking", 1}}), Error);
}

TEST(Expand, NothingNeededAsksNothing) {
  const Result result = run(teacher, options_of(), 1, {});
  EXPECT_TRUE(result.summary.complete);
  EXPECT_EQ(result.summary.waves, 0);
  EXPECT_TRUE(result.asked.empty());
}

}  // namespace
}  // namespace tapir::teach
