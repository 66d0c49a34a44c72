#include "pipeline/doctor.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

#include "base/error.h"
#include "base/strings.h"
#include "dataset/read_instructions.h"
#include "pipeline/benchmarks.h"
#include "pipeline/cleaning.h"
#include "pipeline/doctor_dump.h"
#include "pipeline/evaluation_sets.h"
#include "pipeline/find_tasks.h"
#include "pipeline/options.h"
#include "pipeline/training_job.h"

namespace tapir::pipeline {
namespace {

// <prefix>/share/tapir of an installed program; empty when it cannot be told.
std::filesystem::path share_folder() {
  std::error_code failure;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failure);
  return failure ? std::filesystem::path()
                 : program.parent_path().parent_path() / "share" / "tapir";
}

std::string cpu_features() {
  std::ifstream in("/proc/cpuinfo");
  std::string line;
  while (std::getline(in, line)) {
    if (!line.starts_with("flags")) continue;
    std::string found;
    for (const std::string& flag : split_whitespace(line)) {
      for (const char* known : {"avx2", "avx512f", "avx512_bf16", "amx_bf16"}) {
        if (flag == known) found += (found.empty() ? "" : " ") + flag;
      }
    }
    return found.empty() ? "no AVX2" : found;
  }
  return "unknown";
}

double memory_gb() {
  return static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<double>(sysconf(_SC_PAGE_SIZE)) / 1e9;
}

// Runs one look; what it throws is the finding.
template <typename Look>
Check look(const std::string& what, Look&& find) {
  try {
    return {what, true, find(), ""};
  } catch (const Error& e) {
    return {what, false, e.what(), e.hint()};
  }
}

// A base model is not asked through a chat template that it does not have.
std::string answer_one(const student::Student& student, bool has_template) {
  std::string answer;
  student::GenerateOptions options;
  options.sampling.max_new_tokens = 16;
  options.slots = 1;
  student::GenerateRequest request{"doctor", {}, "Once upon a time"};
  if (has_template) request.messages = {{Role::user, "Say hello."}};
  student.generate({&request, 1}, options,
                   [&](student::Generation g) {
                     answer = g.failure.empty()
                                  ? fmt::format("{} tokens, ended by {}", g.completion_tokens,
                                                to_string(g.finish_reason))
                                  : "failed: " + g.failure;
                   },
                   {});
  return answer;
}

void warn_about_method(const Recipe& recipe, std::vector<Check>& checks) {
  const auto& c = recipe.curriculum;
  if (c.alpha >= 1) {
    checks.push_back({"replay", true, "alpha is 1: no easy rows are replayed",
                      "students forget without replay; TAPIR-S (rounds: 1, alpha: 1) is meant to"});
  }
  if (c.alpha + static_cast<double>(c.rounds - 1) * c.alpha_step > 1) {
    checks.push_back({"alpha", true, "alpha passes 1 before the last round and stays there", ""});
  }
  const auto& clean = recipe.data.decontaminate_against;
  for (const auto* sets : {&recipe.sets.general, &recipe.sets.instruction, &recipe.sets.safety}) {
    for (const std::string& file : *sets) {
      if (std::find(clean.begin(), clean.end(), file) != clean.end()) continue;
      checks.push_back({"evaluate.sets", true, file + " is not in data.decontaminate_against",
                        "rows that hold its items may be trained on: name it there too"});
    }
  }
  if (recipe.tapir.refine == "hard") {
    checks.push_back({"refine", true, "hard: style and difficulty are confounded in the mixture",
                      "refine: all is the default"});
  }
  if (recipe.tapir.expand && recipe.teacher.kind == "openai" && recipe.teacher.temperature == 0) {
    checks.push_back({"temperature", true,
                      "teacher.temperature is 0: asked again about the same row, the teacher "
                      "repeats itself, and the copies are paid for and refused",
                      "0.7 or more makes new instructions differ"});
  }
  if (recipe.difficulty.rows > 0) {
    checks.push_back({"difficulty.rows", true,
                      fmt::format("only {} rows are judged", recipe.difficulty.rows), ""});
  }
}

}  // namespace

std::filesystem::path resolve_path(const Recipe& recipe, const std::string& path) {
  const std::filesystem::path given = path;
  std::vector<std::filesystem::path> places = {given};
  if (given.is_relative()) {
    places.push_back(recipe.folder / given);
    places.push_back(recipe.folder.parent_path() / given);
    places.push_back(share_folder() / given);
  }
  std::string looked;
  for (const auto& place : places) {
    std::error_code ignored;
    if (std::filesystem::exists(dataset::instructions_file(place), ignored)) return place;
    looked += (looked.empty() ? "" : ", ") + place.string();
  }
  throw Error(ErrorKind::data, "there is no " + path, "looked at " + looked);
}

std::vector<std::filesystem::path> instruction_files(const Recipe& recipe) {
  std::vector<std::filesystem::path> files;
  for (const std::string& file : recipe.data.instructions)
    files.push_back(resolve_path(recipe, file));
  return files;
}

