#include "pipeline/estimate.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "difficulty/pair_scorers.h"
#include "pipeline/benchmarks.h"
#include "pipeline/estimate_corpus.h"
#include "pipeline/evaluation_sets.h"
#include "pipeline/options.h"
#include "pipeline/plan.h"
#include "pipeline/role_model.h"
#include "pipeline/training_job.h"
#include "teach/teach.h"

namespace tapir::pipeline {
namespace {

// Of all endpoints of a role together; infinity: no limit is set.
double per_minute(const ModelPart& part, double EndpointPart::*of_endpoint, double of_role) {
  double sum = 0;
  for (const EndpointPart& endpoint : part.endpoints) {
    const double limit = endpoint.*of_endpoint >= 0 ? endpoint.*of_endpoint : of_role;
    if (limit == 0) return HUGE_VAL;
    sum += limit;
  }
  return sum > 0 ? sum : HUGE_VAL;
}

// What holds longest: the requests in flight, or a limit per minute.
double seconds_of(const ModelPart& part, double calls, double tokens, double reply_tokens) {
  if (part.kind != "openai") return calls / assumed::kLocalReplies;
  const double answering = calls * assumed::kFirstToken + reply_tokens / assumed::kTokensPerSecond;
  const double requests =
      per_minute(part, &EndpointPart::requests_per_minute, part.requests_per_minute);
  const double token_limit =
      per_minute(part, &EndpointPart::tokens_per_minute, part.tokens_per_minute);
  return std::max({answering / static_cast<double>(part.max_concurrent_requests),
                   60 * calls / (assumed::kLimitsUsed * requests),
                   60 * tokens / (assumed::kLimitsUsed * token_limit)});
}

// Rows of evaluate.sets.
struct SetRows {
  double all = 0;
  double asked = 0;  // a model has to judge the answer
};

SetRows set_rows_of(const Recipe& recipe) {
  const std::set<std::string> ruled = files_judged_by_rule(recipe);
  const bool model_judges = difficulty::make_pair_scorer(recipe.judge.kind) == nullptr;
  SetRows rows;
  for (const EvaluationRow& row : read_evaluation_sets(recipe)) {
    ++rows.all;
    const bool judged = row.kind != evaluate::SetKind::safety && row.answer.has_value();
    rows.asked += judged && model_judges && !ruled.contains(row.instruction.source) ? 1 : 0;
  }
  return rows;
}

class Estimator {
 public:
  Estimator(const Recipe& recipe, const student::StudentEngine& engine, CorpusFacts corpus,
            const Sample& sample)
      : recipe_(recipe),
        sample_(sample),
        corpus_(std::move(corpus)),
        prompts_(prompt_facts(recipe)),
        sets_(set_rows_of(recipe)),
        training_(look_at_training(recipe, engine, corpus_.longest)),
        parameters_(static_cast<double>(training_.parameters)) {}

  Estimate result() {
    learn_from_sample();
    const double rows = static_cast<double>(corpus_.rows);
    if (recipe_.data.responses != "keep") {
      const bool all = recipe_.data.responses == "reannotate";
      ask("responses", recipe_.teacher,
          {{all ? rows : static_cast<double>(corpus_.unanswered), corpus_.prompt_tokens,
            corpus_.answer_tokens}});
    }
    if (recipe_.tasks.classifier != "given" && recipe_.tasks.labelled.empty()) {
      const double asked = recipe_.tasks.classifier == "llm"
                               ? rows
                               : std::min(rows, static_cast<double>(recipe_.tasks.label_rows));
      ask("tasks", recipe_.teacher,
          {{asked, corpus_.prompt_tokens + prompts_.classify, assumed::kLabelReply}});
    }
    if (recipe_.student.s0 == "train") train("s0/train", s0_tokens());
    if (recipe_.difficulty.cross_fit) {
      const double share = recipe_.s0_train.tokens > 0 ? 1.0 : 0.5;  // epochs: over half of D
      for (const std::string half : kHalfStudents) train(half + "/train", share * s0_tokens());
    }
    if (recipe_.difficulty.method == "mfd") add_judging(rows);
    for (const auto& [name, arm] : arms_of(recipe_)) add_arm(name, arm);
    sit_exam("s0", /*all_sets=*/true, corpus_.answer_tokens);
    sit_benchmarks();
    return finish();
  }

