#include "dataset/statistics.h"

#include <algorithm>
#include <numeric>

#include "base/strings.h"
#include "dataset/clean.h"
#include "dataset/text_faults.h"

namespace tapir::dataset {

Lengths lengths_of(std::vector<std::size_t> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
  };
  const auto sum = std::accumulate(values.begin(), values.end(), std::size_t{0});
  return {values.size(),  static_cast<double>(sum) / static_cast<double>(values.size()),
          values.front(), at(0.5),
          at(0.9),        at(0.99),
          values.back()};
}

Statistics statistics(std::span<const DataRow> rows) {
  Statistics out;
  out.rows = rows.size();
  std::vector<std::size_t> instructions;
  std::vector<std::size_t> responses;
  for (const DataRow& row : rows) {
    const Messages& messages = row.instruction.messages;
    std::size_t characters = 0;
    for (const Message& message : messages) characters += count_code_points(message.content);
    instructions.push_back(characters);
    if (row.response) responses.push_back(count_code_points(*row.response));
    const bool system = messages.front().role == Role::system;
    out.with_system += system ? 1 : 0;
    out.with_history += messages.size() > (system ? 2U : 1U) ? 1 : 0;
    ++out.sources[row.instruction.source];
    ++out.tasks[row.instruction.task];
    ++out.scripts[std::string(to_string(main_script(comparison_text(messages))))];
  }
  out.with_response = responses.size();
  out.instructions = lengths_of(std::move(instructions));
  out.responses = lengths_of(std::move(responses));
  return out;
}

}  // namespace tapir::dataset
