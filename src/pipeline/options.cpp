#include "pipeline/options.h"

#include "pipeline/doctor.h"
#include "rubric/compose.h"

namespace tapir::pipeline {

llm::Sampling sampling_of(const ModelPart& part) {
  llm::Sampling sampling;
  sampling.temperature = part.temperature;
  sampling.top_p = part.top_p;
  sampling.max_tokens = static_cast<int>(part.max_tokens);
  return sampling;
}

std::size_t in_flight(const ModelPart& part) {
  const auto sent = static_cast<std::size_t>(part.max_concurrent_requests);
  return part.kind == "openai" ? 2 * sent : sent;
}

difficulty::JudgeOptions judge_options(const Recipe& recipe) {
  difficulty::JudgeOptions options;
  options.orders = difficulty::parse_orders(recipe.judge_orders, "judge.orders");
  options.threshold = recipe.difficulty.threshold;
  options.strict = recipe.difficulty.strict;
  options.pilot_rows = static_cast<int>(recipe.difficulty.pilot_rows);
  options.max_attempts = static_cast<int>(recipe.judge_max_attempts);
  options.sampling = sampling_of(recipe.judge);
  options.seed = recipe.seed;
  options.max_in_flight = in_flight(recipe.judge);
  return options;
}

difficulty::JudgeOptions confirming_options(const Recipe& recipe) {
  difficulty::JudgeOptions options = judge_options(recipe);
  const ModelPart& asked = recipe.judge_rubric.role == "teacher" ? recipe.teacher : recipe.auditor;
  options.sampling = sampling_of(asked);
  options.max_in_flight = in_flight(asked);
  return options;
}

difficulty::SelectOptions select_options(const Recipe& recipe) {
  const auto& d = recipe.difficulty;
  return {d.threshold, d.strict, d.max_gap, d.ifd_share};
}

std::string author_of(const std::string& student) { return "student/" + student; }

student::GenerateOptions generate_options(const Recipe& recipe) {
  student::GenerateOptions options = exam_options(recipe);
  options.sampling.temperature = recipe.student.temperature;
  options.sampling.top_p = recipe.student.top_p;
  options.sampling.top_k = static_cast<int>(recipe.student.top_k);
  options.sampling.seed = recipe.seed;
  return options;
}

student::GenerateOptions exam_options(const Recipe& recipe) {
  student::GenerateOptions options;
  options.sampling.max_new_tokens = static_cast<int>(recipe.student.max_new_tokens);
  options.slots = static_cast<int>(recipe.student.slots);
  options.workers = static_cast<int>(recipe.student.workers);
  return options;
}

teach::ExpandOptions expand_options(const Recipe& recipe, const std::string& arm, int round) {
  teach::ExpandOptions options;
  options.arm = arm;
  options.round = round;
  options.max_attempts_per_row = static_cast<int>(recipe.teach.max_attempts_per_row);
  options.sampling = sampling_of(recipe.teacher);
  options.seed = recipe.seed;
  options.max_in_flight = in_flight(recipe.teacher);
  if (recipe.teach.layers > 0) {
    options.requirements = [recipe](const std::string& request) {
      return rubric::requirement_sentences(requirements_of(recipe, request));
    };
  }
  return options;
}

rubric::Rubric requirements_of(const Recipe& recipe, const std::string& request) {
  return rubric::compose(recipe.seed, request, static_cast<int>(recipe.teach.layers));
}

tasks::Taxonomy taxonomy_of(const Recipe& recipe) {
  const std::string& name = recipe.tasks.taxonomy;
  const bool is_file = name.ends_with(".yaml") || name.ends_with(".yml");
  return tasks::load_taxonomy(is_file ? resolve_path(recipe, name).string() : name);
}

prompting::PromptSet prompts_of(const Recipe& recipe) {
  if (recipe.teach.prompts.empty()) return prompting::PromptSet::load({});
  return prompting::PromptSet::load(resolve_path(recipe, recipe.teach.prompts));
}

}  // namespace tapir::pipeline