 private:
  void learn_from_sample() {
    const auto answers = sample_.stages.find("responses");
    const auto labels = sample_.stages.find("tasks");
    if (answers != sample_.stages.end()) {
      if (recipe_.data.responses == "reannotate" || corpus_.unanswered == corpus_.rows)
        corpus_.answer_tokens = answers->second.completion_tokens;
      teacher_scale_ = answers->second.prompt_tokens / std::max(1.0, corpus_.prompt_tokens);
    }
    if (labels != sample_.stages.end() && labels->second.calls > 0) {
      teacher_scale_ = labels->second.prompt_tokens / labels->second.calls /
                       (corpus_.prompt_tokens + prompts_.classify);
    }
  }

  // What was seen of some rows, for all of them: the interval narrows as they become most of them.
  static void take_sample(const StageSample& seen, double rows, StageEstimate& e) {
    e.sampled = true;
    e.calls = std::llround(rows * seen.calls);
    e.prompt_tokens = std::llround(rows * seen.prompt_tokens);
    e.completion_tokens = std::llround(rows * seen.completion_tokens);
    e.usd = rows * seen.usd;
    const double unseen =
        std::sqrt(std::max(0.0, 1 - static_cast<double>(seen.rows) / std::max(1.0, rows)));
    e.usd_low = e.usd - rows * unseen * (seen.usd - seen.usd_low);
    e.usd_high = e.usd + rows * unseen * (seen.usd_high - seen.usd);
  }

  double orders(double rows) const {
    if (recipe_.judge_orders == "both") return 2;
    if (recipe_.judge_orders == "single") return 1;
    const double pilot = static_cast<double>(recipe_.difficulty.pilot_rows) / std::max(1.0, rows);
    return std::min(2.0, 1 + assumed::kSecondOrders + pilot);
  }

  void add_judging(double rows) {
    const double measured = recipe_.difficulty.rows > 0
                                ? std::min(rows, static_cast<double>(recipe_.difficulty.rows))
                                : rows;
    decode("s0/answers", measured, corpus_.answer_tokens);
    if (recipe_.judge.kind == "rubric") return add_confirming("difficulty", measured);
    ask_judge("difficulty", corpus_.asked_share * measured);
    if (recipe_.judge_audit.role == "none") return;
    const double audited = std::min(measured, static_cast<double>(recipe_.judge_audit.rows));
    ask("difficulty/audit",
        recipe_.judge_audit.role == "teacher" ? recipe_.teacher : recipe_.auditor,
        {{2 * audited, judged_prompt(), assumed::kJudgeReply}});
  }

  // Pairs that no rule judges.
  void ask_judge(const std::string& stage, double judged) {
    if (judged <= 0) return;
    const int batches = recipe_.judge_orders == "adaptive" ? 2 : 1;
    ask(stage, recipe_.judge, {{judged * orders(judged), judged_prompt(), assumed::kJudgeReply}},
        batches);
  }

  double judged_prompt() const {
    return corpus_.prompt_tokens + 2 * corpus_.answer_tokens + prompts_.judge;
  }

  // At most: rows whose requirements code can check need nobody.
  void add_confirming(const std::string& stage, double rows) {
    const std::string& role = recipe_.judge_rubric.role;
    if (role == "none") return;
    ask(stage, role == "teacher" ? recipe_.teacher : recipe_.auditor,
        {{2 * rows, corpus_.prompt_tokens + corpus_.answer_tokens + prompts_.judge,
          assumed::kJudgeReply}});
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
    return static_cast<double>(of_gym + recipe_.data.held_out) + sets_.all;
  }

  void sit_exam(const std::string& student, bool all_sets, double answer_tokens) {
    decode("exam/" + student, exam_items(all_sets), answer_tokens);
    const auto rows = static_cast<double>(recipe_.data.held_out);
    if (recipe_.judge.kind == "rubric") return add_confirming("exam/" + student, rows);
    ask_judge("exam/" + student, corpus_.asked_share * rows + sets_.asked);
  }

