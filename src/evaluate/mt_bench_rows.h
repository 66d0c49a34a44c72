// Rows of MT-Bench's files as FastChat writes them: question.jsonl, model_answer/<model>.jsonl,
// reference_answer/<judge>.jsonl and model_judgment/<judge>_single.jsonl and <judge>_pair.jsonl.
// Fields that are not read are passed over. Error{data} "file:line: ..." for what is not such a
// row.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "evaluate/mt_bench.h"

namespace tapir::evaluate {

MtQuestion read_mt_question(const Json& row, std::string_view where);

// One model's answer, or a reference answer; the first of its choices, as FastChat judges it.
struct MtAnswer {
  std::int64_t question = 0;
  std::string model;
  std::vector<std::string> turns;
  std::string where;
};
MtAnswer read_mt_answer(const Json& row, std::string_view where);
OrderedJson to_json(const MtAnswer& answer, double time);  // time: "tstamp", seconds since 1970

// recorded: the file's score where there is one, which FastChat's figures are made of. text: what
// the judge's words say, by the same rule (read_mtbench_rating()).
enum class MtScoreFrom { recorded, text };
MtJudgment read_mt_judgment(const Json& row, MtScoreFrom from, std::string_view where);

bool is_mt_pair(const Json& row);
MtPair read_mt_pair(const Json& row, std::string_view where);

std::string_view to_string(MtWinner winner);  // "model_1", "model_2", "tie", "error"

}  // namespace tapir::evaluate
