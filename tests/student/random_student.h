// Small students of random weights, and random rows for them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "student/batching.h"
#include "student/parameters.h"

namespace tapir::testing {

// Of widths that no kernel's tiles divide; a test changes what it is about.
inline student::ModelConfig small_config() {
  student::ModelConfig config;
  config.vocab_size = 70;
  config.hidden_size = 40;
  config.intermediate_size = 56;
  config.num_hidden_layers = 3;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 12;
  config.max_position_embeddings = 96;
  config.tie_word_embeddings = true;
  return config;
}

inline std::vector<float> random_floats(RandomStream& random, std::int64_t size, double scale = 1) {
  std::vector<float> values(static_cast<std::size_t>(size));
  for (float& value : values) value = static_cast<float>(scale * random.normal());
  return values;
}
// The same ones for the same name.
inline std::vector<float> random_floats(std::int64_t size, const std::string& name,
                                        double scale = 1) {
  RandomStream random(11, "test", name);
  return random_floats(random, size, scale);
}

// What random rows are like.
struct RowShape {
  int shortest = 3;  // tokens
  int longest = 50;
  int vocab_size = 70;
  double learnt = 0.6;  // share of the tokens after the first that are learnt
};

inline student::EncodedRow random_row(RandomStream& random, const RowShape& shape) {
  student::EncodedRow row;
  std::vector<std::int32_t> tokens;
  std::vector<std::uint8_t> loss;
  for (int n = random.between(shape.shortest, shape.longest); n > 0; --n) {
    tokens.push_back(random.between(0, shape.vocab_size - 1));
    loss.push_back(!loss.empty() && random.chance(shape.learnt) ? 1 : 0);
    row.supervised += loss.back();
  }
  row.tokens = std::move(tokens);
  row.loss = std::move(loss);
  return row;
}

inline std::vector<student::EncodedRow> random_rows(RandomStream& random, int count,
                                                    const RowShape& shape = {}) {
  std::vector<student::EncodedRow> rows;
  for (int i = 0; i < count; ++i) rows.push_back(random_row(random, shape));
  return rows;
}

}  // namespace tapir::testing