  void sit_benchmarks() {
    const ModelPart& judge = part_of(recipe_, benchmark_judge_of(recipe_));
    const std::vector<BenchmarkFacts> facts = benchmark_facts(recipe_);
    for (const std::string& who : recipe_.benchmarks.students) {
      for (const BenchmarkFacts& of : facts) {
        const std::string stage = of.name + "/" + who;
        const double answer =
            std::min(of.longest_answer, corpus_.answer_tokens * assumed::kStyledAnswer);
        const double reply = of.reply_tokens > 0 ? of.reply_tokens : assumed::kJudgeReply;
        decode(stage + "/answers", of.answers, answer);
        ask(stage, judge,
            {{of.judgments, of.prompt_bytes / assumed::kBytesPerToken + answer + prompts_.judge,
              reply}});
      }
    }
  }

  void add_arm(const std::string& name, const Arm& arm) {
    const auto& c = recipe_.curriculum;
    const double rows = mixture_rows() / static_cast<double>(c.rounds);
    const double styled = arm.refine == "none" ? 1 : assumed::kStyledAnswer;
    auto of_corpus = static_cast<double>(corpus_.rows);  // not refined yet: a row is once
    for (int round = 1; round <= c.rounds; ++round) {
      const std::string prefix = student_name(name, round);
      const double alpha = std::min(1.0, c.alpha + (round - 1) * c.alpha_step);
      const double fresh = arm.expand ? assumed::kNewPerHard * alpha * rows : 0;
      const double answer = corpus_.answer_tokens * styled;
      // A new instruction is asked for until it is new, and then answered.
      ask(prefix + "/expand", recipe_.teacher,
          {{fresh * assumed::kRequestsPerNew, corpus_.prompt_tokens + prompts_.expand,
            corpus_.prompt_tokens},
           {fresh, corpus_.prompt_tokens + prompts_.answer, answer}},
          expansion_batches(fresh));
      if (has_floor(recipe_, arm)) add_floor(prefix + "/floor", fresh, styled);
      const double wanted = arm.refine == "none"   ? 0
                            : arm.refine == "hard" ? alpha * rows - fresh
                                                   : rows - fresh;
      const double refined = std::clamp(wanted, 0.0, of_corpus);
      of_corpus -= refined;
      ask(prefix + "/refine", recipe_.teacher,
          {{refined, corpus_.prompt_tokens + corpus_.answer_tokens + prompts_.refine, answer}});
      const double tokens =
          recipe_.train.tokens > 0
              ? static_cast<double>(recipe_.train.tokens) / static_cast<double>(c.rounds)
              : recipe_.train.num_train_epochs * rows *
                    (corpus_.prompt_tokens + corpus_.answer_tokens * styled);
      train(prefix + "/train", tokens);
      sit_exam(prefix, round == c.rounds, corpus_.answer_tokens * styled);
    }
  }

  // S_0 answers a sample of the new instructions, the judge compares.
  void add_floor(const std::string& stage, double fresh, double styled) {
    const auto tasks = static_cast<double>(taxonomy_of(recipe_).names().size());
    const double rows = std::min(fresh, tasks * static_cast<double>(recipe_.teach.floor.rows));
    decode(stage, rows, corpus_.answer_tokens);
    if (difficulty::make_pair_scorer(recipe_.judge.kind) != nullptr) return;
    ask(stage, recipe_.judge,
        {{rows * orders(rows), judged_prompt() + (styled - 1) * corpus_.answer_tokens,
          assumed::kJudgeReply}});
  }

  // A wave is a function of the one before; the answers come last.
  static int expansion_batches(double fresh) {
    const double wave = teach::ExpandOptions{}.wave_rows;
    return 1 + static_cast<int>(std::ceil(fresh * assumed::kRequestsPerNew / wave));
  }

  // Requests of one kind, with their means.
  struct Requests {
    double calls = 0;
    double prompt_tokens = 0;
    double reply_tokens = 0;
  };

