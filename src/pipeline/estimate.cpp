#include "pipeline/estimate.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "base/error.h"
#include "dataset/read_instructions.h"
#include "difficulty/pair_scorers.h"
#include "pipeline/doctor.h"
#include "pipeline/gym_binding.h"
#include "pipeline/plan.h"
#include "pipeline/training_job.h"

namespace tapir::pipeline {
namespace {

// What is assumed where nothing is known before the run. Shown by assumptions_text().
constexpr double kNewPerHard = 0.6;       // expansions per hard row of a mixture
constexpr double kRequestsPerNew = 1.15;  // some are rejected
constexpr double kSecondOrders = 0.15;    // adaptive: pairs judged in both orders, beyond the pilot
constexpr double kBytesPerToken = 3.5;
constexpr double kPromptOverhead = 350;  // tokens that our templates add to a request
constexpr double kJudgeReply = 120;      // tokens
constexpr double kStyledAnswer = 2.5;    // length of a refined answer over that of D
constexpr double kTrainFlops = 60e9;     // of the student engine on two cores, per second
constexpr double kDecodeFlops = 60e9;
constexpr double kLocalReplies = 6000;  // replies a second of a teacher or judge in process
constexpr double kRemoteReplies = 8;    // of an endpoint, over all its connections

constexpr std::size_t kMemoryRows = 256;  // the longest rows: what memory is planned for

struct Corpus {
  std::int64_t rows = 0;
  std::vector<Example> longest;  // kMemoryRows of them
  double prompt_tokens = 0;      // mean of a row
  double answer_tokens = 0;
  double asked_share = 0;  // rows that a model has to judge; the others are judged by rule
};

std::size_t length_of(const Example& example) {
  std::size_t bytes = 0;
  for (const Segment& segment : example.segments) bytes += segment.text.size();
  return bytes;
}

// A row as rounds train on it: refined, its answer grows. One without an answer counts with one as
// long as its question.
Example sample_row(const Recipe& recipe, const Instruction& instruction,
                   const std::string& response) {
  const std::string& text = response.empty() ? instruction.messages.back().content : response;
  const double growth = recipe.tapir.refine == "none" ? 1 : kStyledAnswer;
  std::string answer;
  while (static_cast<double>(answer.size()) < growth * static_cast<double>(text.size()))
    answer += text;
  return make_example(instruction, answer);
}

void keep_longest(std::vector<Example>& rows) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Example& a, const Example& b) { return length_of(a) > length_of(b); });
  rows.resize(std::min(rows.size(), kMemoryRows));
}

Corpus corpus_of(const Recipe& recipe) {
  Corpus corpus;
  double prompt = 0;
  double answer = 0;
  double by_rule = 0;
  std::set<std::string> ruled;
  for (const std::string& entry : recipe.judge_by_source)
    ruled.insert(file_entry(entry, "judge.by_source", "gsm8k.jsonl: answer_match").first);
  const auto add = [&](const Instruction& instruction, const std::string& response) {
    ++corpus.rows;
    for (const Message& message : instruction.messages)
      prompt += static_cast<double>(message.content.size());
    answer += static_cast<double>(response.size());
    corpus.longest.push_back(sample_row(recipe, instruction, response));
    if (corpus.longest.size() == 8 * kMemoryRows) keep_longest(corpus.longest);
  };
  if (recipe.data.gym_rows > 0) {
    for (const GymRow& row : gym_held_out(200, recipe.seed)) add(row.instruction, row.answer);
    prompt *= static_cast<double>(recipe.data.gym_rows) / static_cast<double>(corpus.rows);
    answer *= static_cast<double>(recipe.data.gym_rows) / static_cast<double>(corpus.rows);
    corpus.rows = recipe.data.gym_rows;
  } else {
    for (const auto& row : dataset::read_instructions(instruction_files(recipe))) {
      add(row.instruction, row.response.value_or(""));
      by_rule += ruled.contains(row.instruction.source) ? 1 : 0;
    }
  }
  if (difficulty::make_pair_scorer(recipe.judge.kind) == nullptr) {
    corpus.asked_share = 1 - by_rule / static_cast<double>(std::max<std::int64_t>(1, corpus.rows));
  }
  keep_longest(corpus.longest);
  // The gym's vocabulary is small: a token is about two bytes there.
  const double bytes = recipe.data.gym_rows > 0 ? 2.0 : kBytesPerToken;
  corpus.prompt_tokens =
      prompt / static_cast<double>(std::max<std::int64_t>(1, corpus.rows)) / bytes;
  corpus.answer_tokens =
      std::max(8.0, answer / static_cast<double>(std::max<std::int64_t>(1, corpus.rows)) / bytes);
  return corpus;
}

