// The gym's teacher and judge, asked with the production prompts and read with the production
// readers.
#include "gym/models.h"

#include <atomic>
#include <future>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "gym/world.h"
#include "prompting/judgment_forms.h"
#include "prompting/prompts.h"

namespace tapir::gym {
namespace {

using prompting::PromptSet;

llm::ChatReply ask(llm::ChatModel& model, Messages messages, std::int64_t seed = 0,
                   int attempt = 0) {
  llm::ChatRequest request;
  request.row_id = "row";
  request.attempt = attempt;
  request.messages = std::move(messages);
  request.sampling.seed = seed;
  std::promise<llm::ChatReply> promise;
  std::future<llm::ChatReply> reply = promise.get_future();
  model.submit(request, [&](llm::ChatReply got) { promise.set_value(std::move(got)); }, {});
  return reply.get();
}

Messages user(const std::string& text) { return {{Role::user, text}}; }

class Models : public ::testing::Test {
 protected:
  PromptSet prompts = PromptSet::load("");
  std::unique_ptr<llm::ChatModel> teacher = make_teacher({});
  std::unique_ptr<llm::ChatModel> judge = make_judge({});
};

TEST_F(Models, TeacherAnswersInTheStyleAskedFor) {
  for (const Family* family : families()) {
    const std::string prompt = make_item(*family, 3, Part::train, 1, 1).prompt;
    const auto styled = [&](std::string_view style) {
      const auto reply =
          ask(*teacher, prompts.answer(user(prompt), family->task(), style, "some guidance"));
      EXPECT_TRUE(reply.ok()) << reply.error;
      EXPECT_EQ(reply.row_id, "row");
      EXPECT_GT(reply.usage.prompt_tokens, 0);
      EXPECT_GT(reply.usage.completion_tokens, 0);
      return prompting::read_answer(reply.text).text;
    };
    EXPECT_EQ(styled("steps"), family->teacher(prompt, Style::steps));
    EXPECT_EQ(styled("brief"), family->teacher(prompt, Style::terse));
    EXPECT_EQ(styled("terse"), family->teacher(prompt, Style::terse));
    EXPECT_EQ(styled("answer"), family->teacher(prompt, Style::answer));
    EXPECT_EQ(styled("something else"), family->teacher(prompt, Style::steps));
  }
}

TEST_F(Models, TeacherRefinesAWrongAnswer) {
  const auto reply = ask(
      *teacher, prompts.refine(user("add:b4a7+B2A5"), "#62", "Math", "steps", "Show each step."));
  EXPECT_EQ(reply.text, "a7+A5+0=12;b4+B2+1=07;#72");
}

TEST_F(Models, TeacherExpandsWithinTheTaskAndTheTrainPart) {
  for (const Family* family : families()) {
    const std::string seed_prompt = make_item(*family, 2, Part::train, 1, 1).prompt;
    std::set<int> levels;
    for (int i = 0; i < 25; ++i) {
      const auto reply =
          ask(*teacher, prompts.expand(family->task(), "what it is", seed_prompt), i);
      const auto read = prompting::read_expansion(reply.text);
      ASSERT_TRUE(reply.ok() && read.ok()) << reply.error << read.failure;
      ASSERT_EQ(recognise(read.text), family) << read.text;
      EXPECT_TRUE(may_teach(*family, read.text));
      EXPECT_NE(read.text, seed_prompt);
      levels.insert(family->level(read.text));
    }
    EXPECT_EQ(levels, (std::set<int>{2, 3}));
  }
}

TEST_F(Models, MutationTakesAnotherFamilyOfTheTask) {
  const auto mutating = make_teacher({.evolve_share = 0, .mutate_share = 1});
  const auto reply = ask(*mutating, prompts.expand("Math", "sums", "add:b4a7+B2A5"));
  EXPECT_EQ(recognise(reply.text), find_family("modsum"));
  // No other family poses code to repair: a sibling instead.
  const auto alone = ask(*mutating, prompts.expand("Code Debug", "repair", "fix: whlie x print y"));
  EXPECT_EQ(recognise(alone.text), find_family("debug_token"));
}

TEST_F(Models, TeacherExpandsFromADescriptionAlone) {
  const auto reply = ask(*teacher, prompts.expand("Reasoning", "what follows from what", ""));
  const Family* family = recognise(reply.text);
  ASSERT_NE(family, nullptr) << reply.text << reply.error;
  EXPECT_EQ(family->task(), "Reasoning");
  EXPECT_LE(family->level(reply.text), 2);
}

TEST_F(Models, TeacherClassifies) {
  const std::vector<std::pair<std::string, std::string>> tasks = {{"Math", "sums"},
                                                                  {"Reasoning", "logic"}};
  const auto reply = ask(*teacher, prompts.classify(user("add:b4a7+B2A5"), tasks));
  EXPECT_EQ(prompting::read_label(reply.text, {"Math", "Reasoning"}).text, "Math");
}

TEST_F(Models, TeacherAnswersABarePromptAndRefusesUnknownText) {
  EXPECT_EQ(ask(*teacher, user("add:b4a7+B2A5")).text, "#72");
  for (const std::string text : {"Hello there", "", "<instruction>\nadd:a4+\n</instruction>"}) {
    const auto reply = ask(*teacher, user(text));
    EXPECT_EQ(reply.failure, llm::Failure::invalid_request) << text;
    EXPECT_FALSE(reply.error.empty());
  }
  EXPECT_EQ(ask(*teacher, {}).failure, llm::Failure::invalid_request);
  EXPECT_EQ(ask(*teacher, prompts.expand("Cookery", "soups", "")).failure,
            llm::Failure::invalid_request);
}

TEST_F(Models, TeacherErrsAsOftenAsAsked) {
  const auto careless = make_teacher({.error_rate = 0.3});
  int wrong = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string prompt =
        make_item(*find_family("add"), 3, Part::train, 2, static_cast<std::uint64_t>(i)).prompt;
    const auto reply = ask(*careless, prompts.answer(user(prompt), "Math", "steps", ""));
    wrong += judge_text(prompt, reply.text)->right() ? 0 : 1;
  }
  EXPECT_NEAR(wrong, 60, 25);
}

TEST_F(Models, JudgeScoresBothAnswers) {
  const auto scores = [&](llm::ChatModel& model, std::string_view a, std::string_view b) {
    const auto reply = ask(model, prompts.judge_pair(user("add:b4a7+B2A5"), a, b));
    EXPECT_TRUE(reply.ok()) << reply.error;
    return prompting::read_pair_scores(reply.text);
  };
  const auto plain = scores(*judge, "#72", "I like turtles.");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain.a, 10);
  EXPECT_EQ(plain.b, 1);
  EXPECT_EQ(scores(*judge, "#71", "a7+A5+0=12;b4+B2+1=07;#72").b, 10);
  EXPECT_LT(*scores(*judge, "#71", "#72").a, 6);
  const auto biased = make_judge({.position_bias = 3});
  EXPECT_EQ(scores(*biased, "no", "no").a, 4);
  EXPECT_EQ(scores(*biased, "no", "no").b, 1);
  const auto fond_of_length = make_judge({.length_bias = 5});
  EXPECT_EQ(scores(*fond_of_length, std::string(100, 'x'), "no").a, 6);
  EXPECT_EQ(ask(*judge, user("add:b4a7+B2A5")).failure, llm::Failure::invalid_request);
}