  // batches: how many come one after the other, where the role is asked by batches.
  void ask(const std::string& stage, const ModelPart& part, const std::vector<Requests>& requests,
           int batches = 1) {
    StageEstimate e{stage};
    const double scale = &part == &recipe_.teacher ? teacher_scale_ : 1;
    double prompt = 0;
    double reply = 0;
    double calls = 0;
    for (const Requests& kind : requests) {
      calls += kind.calls;
      prompt += kind.calls * kind.prompt_tokens * scale;
      reply += kind.calls * kind.reply_tokens;
    }
    e.calls = std::llround(calls);
    e.prompt_tokens = std::llround(prompt);
    e.completion_tokens = std::llround(reply);
    const llm::Prices prices = prices_of(part);
    e.usd = e.usd_low = e.usd_high = (prompt * prices.input + reply * prices.output) / 1e6;
    const auto seen = sample_.stages.find(stage);
    if (seen != sample_.stages.end()) take_sample(seen->second, calls, e);
    e.tokens = e.prompt_tokens + e.completion_tokens;
    if (part.mode == "batch") {
      e.batches = e.calls > 0 ? batches : 0;
    } else {
      e.seconds = seconds_of(part, static_cast<double>(e.calls), static_cast<double>(e.tokens),
                             static_cast<double>(e.completion_tokens));
    }
    out_.calls += e.calls;
    out_.endpoint_tokens += e.tokens;
    add(std::move(e));
  }

  void train(const std::string& stage, double tokens) {
    // Forward 2, back through the activations 2, gradients of what is learnt 2; forward again 2.
    const double forward = 2 * parameters_;
    const double learnt = 2 * static_cast<double>(training_.trained_parameters);
    const double again = recipe_.train.gradient_checkpointing ? forward : 0;
    add_local(stage, tokens, (2 * forward + learnt + again) * tokens / assumed::kTrainFlops);
  }

  void decode(const std::string& stage, double rows, double answer_tokens) {
    const double tokens = rows * (corpus_.prompt_tokens + answer_tokens);
    add_local(stage, tokens, 2 * parameters_ * tokens / assumed::kDecodeFlops);
  }

  void add_local(const std::string& stage, double tokens, double seconds) {
    StageEstimate e{stage};
    e.tokens = std::llround(tokens);
    e.seconds = seconds;
    add(std::move(e));
  }

  void add(StageEstimate e) {
    out_.usd += e.usd;
    out_.usd_low += e.usd_low;
    out_.usd_high += e.usd_high;
    out_.batches += e.batches;
    out_.seconds += e.seconds;
    if (!out_.stages.empty() && out_.stages.back().stage == e.stage) {
      StageEstimate& same = out_.stages.back();  // the student's part, then the judge's
      same.calls += e.calls;
      same.tokens += e.tokens;
      same.prompt_tokens += e.prompt_tokens;
      same.completion_tokens += e.completion_tokens;
      same.usd += e.usd;
      same.usd_low += e.usd_low;
      same.usd_high += e.usd_high;
      same.seconds += e.seconds;
      same.batches += e.batches;
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
  const Sample& sample_;
  CorpusFacts corpus_;
  const PromptFacts prompts_;
  double teacher_scale_ = 1;  // its prompts' tokens over those that bytes tell
  const SetRows sets_;
  const student::Preflight training_;
  const double parameters_;
  Estimate out_;
};

}  // namespace

Estimate estimate(const Recipe& recipe, const student::StudentEngine& engine,
                  const Sample& sample) {
  return estimate(recipe, engine, corpus_facts(recipe), sample);
}

Estimate estimate(const Recipe& recipe, const student::StudentEngine& engine, CorpusFacts corpus,
                  const Sample& sample) {
  return Estimator(recipe, engine, std::move(corpus), sample).result();
}

SamplePlan plan_sample(const Estimate& estimate, const Recipe& recipe, std::int64_t rows) {
  SamplePlan plan;
  for (const StageEstimate& stage : estimate.stages) {
    if ((stage.stage != "responses" && stage.stage != "tasks") || stage.calls == 0) continue;
    const std::int64_t calls = std::min(rows, stage.calls);
    plan.calls += calls;
    plan.usd += stage.usd * static_cast<double>(calls) / static_cast<double>(stage.calls);
    plan.stages.push_back(stage.stage);
  }
  if (plan.stages.empty()) {
    throw Error(ErrorKind::usage,
                "--sample: the recipe asks nobody before S_0 is trained (data.responses: " +
                    recipe.data.responses + ", tasks.classifier: " + recipe.tasks.classifier + ")",
                "there is nothing to sample; the estimate without it asks nobody");
  }
  return plan;
}

}  // namespace tapir::pipeline
