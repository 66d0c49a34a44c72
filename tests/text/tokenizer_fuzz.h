// Fuzzing of tokenizer.json, shared by the short test and the long one.
#pragma once

#include <gtest/gtest.h>

#include "fuzzing.h"
#include "text_testing.h"

namespace tapir::text {

// Whatever the file says, it is loaded or refused as data; what is loaded takes any text.
inline testing::FuzzPlan tokenizer_json_plan() {
  testing::FuzzPlan plan;
  plan.name = "tokenizer.json";
  for (const char* folder : {"gpt2_pattern", "split_nfc"}) {
    plan.corpus.push_back(read_file(goldens() / folder / "tokenizer.json"));
  }
  plan.mutate = testing::mutate_json_text;
  plan.run = [](const std::string& input) {
    const auto tokenizer = load_from(input);
    RandomStream random(1, "test", "fuzz texts");
    for (int i = 0; i < 5; ++i) {
      const auto ids = tokenizer->encode_with_specials(random_text(random), true);
      tokenizer->decode(ids, false);
      for (const TokenId id : tokenizer->encode(random_text(random))) {
        EXPECT_FALSE(tokenizer->is_special(id));
      }
    }
  };
  return plan;
}

}  // namespace tapir::text