class Estimator {
 public:
  Estimator(const Recipe& recipe, const student::StudentEngine& engine)
      : recipe_(recipe),
        corpus_(corpus_of(recipe)),
        training_(look_at_training(recipe, engine, corpus_.longest)),
        parameters_(static_cast<double>(training_.parameters)) {}

  Estimate result() {
    const double rows = static_cast<double>(corpus_.rows);
    if (recipe_.data.responses == "reannotate") {
      ask("responses", recipe_.teacher, rows, corpus_.prompt_tokens, corpus_.answer_tokens);
    }
    if (recipe_.tasks.classifier != "given" && recipe_.tasks.labelled.empty()) {
      const double asked = recipe_.tasks.classifier == "llm"
                               ? rows
                               : std::min(rows, static_cast<double>(recipe_.tasks.label_rows));
      ask("tasks", recipe_.teacher, asked, corpus_.prompt_tokens + kPromptOverhead, 10);
    }
    if (recipe_.student.s0 == "train") train("s0/train", s0_tokens());
    if (recipe_.difficulty.cross_fit) {
      const double share = recipe_.s0_train.tokens > 0 ? 1.0 : 0.5;  // epochs: over half of D
      for (const std::string half : kHalfStudents) train(half + "/train", share * s0_tokens());
    }
    if (recipe_.difficulty.method == "mfd") add_judging(rows);
    for (const auto& [name, arm] : arms_of(recipe_)) add_arm(name, arm);
    sit_exam("s0", /*all_sets=*/true, corpus_.answer_tokens);
    return finish();
  }

 private:
  double orders(double rows) const {
    if (recipe_.judge_orders == "both") return 2;
    if (recipe_.judge_orders == "single") return 1;
    return 1 + kSecondOrders +
           std::min(1.0, static_cast<double>(recipe_.difficulty.pilot_rows) / std::max(1.0, rows));
  }

  void add_judging(double rows) {
    decode("s0/answers", rows, corpus_.answer_tokens);
    if (recipe_.judge.kind == "rubric") return add_confirming("difficulty", rows);
    const double measured = recipe_.difficulty.rows > 0
                                ? std::min(rows, static_cast<double>(recipe_.difficulty.rows))
                                : rows;
    const double judged = corpus_.asked_share * measured;
    const double prompt = judged_prompt();
    if (judged > 0) ask("difficulty", recipe_.judge, judged * orders(judged), prompt, kJudgeReply);
    if (recipe_.judge_audit.role == "none") return;
    const double audited = std::min(measured, static_cast<double>(recipe_.judge_audit.rows));
    ask("difficulty/audit",
        recipe_.judge_audit.role == "teacher" ? recipe_.teacher : recipe_.auditor, 2 * audited,
        prompt, kJudgeReply);
  }

  // At most: rows whose requirements code can check need nobody.
  void add_confirming(const std::string& stage, double rows) {
    const std::string& role = recipe_.judge_rubric.role;
    if (role == "none") return;
    ask(stage, role == "teacher" ? recipe_.teacher : recipe_.auditor, 2 * rows,
        corpus_.prompt_tokens + corpus_.answer_tokens + kPromptOverhead, kJudgeReply);
  }

  double mixture_rows() const {
    return static_cast<double>(recipe_.curriculum.rows > 0 ? recipe_.curriculum.rows
                                                           : corpus_.rows);
  }

