// Damaged instruction files, for the quick and the long fuzz test.
#pragma once

#include <fstream>

#include <gtest/gtest.h>

#include "dataset/read_instructions.h"
#include "fuzzing.h"
#include "test_data.h"

namespace tapir::dataset {

// Whatever the bytes: rows, or an Error{data} that names the file. Never anything else.
inline testing::FuzzPlan read_fuzz_plan(bool lines, const std::filesystem::path& folder) {
  testing::FuzzPlan plan;
  plan.name = lines ? "rows.jsonl" : "rows.json";
  if (lines) {
    plan.corpus = {
        R"({"id":1,"messages":[{"role":"system","content":"S"},{"role":"user","content":"U"},)"
        R"({"role":"assistant","content":"A","weight":0}]})"
        "\n"
        R"({"id":"b","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}],"response":"R"})",
        R"({"prompt":"P","completion":"C"})"
        "\n"
        R"({"prompt":[{"role":"user","content":"Q"}],"completion":[{"role":"assistant","content":"D"}]})",
        R"({"question":"2+2?","answer":"4"})"};
    plan.mutate = testing::mutate_jsonl;
  } else {
    plan.corpus = {
        R"([{"instruction":"Add.","input":"1 2","output":"3","history":[["q","a"]]},)"
        "\n"
        R"({"instruction":"B","system":"S","output":null}])",
        R"([{"system":"S","conversations":[{"from":"human","value":"H"},{"from":"gpt","value":"G"},)"
        R"({"from":"function_call","value":"{}"},{"from":"observation","value":"O"}]}])"};
    plan.mutate = testing::mutate_json_text;
  }
  const auto path = folder / plan.name;
  plan.run = [path](const std::string& input) {
    std::ofstream(path, std::ios::binary) << input;  // no fsync: thousands of inputs
    try {
      for (const DataRow& row : read_instructions(path)) {
        EXPECT_FALSE(row.instruction.id.empty());
        EXPECT_FALSE(row.instruction.messages.empty());
        EXPECT_FALSE(row.instruction.prompt().empty());
        EXPECT_FALSE(row.response && row.response->empty());
      }
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
      EXPECT_EQ(error.kind(), ErrorKind::data);
      throw;
    }
  };
  return plan;
}

}  // namespace tapir::dataset
