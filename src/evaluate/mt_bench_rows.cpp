#include "evaluate/mt_bench_rows.h"

#include <cmath>
#include <cstdint>

#include "base/error.h"
#include "base/hash.h"
#include "prompting/judgment_forms.h"

namespace tapir::evaluate {
namespace {

[[noreturn]] void refuse(std::string_view where, const std::string& what,
                         const std::string& hint = {}) {
  throw Error(ErrorKind::data, std::string(where) + ": " + what, hint);
}

// A value that does not belong, shortened.
std::string shown(const Json& value) {
  return value.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace).substr(0, 80);
}

// A whole number: 81.5 is none, and neither is what does not fit.
std::int64_t whole(const Json& row, const char* key, std::string_view where) {
  const Json& found = json_member(row, key, where);
  const bool fits = found.is_number_integer() &&
                    (!found.is_number_unsigned() || found.get<std::uint64_t>() <= INT64_MAX);
  if (!fits) {
    refuse(where,
           std::string("key \"") + key + "\": expected a whole number, found " + shown(found));
  }
  return found.get<std::int64_t>();
}

int turn_of(const Json& row, std::string_view where) {
  const std::int64_t turn = whole(row, "turn", where);
  if (turn < 1 || turn > kMtTurns) {
    refuse(where, "key \"turn\": expected 1 or 2, found " + std::to_string(turn));
  }
  return static_cast<int>(turn);
}

// Our own field: which judging of the same turn this is.
int repeat_of(const Json& row, std::string_view where) {
  if (!row.contains("repeat")) return 0;
  const std::int64_t repeat = whole(row, "repeat", where);
  if (repeat < 0 || repeat > 1'000'000)
    refuse(where, "key \"repeat\": expected 0 or more, found " + std::to_string(repeat));
  return static_cast<int>(repeat);
}

struct JudgeName {
  std::string name;
  std::string prompt;
};

// ["gpt-4", "single-v1"]; a name alone is accepted.
JudgeName judge_of(const Json& row, std::string_view where) {
  const Json& judge = json_member(row, "judge", where);
  if (judge.is_string()) return {judge.get<std::string>(), ""};
  const bool named = judge.is_array() && !judge.empty() && judge[0].is_string() &&
                     (judge.size() < 2 || judge[1].is_string());
  if (!named) {
    refuse(where, "key \"judge\": expected [name, template], found " + shown(judge));
  }
  return {judge[0].get<std::string>(), judge.size() > 1 ? judge[1].get<std::string>() : ""};
}

std::vector<std::string> texts(const Json& row, std::string_view key, std::string_view where) {
  auto found = json_get<std::vector<std::string>>(row, key, where);
  if (found.size() != kMtTurns) {
    refuse(where, "key \"" + std::string(key) + "\": expected " + std::to_string(kMtTurns) +
                      " turns, found " + std::to_string(found.size()));
  }
  return found;
}

MtWinner winner_of(const Json& row, std::string_view key, std::string_view where) {
  const auto name = json_get<std::string>(row, key, where);
  for (const MtWinner winner :
       {MtWinner::model_1, MtWinner::model_2, MtWinner::tie, MtWinner::error}) {
    if (name == to_string(winner)) return winner;
  }
  refuse(where, "key \"" + std::string(key) +
                    "\": expected model_1, model_2, tie or error, found \"" + name + "\"");
}

bool same(const std::optional<double>& a, const std::optional<double>& b) {
  return a.has_value() == b.has_value() && (!a || std::fabs(*a - *b) < 1e-9);
}

}  // namespace

MtQuestion read_mt_question(const Json& row, std::string_view where) {
  MtQuestion question;
  question.id = whole(row, "question_id", where);
  question.category = json_get<std::string>(row, "category", where);
  question.turns = texts(row, "turns", where);
  if (row.contains("reference") && !row["reference"].is_null())
    question.reference = json_get<std::vector<std::string>>(row, "reference", where);
  if (row.contains("required_temperature"))
    question.temperature = json_get<double>(row, "required_temperature", where);
  return question;
}