  double s0_tokens() const {
    if (recipe_.s0_train.tokens > 0) return static_cast<double>(recipe_.s0_train.tokens);
    const double epochs =
        recipe_.s0_train.num_train_epochs.value_or(recipe_.train.num_train_epochs);
    return epochs * static_cast<double>(corpus_.rows) *
           (corpus_.prompt_tokens + corpus_.answer_tokens);
  }

  double exam_items(bool all_sets) const {
    const auto& e = recipe_.exam;
    const std::int64_t of_gym =
        in_gym(recipe_) ? e.uniform + (all_sets ? e.pool + e.beyond : 0) : 0;
    return static_cast<double>(of_gym + recipe_.data.held_out);
  }

  void sit_exam(const std::string& student, bool all_sets, double answer_tokens) {
    decode("exam/" + student, exam_items(all_sets), answer_tokens);
    const auto rows = static_cast<double>(recipe_.data.held_out);
    if (recipe_.judge.kind == "rubric") return add_confirming("exam/" + student, rows);
    const double judged = corpus_.asked_share * rows;
    if (judged > 0)
      ask("exam/" + student, recipe_.judge, judged * orders(judged), judged_prompt(), kJudgeReply);
  }

  double judged_prompt() const {
    return corpus_.prompt_tokens + 2 * corpus_.answer_tokens + kPromptOverhead;
  }

  void add_arm(const std::string& name, const Arm& arm) {
    const auto& c = recipe_.curriculum;
    const double rows = mixture_rows() / static_cast<double>(c.rounds);
    const double styled = arm.refine == "none" ? 1 : kStyledAnswer;
    for (int round = 1; round <= c.rounds; ++round) {
      const std::string prefix = student_name(name, round);
      const double alpha = std::min(1.0, c.alpha + (round - 1) * c.alpha_step);
      const double fresh = arm.expand ? kNewPerHard * alpha * rows : 0;
      const double prompt = corpus_.prompt_tokens + kPromptOverhead;
      ask(prefix + "/expand", recipe_.teacher, fresh * (1 + kRequestsPerNew), prompt,
          corpus_.answer_tokens * styled / 2);
      const double refined = arm.refine == "none"   ? 0
                             : arm.refine == "hard" ? alpha * rows - fresh
                                                    : rows - fresh;
      ask(prefix + "/refine", recipe_.teacher, std::max(0.0, refined),
          prompt + corpus_.answer_tokens, corpus_.answer_tokens * styled);
      const double tokens =
          recipe_.train.tokens > 0
              ? static_cast<double>(recipe_.train.tokens) / static_cast<double>(c.rounds)
              : recipe_.train.num_train_epochs * rows *
                    (corpus_.prompt_tokens + corpus_.answer_tokens * styled);
      train(prefix + "/train", tokens);
      sit_exam(prefix, round == c.rounds, corpus_.answer_tokens * styled);
    }
  }

  void ask(const std::string& stage, const ModelPart& part, double calls, double prompt_tokens,
           double reply_tokens) {
    StageEstimate e{stage, std::llround(calls),
                    std::llround(calls * (prompt_tokens + reply_tokens)), 0, 0};
    e.usd = calls *
            (prompt_tokens * std::max(0.0, part.price_input) +
             reply_tokens * std::max(0.0, part.price_output)) /
            1e6;
    e.seconds = calls / (part.kind == "gym" ? kLocalReplies : kRemoteReplies);
    out_.calls += e.calls;
    out_.endpoint_tokens += e.tokens;
    add(std::move(e));
  }

  void train(const std::string& stage, double tokens) {
    // Forward 2, back through the activations 2, gradients of what is learnt 2; forward again 2.
    const double forward = 2 * parameters_;
    const double learnt = 2 * static_cast<double>(training_.trained_parameters);
    const double again = recipe_.train.gradient_checkpointing ? forward : 0;
    add({stage, 0, std::llround(tokens), 0, (2 * forward + learnt + again) * tokens / kTrainFlops});
  }

  void decode(const std::string& stage, double rows, double answer_tokens) {
    const double tokens = rows * (corpus_.prompt_tokens + answer_tokens);
    add({stage, 0, std::llround(tokens), 0, 2 * parameters_ * tokens / kDecodeFlops});
  }

