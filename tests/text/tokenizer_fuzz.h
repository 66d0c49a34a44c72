// Fuzzing of tokenizer.json, shared by the short test and the long one.
#pragma once

#include <gtest/gtest.h>

#include "fuzzing.h"
#include "text_testing.h"

namespace tapir::text {

// The unknown token may be any, and text with characters that have no token becomes it.
inline std::optional<TokenId> unknown_of(const std::string& input, const Tokenizer& tokenizer) {
  const Json json = Json::parse(input);
  const Json name = json["model"].value("unk_token", Json());
  return name.is_string() ? tokenizer.token_to_id(name.get<std::string>()) : std::nullopt;
}

// Whatever the file says, it is loaded or refused as data; what is loaded takes any text.
inline testing::FuzzPlan tokenizer_json_plan() {
  testing::FuzzPlan plan;
  plan.name = "tokenizer.json";
  for (const char* folder : {"gpt2_pattern", "split_nfc"}) {
    plan.corpus.push_back(read_file(goldens() / folder / "tokenizer.json"));
  }
  for (const char* folder : {"llama2", "mistral", "phi3", "gemma", "nemo", "mixed"}) {
    plan.corpus.push_back(read_file(goldens() / "families" / folder / "tokenizer.json"));
  }
  plan.mutate = testing::mutate_json_text;
  plan.run = [](const std::string& input) {
    const auto tokenizer = load_from(input);
    const auto unknown = unknown_of(input, *tokenizer);
    RandomStream random(1, "test", "fuzz texts");
    for (int i = 0; i < 5; ++i) {
      const auto ids = tokenizer->encode_with_specials(random_text(random), true);
      tokenizer->decode(ids, false);
      for (const TokenId id : tokenizer->encode(random_text(random))) {
        EXPECT_TRUE(!tokenizer->is_special(id) || id == unknown) << id;
      }
    }
  };
  return plan;
}

}  // namespace tapir::text
