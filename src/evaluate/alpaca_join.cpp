#include "evaluate/alpaca_join.h"

#include <map>
#include <unordered_map>

#include "base/error.h"
#include "base/strings.h"

namespace tapir::evaluate {
namespace {

using Places = std::unordered_map<std::string, std::size_t>;  // looked up only

// The rows of one model, while they are gathered.
struct Gathered {
  JoinedModel joined;
  std::map<std::size_t, std::vector<const Annotation*>> by_place;
  std::size_t last_place = 0;
};

void check_same(const std::string& known, const std::string& found, const char* what,
                const Annotation& row) {
  if (known == found) return;
  throw Error(ErrorKind::data,
              row.where + ": the rows of \"" + row.generator_2 + "\" have two " + what + ", \"" +
                  known + "\" and \"" + found + "\"",
              "score each by itself, in files of their own");
}

void gather(const Annotation& row, const Places& places, Gathered& model) {
  JoinedModel& joined = model.joined;
  check_same(joined.baseline, row.generator_1, "baselines", row);
  check_same(joined.annotator, row.annotator, "judges", row);
  const auto found = places.find(row.instruction);
  if (found == places.end()) return joined.unknown.add(row.where + " " + shown(row.instruction));
  auto& rows = model.by_place[found->second];
  if (!rows.empty()) joined.duplicates.add(row.where + " " + shown(row.instruction));
  joined.in_order = joined.in_order && model.last_place <= found->second;
  model.last_place = found->second;
  rows.push_back(&row);
}

std::optional<double> valid_preference(const Annotation& row, JoinedModel& joined) {
  if (!row.preference) {
    joined.no_preference.add(row.where + " " + shown(row.instruction));
  } else if (!is_preference(*row.preference)) {
    joined.out_of_range.add(row.where + ": " + Json(*row.preference).dump());
  } else {
    return row.preference;
  }
  return std::nullopt;
}

JoinedRow joined_row(std::size_t place, const std::vector<const Annotation*>& rows,
                     Duplicates duplicates, JoinedModel& joined) {
  const Annotation& kept = duplicates == Duplicates::last ? *rows.back() : *rows.front();
  const auto length_1 = static_cast<double>(count_code_points(kept.output_1));
  const auto length_2 = static_cast<std::int64_t>(count_code_points(kept.output_2));
  JoinedRow row{place, std::nullopt, length_1 - static_cast<double>(length_2), length_2,
                kept.repeats};
  if (duplicates != Duplicates::average) {
    row.preference = valid_preference(kept, joined);
    return row;
  }
  double sum = 0;
  int count = 0;
  for (const Annotation* one : rows) {
    const auto preference = valid_preference(*one, joined);
    if (!preference) continue;
    sum += *preference;
    ++count;
  }
  if (count > 0) row.preference = sum / count;
  return row;
}

JoinedModel finished(Gathered& model, std::span<const std::string> instructions,
                     Duplicates duplicates) {
  JoinedModel joined = std::move(model.joined);
  for (std::size_t place = 0; place < instructions.size(); ++place) {
    const auto found = model.by_place.find(place);
    if (found == model.by_place.end()) {
      joined.missing.add("number " + std::to_string(place + 1) + " " + shown(instructions[place]));
    } else {
      joined.rows.push_back(joined_row(place, found->second, duplicates, joined));
    }
  }
  return joined;
}

}  // namespace

void Fault::add(const std::string& example) {
  if (++count <= 3) examples.push_back(example);
}

std::string shown(const std::string& instruction) {
  constexpr std::size_t kLongest = 60;  // bytes
  const std::string line = replace_all(instruction, "\n", " ");
  if (line.size() <= kLongest) return '"' + line + '"';
  std::size_t end = kLongest;  // not inside a code point
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0U) == 0x80U) --end;
  return '"' + line.substr(0, end) + "...\"";
}

std::vector<std::string> instructions_of(std::span<const Annotation> annotations) {
  std::vector<std::string> instructions;
  Places places;
  for (const Annotation& row : annotations) {
    if (places.emplace(row.instruction, places.size()).second)
      instructions.push_back(row.instruction);
  }
  return instructions;
}

std::vector<JoinedModel> join_annotations(std::span<const Annotation> annotations,
                                          std::span<const std::string> instructions,
                                          Duplicates duplicates) {
  Places places;
  for (std::size_t i = 0; i < instructions.size(); ++i) places.emplace(instructions[i], i);
  std::vector<Gathered> models;
  std::unordered_map<std::string, std::size_t> number_of;  // looked up only
  for (const Annotation& row : annotations) {
    const auto [found, is_new] = number_of.emplace(row.generator_2, models.size());
    if (is_new) {
      models.emplace_back();
      models.back().joined.model = row.generator_2;
      models.back().joined.baseline = row.generator_1;
      models.back().joined.annotator = row.annotator;
    }
    gather(row, places, models[found->second]);
  }
  std::vector<JoinedModel> joined;
  for (Gathered& model : models) joined.push_back(finished(model, instructions, duplicates));
  return joined;
}

}  // namespace tapir::evaluate