  void add(StageEstimate e) {
    out_.usd += e.usd;
    out_.seconds += e.seconds;
    if (!out_.stages.empty() && out_.stages.back().stage == e.stage) {
      StageEstimate& same = out_.stages.back();  // the student's part, then the judge's
      same.calls += e.calls;
      same.tokens += e.tokens;
      same.usd += e.usd;
      same.seconds += e.seconds;
      return;
    }
    out_.stages.push_back(std::move(e));
  }

  Estimate finish() {
    out_.memory = training_.memory;
    const auto students =
        2 + recipe_.curriculum.rounds * static_cast<std::int64_t>(arms_of(recipe_).size());
    out_.disk_bytes = students * training_.output_bytes + out_.calls * 3000 + corpus_.rows * 4000;
    return std::move(out_);
  }

  const Recipe& recipe_;
  const Corpus corpus_;
  const student::Preflight training_;
  const double parameters_;
  Estimate out_;
};

}  // namespace

Estimate estimate(const Recipe& recipe, const student::StudentEngine& engine) {
  return Estimator(recipe, engine).result();
}

Json estimate_json(const Estimate& e) {
  Json stages = Json::object();
  for (const StageEstimate& s : e.stages) {
    stages[s.stage] = {
        {"calls", s.calls}, {"tokens", s.tokens}, {"usd", s.usd}, {"seconds", s.seconds}};
  }
  return {{"stages", stages},
          {"calls", e.calls},
          {"endpoint_tokens", e.endpoint_tokens},
          {"usd", e.usd},
          {"seconds", e.seconds},
          {"memory_bytes", e.memory.total()},
          {"memory",
           {{"weights", e.memory.weights},
            {"gradients", e.memory.gradients},
            {"optimizer", e.memory.optimizer},
            {"activations", e.memory.activations},
            {"process", e.memory.process}}},
          {"disk_bytes", e.disk_bytes}};
}

std::string estimate_text(const Estimate& e) {
  std::string out =
      fmt::format("{:<28} {:>9} {:>12} {:>9} {:>9}\n", "stage", "calls", "tokens", "$", "seconds");
  for (const StageEstimate& s : e.stages) {
    out += fmt::format("{:<28} {:>9} {:>12} {:>9.2f} {:>9.1f}\n", s.stage, s.calls, s.tokens, s.usd,
                       s.seconds);
  }
  out += fmt::format("{:<28} {:>9} {:>12} {:>9.2f} {:>9.1f}\n", "in all", e.calls, "", e.usd,
                     e.seconds);
  out += fmt::format("endpoint tokens {}   disk {:.2f} GB\n", e.endpoint_tokens,
                     static_cast<double>(e.disk_bytes) / 1e9);
  return out + memory_text(e.memory) + "\n";
}

std::string memory_text(const student::MemoryPlan& m) {
  const auto gb = [](std::int64_t bytes) { return static_cast<double>(bytes) / 1e9; };
  const bool gpu = m.device.starts_with("cuda");
  return fmt::format(
      "memory{}: {:.2f} GB = {:.2f} weights + {:.2f} gradients + {:.2f} optimizer + {:.2f} "
      "activations (passes of {} tokens) + {:.2f} {}",
      gpu ? " of " + m.device : "", gb(m.total()), gb(m.weights), gb(m.gradients), gb(m.optimizer),
      gb(m.activations), m.micro_batch_tokens, gb(m.process),
      gpu ? "in use already" : "program and rows");
}

std::string assumptions_text() {
  return fmt::format(
      "assumed: {:.1f} new rows per hard row of a mixture; {:.0f} % of pairs need a second order;\n"
      "a refined answer is {:.1f} times as long; the student trains at {:.0f} GFLOPS; an endpoint "
      "answers {:.0f} requests a second\n",
      kNewPerHard, 100 * kSecondOrders, kStyledAnswer, kTrainFlops / 1e9, kRemoteReplies);
}

}  // namespace tapir::pipeline