TEST_F(Models, JudgeRatesTheLastTurnForMtBench) {
  const auto rating = [&](const prompting::GradedTurns& turns,
                          const std::vector<std::string>& answers) {
    const auto reply = ask(*judge, prompts.mt_single(turns, answers));
    EXPECT_TRUE(reply.ok()) << reply.error;
    return prompting::read_mtbench_rating(reply.text).score;
  };
  EXPECT_EQ(rating({{"add:b4a7+B2A5"}, {}}, {"#72"}), 10);
  EXPECT_EQ(rating({{"What?", "add:b4a7+B2A5"}, {"This.", "#72"}}, {"no", "#72"}), 10);
  EXPECT_LT(*rating({{"What?", "add:b4a7+B2A5"}, {}}, {"#72", "#71"}), 6);
  EXPECT_EQ(ask(*judge, prompts.mt_single({{"What?"}, {}}, {"#72"})).failure,
            llm::Failure::invalid_request);
}

TEST_F(Models, JudgeComparesTwoAssistantsForMtBench) {
  const auto choice = [&](const std::string& a, const std::string& b) {
    const auto reply = ask(*judge, prompts.mt_pair({{"add:b4a7+B2A5"}, {}}, {a}, {b}));
    EXPECT_TRUE(reply.ok()) << reply.error;
    return prompting::read_choice(reply.text).choice;
  };
  EXPECT_EQ(choice("#72", "#71"), prompting::Choice::a);
  EXPECT_EQ(choice("#71", "#72"), prompting::Choice::b);
  EXPECT_EQ(choice("#72", "#72"), prompting::Choice::tie);
}

TEST_F(Models, JudgeReadsTheRepairPromptToo) {
  const auto reply =
      ask(*judge, prompts.judge_pair_again(user("add:b4a7+B2A5"), "#72", "#1", "...", "no scores"));
  EXPECT_EQ(prompting::read_pair_scores(reply.text).a, 10);
}

TEST_F(Models, MalformedRepliesCannotBeReadAndDifferByAttempt) {
  const auto sloppy = make_judge({.malformed_rate = 0.5});
  int unread = 0;
  for (int attempt = 0; attempt < 100; ++attempt) {
    const auto reply =
        ask(*sloppy, prompts.judge_pair(user("add:b4a7+B2A5"), "#72", "#1"), 0, attempt);
    unread += prompting::read_pair_scores(reply.text).ok() ? 0 : 1;
  }
  EXPECT_NEAR(unread, 50, 20);
}

TEST_F(Models, SameRequestSameReply) {
  const auto noisy = make_judge({.noise = 2});
  const auto other = make_judge({.noise = 2});
  const Messages messages = prompts.judge_pair(user("add:b4a7+B2A5"), "#71", "#1");
  std::set<std::string> texts;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(ask(*noisy, messages, i).text, ask(*other, messages, i).text);
    texts.insert(ask(*noisy, messages, i).text);
  }
  EXPECT_GT(texts.size(), 2U);
  EXPECT_EQ(noisy->identity().settings, other->identity().settings);
  EXPECT_NE(noisy->identity().settings, judge->identity().settings);
}

TEST_F(Models, EveryRequestIsDoneOnceEvenWhenStopped) {
  constexpr int kRequests = 500;
  std::atomic<int> done{0};
  std::atomic<int> stopped{0};
  std::stop_source stop;
  {
    const auto model = make_teacher({});
    for (int i = 0; i < kRequests; ++i) {
      if (i == kRequests / 2) stop.request_stop();
      const auto caller = std::this_thread::get_id();
      model->submit(
          {.messages = user("add:b4a7+B2A5")},
          [&, caller](llm::ChatReply reply) {
            EXPECT_NE(std::this_thread::get_id(), caller);
            ++done;
            stopped += reply.failure == llm::Failure::stopped ? 1 : 0;
          },
          stop.get_token());
    }
  }
  EXPECT_EQ(done, kRequests);
  EXPECT_EQ(stopped, kRequests / 2);
}

}  // namespace
}  // namespace tapir::gym
