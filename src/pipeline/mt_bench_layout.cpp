#include "pipeline/mt_bench_layout.h"

#include <algorithm>
#include <chrono>
#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/strings.h"
#include "pipeline/mt_bench_score.h"

namespace tapir::pipeline {
namespace {

using evaluate::MtAnswer;
using evaluate::MtQuestion;

constexpr const char* kLayout =
    "FastChat keeps them in fastchat/llm_judge/data/mt_bench; --data-dir names that folder";

void need_file(const std::filesystem::path& file, const std::string& what,
               const std::string& hint) {
  if (std::filesystem::exists(file)) return;
  throw Error(ErrorKind::data, file.string() + ": there are no " + what + " here", hint);
}

[[noreturn]] void refuse_second(const MtAnswer& first, const MtAnswer& again) {
  throw Error(ErrorKind::data,
              fmt::format("{}: question {} has an answer in {} already", again.where,
                          again.question, first.where),
              "say which counts with --answer-duplicates first or last");
}

}  // namespace

std::vector<MtQuestion> mt_questions_of(const MtFiles& files) {
  const std::filesystem::path file = files.questions.empty()
                                         ? files.data_dir / "question.jsonl"
                                         : std::filesystem::path(files.questions);
  need_file(file, "questions", kLayout);
  return read_mt_questions(file.string());
}

std::string file_name_of(const std::string& name) {
  std::string safe = name;
  for (char& c : safe) {
    if (c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20) c = '_';
  }
  if (safe.empty() || safe == "." || safe == "..")
    throw Error(ErrorKind::usage, "\"" + name + "\" cannot name a file", "give it with --model-id");
  return safe;
}

MtAnswerFile read_mt_answers(const std::filesystem::path& file,
                             const std::vector<MtQuestion>& questions,
                             const std::string& duplicates) {
  need_file(file, "answers", "`tapir eval mtbench answer` writes them");
  std::map<std::int64_t, MtAnswer> by_question;
  for_each_jsonl(file, [&](const Json& row, const std::string& where) {
    MtAnswer answer = evaluate::read_mt_answer(row, where);
    const auto [found, is_new] = by_question.emplace(answer.question, answer);
    if (is_new) return;
    if (duplicates == "error") refuse_second(found->second, answer);
    if (duplicates == "last") found->second = std::move(answer);
  });
  MtAnswerFile read{file.stem().string(), {}, 0};
  for (const MtQuestion& question : questions) {
    const auto found = by_question.find(question.id);
    if (found == by_question.end()) {
      ++read.unanswered;
      continue;
    }
    found->second.model = read.model;  // FastChat too goes by the file's name
    read.answers.push_back(std::move(found->second));
    by_question.erase(found);
  }
  if (!by_question.empty()) {
    throw Error(ErrorKind::data,
                fmt::format("{}: {} answers are to questions that are not in the set, the first "
                            "to question {}",
                            file.string(), by_question.size(), by_question.begin()->first),
                "--questions FILE names the questions that were answered");
  }
  return read;
}

std::vector<std::filesystem::path> mt_answer_files(const MtFiles& files,
                                                   const std::vector<std::string>& models) {
  const std::filesystem::path folder = files.data_dir / "model_answer";
  std::vector<std::filesystem::path> found;
  for (const std::string& model : models)
    found.push_back(folder / (file_name_of(model) + ".jsonl"));
  if (!models.empty()) return found;
  need_file(folder, "answers", "`tapir eval mtbench answer` writes them");
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().extension() == ".jsonl")
      found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  if (found.empty()) {
    throw Error(ErrorKind::data, folder.string() + ": there is no answer file",
                "`tapir eval mtbench answer` writes them");
  }
  return found;
}

MtReferenceSet read_mt_references(const MtFiles& files, const std::string& choice,
                                  const std::vector<MtQuestion>& questions) {
  MtReferenceSet set{choice, {}};
  if (choice == "none") return set;
  if (choice == "questions") {
    for (const MtQuestion& question : questions) {
      if (question.reference.size() == evaluate::kMtTurns)
        set.turns[question.id] = question.reference;
    }
    return set;
  }
  const std::filesystem::path file = choice == "official"
                                         ? files.data_dir / "reference_answer" / "gpt-4.jsonl"
                                         : std::filesystem::path(choice);
  need_file(file, "reference answers",
            "name a file with --references, or --references questions or none");
  set.name = file.stem().string();
  for_each_jsonl(file, [&](const Json& row, const std::string& where) {
    const MtAnswer answer = evaluate::read_mt_answer(row, where);
    if (!set.turns.emplace(answer.question, answer.turns).second) {
      throw Error(ErrorKind::data,
                  fmt::format("{}: question {} has a reference already", where, answer.question));
    }
  });
  return set;
}

void replace_rows(const std::filesystem::path& file, const std::vector<OrderedJson>& rows,
                  const std::function<std::string(const Json& row)>& key) {
  std::string fresh;
  std::set<std::string> replaced;
  for (const OrderedJson& row : rows) {
    const std::string line = row.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
    replaced.insert(key(parse_json(line, "a row to write")));
    fresh += line + "\n";
  }
  std::string kept;
  if (std::filesystem::exists(file)) {
    for_each_line(file, [&](std::string_view line, std::size_t number) {
      if (trim(line).empty()) return;
      const std::string where = fmt::format("{}:{}", file.string(), number);
      if (!replaced.contains(key(parse_json(line, where)))) kept.append(line).append("\n");
    });
  }
  write_file(file, kept + fresh);
}

double time_stamp() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace tapir::pipeline