MtAnswer read_mt_answer(const Json& row, std::string_view where) {
  MtAnswer answer;
  answer.question = whole(row, "question_id", where);
  answer.model = json_get<std::string>(row, "model_id", where);
  answer.where = where;
  const Json& choices = json_member(row, "choices", where);
  if (!choices.is_array() || choices.empty()) {
    refuse(where, "key \"choices\": expected a list with an answer, found " + shown(choices));
  }
  answer.turns = texts(choices[0], "turns", where);
  return answer;
}

OrderedJson to_json(const MtAnswer& answer, double time) {
  std::string text;
  for (const std::string& turn : answer.turns) text += hash_fields({turn});
  const std::string id = short_id({answer.model, std::to_string(answer.question), text});
  const OrderedJson choice = {{"index", 0}, {"turns", answer.turns}};
  return {{"question_id", answer.question},
          {"answer_id", id},
          {"model_id", answer.model},
          {"choices", OrderedJson::array({choice})},
          {"tstamp", time}};
}

MtJudgment read_mt_judgment(const Json& row, MtScoreFrom from, std::string_view where) {
  MtJudgment judgment;
  judgment.question = whole(row, "question_id", where);
  judgment.turn = turn_of(row, where);
  judgment.model = json_get<std::string>(row, "model", where);
  const JudgeName judge = judge_of(row, where);
  judgment.judge = judge.name;
  judgment.prompt = judge.prompt;
  judgment.reference_set = json_get_or<std::string>(row, "reference_set", "", where);
  judgment.repeat = repeat_of(row, where);
  // FastChat's files do not name their references: those are the official ones.
  const bool with_reference = judgment.prompt.find("math") != std::string::npos;
  judgment.wrong_reference = judgment.reference_set.empty()
                                 ? with_reference && has_wrong_mt_reference(judgment.question)
                                 : json_get_or<bool>(row, "wrong_reference", false, where);
  judgment.where = where;

  const bool has_score = row.contains("score") && !row["score"].is_null();
  const bool has_text = row.contains("judgment") && !row["judgment"].is_null();
  if (!has_score && !has_text) {
    refuse(where, "expected \"score\" or \"judgment\", found neither",
           "rows of model_judgment/<judge>_single.jsonl have both");
  }
  std::optional<double> recorded;
  if (has_score) recorded = json_get<double>(row, "score", where);
  if (recorded == -1.0) recorded.reset();
  std::optional<double> read;
  if (has_text)
    read = prompting::read_mtbench_rating(json_get<std::string>(row, "judgment", where)).score;
  judgment.rereads = !has_score || !has_text || same(recorded, read);
  const bool take_recorded = has_score && (from == MtScoreFrom::recorded || !has_text);
  judgment.score = take_recorded ? recorded : read;
  return judgment;
}

bool is_mt_pair(const Json& row) { return row.is_object() && row.contains("g1_winner"); }

MtPair read_mt_pair(const Json& row, std::string_view where) {
  MtPair pair;
  pair.question = whole(row, "question_id", where);
  pair.turn = turn_of(row, where);
  pair.model_1 = json_get<std::string>(row, "model_1", where);
  pair.model_2 = json_get<std::string>(row, "model_2", where);
  pair.judge = judge_of(row, where).name;
  pair.game_1 = winner_of(row, "g1_winner", where);
  pair.game_2 = winner_of(row, "g2_winner", where);
  pair.where = where;
  return pair;
}

std::string_view to_string(MtWinner winner) {
  switch (winner) {
    case MtWinner::model_1:
      return "model_1";
    case MtWinner::model_2:
      return "model_2";
    case MtWinner::tie:
      return "tie";
    case MtWinner::error:
      return "error";
  }
  return "error";
}

}  // namespace tapir::evaluate
