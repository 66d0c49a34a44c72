#include "pipeline/cleaning.h"

#include "base/error.h"
#include "base/strings.h"
#include "pipeline/doctor.h"
#include "pipeline/gym_binding.h"

namespace tapir::pipeline {

dataset::CleanOptions clean_options(const Recipe& recipe) {
  dataset::CleanOptions options;
  options.encoding = recipe.data.clean_encoding;
  // An answer that the teacher replaces need not be sound.
  options.refusals = recipe.data.clean_refusals && recipe.data.responses != "reannotate";
  options.empty_answers = recipe.data.responses == "keep";
  options.rouge_l = recipe.data.clean_rouge_l;
  options.minhash = recipe.data.clean_minhash;
  return options;
}

std::shared_ptr<const dataset::EvaluationIndex> evaluation_index(const Recipe& recipe) {
  std::vector<std::filesystem::path> files;
  for (const std::string& file : recipe.data.decontaminate_against)
    files.push_back(resolve_path(recipe, file));
  if (files.empty()) return nullptr;
  return std::make_shared<dataset::EvaluationIndex>(dataset::read_evaluation_items(files));
}

std::unique_ptr<teach::Novelty> novelty_of(const Recipe& recipe) {
  if (in_gym(recipe)) return std::make_unique<teach::HashNovelty>(gym_canonical, gym_reject);
  teach::TextNoveltyOptions options;
  options.rouge_l = recipe.novelty.rouge_l;
  options.minhash = recipe.novelty.minhash;
  options.length.min_characters = static_cast<std::size_t>(recipe.novelty.min_characters);
  options.length.max_characters = static_cast<std::size_t>(recipe.novelty.max_characters);
  return std::make_unique<teach::TextNovelty>(options, evaluation_index(recipe));
}

std::map<std::string, std::string> licenses_of(const Recipe& recipe) {
  std::map<std::string, std::string> licenses;
  for (const std::string& entry : recipe.data.licenses) {
    auto [file, licence] = file_entry(entry, "data.licenses", "alpaca.json: CC BY-NC 4.0");
    licenses[file] = std::move(licence);
  }
  return licenses;
}

}  // namespace tapir::pipeline
