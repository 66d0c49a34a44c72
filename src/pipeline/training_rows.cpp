#include "pipeline/training_rows.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "dataset/read_instructions.h"

namespace tapir::pipeline {
namespace {

bool contains(const auto& list, const auto& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

Example example_of(dataset::DataRow& row, const LearnOptions& options) {
  if (!row.response) {
    throw Error(ErrorKind::data,
                row.where +
                    ": there is no answer to learn: the conversation ends with the user's message, "
                    "or with an empty answer",
                "give every row an answer (output, response, or a last assistant message)");
  }
  Messages messages = std::move(row.instruction.messages);
  messages.push_back({Role::assistant, std::move(*row.response)});
  Example example;
  example.id = row.instruction.id;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const bool last = i + 1 == messages.size();
    const bool loss = contains(options.roles, messages[i].role) && !contains(row.not_learnt, i) &&
                      (last || !options.mask_history);
    example.segments.push_back({messages[i].role, std::move(messages[i].content), loss});
  }
  return example;
}

}  // namespace

TrainingRows read_training_rows(const std::vector<std::filesystem::path>& files,
                                const LearnOptions& options) {
  TrainingRows rows;
  for (dataset::DataRow& row : dataset::read_instructions(files)) {
    rows.where.emplace(row.instruction.id, row.where);
    rows.examples.push_back(example_of(row, options));
  }
  return rows;
}

std::vector<student::GenerateRequest> stop_questions(const std::vector<Example>& rows, int count) {
  std::vector<std::pair<std::size_t, const Example*>> by_length;
  for (const Example& row : rows) {
    if (row.segments.size() < 2 || !row.segments.back().loss) continue;
    std::size_t length = 0;
    for (const Segment& segment : row.segments) length += segment.text.size();
    by_length.emplace_back(length, &row);
  }
  std::stable_sort(by_length.begin(), by_length.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  by_length.resize(std::min(by_length.size(), static_cast<std::size_t>(std::max(0, count))));
  std::vector<student::GenerateRequest> questions;
  for (const auto& [length, row] : by_length) {
    student::GenerateRequest& question = questions.emplace_back();
    question.id = row->id;
    for (const Segment& segment : row->segments)
      question.messages.push_back({segment.role, segment.text});
    question.messages.pop_back();
  }
  return questions;
}

void TrainingRows::with_places(const std::function<void()>& action) const {
  try {
    action();
  } catch (const Error& error) {
    constexpr std::string_view kBegin = "example ";
    const std::string_view message = error.what();
    const std::size_t end = message.find(": ");
    if (error.kind() != ErrorKind::data || !message.starts_with(kBegin) || end == message.npos)
      throw;
    const auto place = where.find(std::string(message.substr(kBegin.size(), end - kBegin.size())));
    if (place == where.end()) throw;
    throw Error(error.kind(), place->second + ": " + std::string(message), error.hint());
  }
}

}  // namespace tapir::pipeline