std::vector<Check> doctor(const student::StudentEngine& engine, const std::filesystem::path& model,
                          const std::filesystem::path& dump) {
  if (!dump.empty() && model.empty()) {
    throw Error(ErrorKind::usage, "--against needs --model: the folder that the dump is of");
  }
  std::vector<Check> checks;
  checks.push_back(
      {"CPU", true,
       fmt::format("{} threads, {}", std::thread::hardware_concurrency(), cpu_features()), ""});
  checks.push_back({"memory", true, fmt::format("{:.1f} GB", memory_gb()), ""});
  checks.push_back(look("student engine", [&] { return engine.version(); }));
  checks.push_back({"GPU", true, student::describe_gpus(), ""});
  if (model.empty()) return checks;
  std::shared_ptr<const student::Student> student;
  checks.push_back(look("student folder", [&] {
    student = engine.load(model);
    return fmt::format("{} parameters, context {}", student->parameter_count(),
                       student->context_length());
  }));
  if (!student) return checks;
  checks.push_back(look("tokenizer", [&] {
    return fmt::format("\"Hello, world!\" is {} tokens",
                       student->tokenize("Hello, world!", false).size());
  }));
  const std::string format = student->chat_format();
  const bool has_template = !format.empty();
  checks.push_back(look("chat format", [&] {
    if (!has_template) return std::string("none in the folder: a base model");
    return fmt::format("{}: one question is {} tokens", format,
                       student->tokenize_chat({{Role::user, "Hello?"}}).size());
  }));
  checks.push_back(look("answers", [&] { return answer_one(*student, has_template); }));
  if (dump.empty()) return checks;
  const std::vector<Check> compared = compare_with_dump(*student, dump);
  checks.insert(checks.end(), compared.begin(), compared.end());
  return checks;
}

std::vector<Check> validate(const Recipe& recipe, const student::StudentEngine& engine) {
  std::vector<Check> checks;
  checks.push_back({"recipe", true, fmt::format("{} keys read", recipe_keys().size()), ""});
  // A named format stands in for a template of the folder that may be unknown or missing.
  if (recipe.student.chat_format == "auto") {
    checks.push_back(look("student", [&] {
      const auto student = engine.load(resolve_path(recipe, recipe.student.model_name_or_path));
      return fmt::format("{} parameters, context {}", student->parameter_count(),
                         student->context_length());
    }));
  }
  checks.push_back(look("training", [&] {
    const Example row{"one", {{Role::user, "Hello?", false}, {Role::assistant, "Hello.", true}}};
    const student::Preflight p = look_at_training(recipe, engine, {row});
    return fmt::format("chat format {}; {} of {} parameters are learnt", p.chat_format,
                       p.trained_parameters, p.parameters);
  }));
  checks.push_back(look("instructions", [&] {
    licenses_of(recipe);  // says which entry is none
    if (recipe.data.gym_rows > 0) return fmt::format("{} rows of the gym", recipe.data.gym_rows);
    std::string found;
    for (const auto& file : instruction_files(recipe))
      found += (found.empty() ? "" : ", ") + file.string();
    return found;
  }));
  if (recipe.sets.any()) {
    checks.push_back(look("evaluate.sets", [&] {
      std::map<std::string, std::size_t> rows;
      for (const EvaluationRow& row : read_evaluation_sets(recipe)) ++rows[row.instruction.source];
      std::string found;
      for (const auto& [file, count] : rows)
        found += fmt::format("{}{} rows of {}", found.empty() ? "" : ", ", count, file);
      return found;
    }));
  }
  if (recipe.benchmarks.any()) {
    checks.push_back(look("benchmarks", [&] {
      const auto files = benchmark_files(recipe);
      std::string found;
      for (const BenchmarkFacts& facts : benchmark_facts(recipe))
        found += fmt::format("{}{}: {:.0f} answers of each student", found.empty() ? "" : ", ",
                             facts.name, facts.answers);
      return found;
    }));
  }
  if (!recipe.data.decontaminate_against.empty()) {
    checks.push_back(look("evaluation sets", [&] {
      return fmt::format("{} items", evaluation_index(recipe)->items().size());
    }));
  }
  checks.push_back(look("taxonomy", [&] {
    const auto taxonomy = taxonomy_of(recipe);
    return fmt::format("{}: {} tasks", taxonomy.name, taxonomy.tasks.size());
  }));
  if (!recipe.tasks.labelled.empty()) {
    checks.push_back(look("labelled rows", [&] {
      const auto file = resolve_path(recipe, recipe.tasks.labelled).string();
      return fmt::format("{} in {}", read_labelled(file, recipe.tasks.label_field).size(), file);
    }));
  }
  checks.push_back(
      look("prompts", [&] { return "version " + prompts_of(recipe).fingerprint().substr(0, 12); }));
  warn_about_method(recipe, checks);
  return checks;
}

std::string checks_text(const std::vector<Check>& checks) {
  std::string out;
  for (const Check& check : checks) {
    out += fmt::format("{:<5} {:<16} {}\n", check.ok ? "ok" : "FAIL", check.what, check.found);
    if (!check.hint.empty()) out += fmt::format("{:<22} -> {}\n", "", check.hint);
  }
  return out;
}

Json checks_json(const std::vector<Check>& checks) {
  Json out = Json::array();
  for (const Check& check : checks) {
    out.push_back(
        {{"what", check.what}, {"ok", check.ok}, {"found", check.found}, {"hint", check.hint}});
  }
  return out;
}

}  // namespace tapir::pipeline
