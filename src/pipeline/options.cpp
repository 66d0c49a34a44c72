#include "pipeline/options.h"

#include "pipeline/doctor.h"

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
