// Decoding with the cache: against transformers, against the training pass, and bit for bit in any
// company.
#include "student/decode.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "golden_rows.h"
#include "random_student.h"
#include "student/decoder.h"
#include "test_data.h"

namespace tapir::student {
namespace {

using tapir::testing::goldens;
using Tokens = std::vector<std::int32_t>;

// A golden student's weights, torch-free.
struct GoldenStudent {
  explicit GoldenStudent(const std::string& name)
      : config(read_config(goldens() / name)), layout(make_layout(config)) {
    read_parameters(layout, config, goldens() / name, values.reserve(layout.size));
  }
  std::shared_ptr<const DecodeWeights> weights(const Kernels& set = kernels()) const {
    return std::make_shared<DecodeWeights>(config, layout, values.data(), set);
  }
  // For every set of kernels, and for bf16 units where there are such.
  std::vector<std::shared_ptr<const DecodeWeights>> every_weights() const {
    std::vector<std::shared_ptr<const DecodeWeights>> all;
    const KernelSets available = available_kernels();
    for (int set = 0; set < available.count; ++set) all.push_back(weights(*available.sets[set]));
    if (bf16_decode_kernels() == nullptr) return all;
    const auto source = [&](const Parameter& parameter) {
      return StoredValues{WeightType::f32, values.data() + parameter.offset};
    };
    all.push_back(
        std::make_shared<DecodeWeights>(config, layout, source, kernels(), /*bf16=*/true));
    return all;
  }
  ModelConfig config;
  ParameterLayout layout;
  FloatBuffer values;
};

std::string name_of(const DecodeWeights& weights) {
  return weights.decode.bf16 ? "bf16" : weights.kernels.name;
}

Tokens random_tokens(RandomStream& random, int count, int vocab) {
  Tokens tokens;
  for (int i = 0; i < count; ++i) tokens.push_back(random.between(0, vocab - 1));
  return tokens;
}

class Decode : public ::testing::TestWithParam<std::string> {
 protected:
  const GoldenStudent student_{GetParam()};
  const int vocab_ = student_.config.vocab_size;
};

TEST_P(Decode, GreedyTokensAreThoseOfTransformers) {
  constexpr double kTooCloseToCall = 1e-4;
  const std::filesystem::path path = goldens() / GetParam() / "greedy.json";
  const auto weights = student_.weights();
  DecodeWorker worker(weights);
  KvCache cache(student_.config, weights->decode);
  std::size_t compared = 0;
  for (const Json& row : parse_json(read_file(path), path.string())) {
    const auto prompt = row["prompt"].get<Tokens>();
    const auto expected = row["tokens"].get<Tokens>();
    const auto margins = row["margins"].get<std::vector<double>>();
    const float* logits = worker.prefill(prompt, cache);
    for (std::size_t i = 0; i < expected.size() && margins[i] >= kTooCloseToCall; ++i, ++compared) {
      const auto token = static_cast<std::int32_t>(weights->decode.argmax(logits, vocab_));
      ASSERT_EQ(token, expected[i]) << "prompt of " << prompt.size() << ", token " << i;
      const DecodeRow next{&cache, token, static_cast<std::int32_t>(prompt.size() + i)};
      logits = worker.step({&next, 1});
    }
  }
  // Of 960 and 400: the margins are what they are.
  EXPECT_GT(compared, GetParam().starts_with("families") ? 370U : 900U);
}

TEST_P(Decode, LogitsAreThoseOfTheTrainingPass) {
  RandomStream random(1, "test", GetParam());
  const Tokens tokens = random_tokens(random, 150, vocab_);
  PackedBatch batch;
  append_sequence(batch, tokens, std::vector<std::uint8_t>(tokens.size(), 0));
  std::vector<float> expected(tokens.size() * static_cast<std::size_t>(vocab_));
  Decoder(student_.config).logits(student_.values.data(), batch, expected.data());
  const KernelSets available = available_kernels();
  for (int set = 0; set < available.count; ++set) {
    const auto weights = student_.weights(*available.sets[set]);
    DecodeWorker worker(weights);
    KvCache cache(student_.config, weights->decode);
    for (const std::size_t prompt : {1UL, 17UL, 64UL, 149UL}) {
      const float* logits = worker.prefill(std::span(tokens).first(prompt), cache);
      for (std::size_t at = prompt - 1;; ++at) {
        for (int v = 0; v < vocab_; ++v) {
          ASSERT_NEAR(logits[v],
                      expected[at * static_cast<std::size_t>(vocab_) + static_cast<std::size_t>(v)],
                      2e-4)
              << available.sets[set]->name << " prompt " << prompt << " position " << at;
        }
        if (at + 1 == tokens.size()) break;
        const DecodeRow next{&cache, tokens[at + 1], static_cast<std::int32_t>(at + 1)};
        logits = worker.step({&next, 1});
      }
    }
  }
}

// Rows of different length, begun at different times, in any order and number: the bits of each
// row's logits are those that it has alone.
TEST_P(Decode, BitsDoNotDependOnTheCompany) {
  constexpr int kRows = 19;
  constexpr int kSteps = 24;
  const std::size_t bytes = static_cast<std::size_t>(vocab_) * sizeof(float);
  RandomStream random(2, "test", GetParam());
  std::vector<Tokens> texts;
  std::vector<std::vector<std::vector<float>>> alone(kRows);  // [row][step][vocab]
  for (const auto& weights : student_.every_weights()) {
    texts.clear();
    for (int row = 0; row < kRows; ++row) {
      texts.push_back(random_tokens(random, random.between(1, 90) + kSteps, vocab_));
      DecodeWorker worker(weights);
      KvCache cache(student_.config, weights->decode);
      const std::size_t prompt = texts.back().size() - kSteps;
      alone[static_cast<std::size_t>(row)].clear();
      worker.prefill(std::span(texts.back()).first(prompt), cache);
      for (std::size_t at = prompt; at < texts.back().size(); ++at) {
        const DecodeRow next{&cache, texts.back()[at], static_cast<std::int32_t>(at)};
        const float* logits = worker.step({&next, 1});
        alone[static_cast<std::size_t>(row)].emplace_back(logits, logits + vocab_);
      }
    }
    // The same again, every step with a random company in random order; caches have been
    // used before.
    DecodeWorker worker(weights);
    std::vector<KvCache> caches;
    std::vector<std::size_t> done(kRows, 0);
    for (const Tokens& text : texts) {
      KvCache& cache = caches.emplace_back(student_.config, weights->decode);
      worker.prefill(texts.front(), cache);
      worker.prefill(std::span(text).first(text.size() - kSteps), cache);
    }
    while (true) {
      std::vector<std::size_t> company;
      for (std::size_t row = 0; row < kRows; ++row) {
        if (done[row] < kSteps && random.chance(0.6)) company.push_back(row);
      }
      if (std::all_of(done.begin(), done.end(), [](std::size_t d) { return d == kSteps; })) break;
      if (company.empty()) continue;
      random.shuffle(company);
      std::vector<DecodeRow> rows;
      for (const std::size_t row : company) {
        const std::size_t at = texts[row].size() - kSteps + done[row];
        rows.push_back({&caches[row], texts[row][at], static_cast<std::int32_t>(at)});
      }
      const float* logits = worker.step(rows);
      for (std::size_t i = 0; i < company.size(); ++i) {
        const std::vector<float>& expected = alone[company[i]][done[company[i]]++];
        ASSERT_EQ(
            std::memcmp(logits + i * static_cast<std::size_t>(vocab_), expected.data(), bytes), 0)
            << name_of(*weights) << " row " << company[i] << " among " << company.size();
      }
    }
  }
}

// Where every layer's window has passed, the cache's blocks are used again; one layer that sees all
// keeps them all.
TEST(DecodeWindow, TheCacheHoldsTheWidestWindow) {
  constexpr int kTokens = 500;
  ModelConfig config = tapir::testing::small_config();
  config.max_position_embeddings = kTokens;
  config.sliding_window = 70;
  RandomStream random(7, "test", "window");
  const Tokens tokens = random_tokens(random, kTokens, config.vocab_size);
  const std::vector<float> values =
      tapir::testing::random_floats(random, make_layout(config).size, 0.15);
  PackedBatch batch;
  append_sequence(batch, tokens, std::vector<std::uint8_t>(tokens.size(), 0));
  const auto vocab = static_cast<std::size_t>(config.vocab_size);
  std::vector<float> expected(tokens.size() * vocab);
  for (const bool all_slide : {true, false}) {
    if (!all_slide) config.sliding_layers = {true, false, true};
    Decoder(config).logits(values.data(), batch, expected.data());
    const auto weights =
        std::make_shared<DecodeWeights>(config, make_layout(config), values.data());
    KvCache one(config, weights->decode);
    one.reserve(1);
    DecodeWorker worker(weights);
    KvCache cache(config, weights->decode);
    for (const std::size_t prompt : {1UL, 65UL, 300UL, 2UL}) {
      const float* logits = worker.prefill(std::span(tokens).first(prompt), cache);
      for (std::size_t at = prompt - 1;; ++at) {
        for (std::size_t v = 0; v < vocab; ++v) {
          ASSERT_NEAR(logits[v], expected[at * vocab + v], 2e-4)
              << "prompt " << prompt << " position " << at;
        }
        if (at + 1 == tokens.size()) break;
        const DecodeRow next{&cache, tokens[at + 1], static_cast<std::int32_t>(at + 1)};
        logits = worker.step({&next, 1});
      }
      EXPECT_EQ(cache.bytes() / one.bytes(), all_slide ? 3 : kTokens / 64 + 1);
    }
  }
}

// More rows than are taken through the head at a time.
TEST(DecodeStep, TakesAnyNumberOfRows) {
  constexpr int kRows = 1030;
  const GoldenStudent student("generate/gqa_untied");
  const auto vocab = static_cast<std::size_t>(student.config.vocab_size);
  const auto weights = student.weights();
  RandomStream random(6, "test", "many rows");
  const Tokens texts = random_tokens(random, 2 * kRows, student.config.vocab_size);
  DecodeWorker worker(weights, /*threads=*/2);
  std::vector<KvCache> caches;
  for (std::size_t i = 0; i < kRows; ++i) {
    worker.prefill(std::span(texts).subspan(2 * i, 1),
                   caches.emplace_back(student.config, weights->decode));
  }
  std::vector<DecodeRow> rows;
  for (std::size_t i = 0; i < kRows; ++i) rows.push_back({&caches[i], texts[2 * i + 1], 1});
  const float* logits = worker.step(rows);
  DecodeWorker other(weights);
  for (std::size_t i = 0; i < kRows; ++i) {
    const float* alone = other.step({&rows[i], 1});
    ASSERT_EQ(std::memcmp(logits + i * vocab, alone, vocab * sizeof(float)), 0) << "row " << i;
  }
}

// Threads share out columns, rows and heads; no sum is split.
TEST_P(Decode, BitsDoNotDependOnTheNumberOfThreads) {
  RandomStream random(4, "test", GetParam());
  const Tokens tokens = random_tokens(random, 75, vocab_);
  for (const auto& weights : student_.every_weights()) {
    std::vector<std::vector<float>> expected;
    for (const int threads : {1, 2, 5}) {
      DecodeWorker worker(weights, threads);
      KvCache cache(student_.config, weights->decode);
      std::size_t step = 0;
      for (std::size_t at = 69; at < tokens.size(); ++at, ++step) {
        const DecodeRow next{&cache, tokens[at], static_cast<std::int32_t>(at)};
        if (threads == 5) worker.use_threads(1 + static_cast<int>(step * 2) % 5);
        const float* logits =
            at == 69 ? worker.prefill(std::span(tokens).first(70), cache) : worker.step({&next, 1});
        if (threads == 1) expected.emplace_back(logits, logits + vocab_);
        ASSERT_EQ(std::memcmp(logits, expected[step].data(), expected[step].size() * sizeof(float)),
                  0)
            << name_of(*weights) << ", " << threads << " threads, step " << step;
      }
    }
  }
}

TEST_P(Decode, ScoresHaveTheBitsOfTheTrainingPass) {
  RandomStream random(5, "test", GetParam());
  const KernelSets available = available_kernels();
  for (int set = 0; set < available.count; ++set) {
    const Tokens tokens = random_tokens(random, 90, vocab_);
    std::vector<std::uint8_t> loss(tokens.size(), 0);
    for (std::size_t i = 1; i < loss.size(); ++i) loss[i] = random.chance(0.5) ? 1 : 0;
    PackedBatch batch;
    append_sequence(batch, tokens, loss);
    std::vector<float> expected(batch.targets.size());
    Decoder(student_.config, *available.sets[set])
        .logprobs(student_.values.data(), batch, expected.data());
    DecodeWorker worker(student_.weights(*available.sets[set]), /*threads=*/1 + set);
    EXPECT_EQ(worker.score({tokens, batch.rows, batch.targets}), expected)
        << available.sets[set]->name;
    EXPECT_TRUE(worker.score({tokens, {}, {}}).empty());
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Decode,
    ::testing::ValuesIn(tapir::testing::and_families({"generate/mha_tied", "generate/gqa_untied"})),
    [](const auto& folder) { return std::filesystem::path(folder.param).filename().string(); });

TEST(DecodeKernels, ArgmaxTakesTheFirstOfTheLargest) {
  const KernelSets available = available_kernels();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (int set = 0; set < available.count; ++set) {
    const DecodeKernels& k = decode_kernels(*available.sets[set]);
    std::vector<float> x(77, -1.0F);
    EXPECT_EQ(k.argmax(x.data(), 77), 0);
    x[76] = x[40] = 2.0F;
    EXPECT_EQ(k.argmax(x.data(), 77), 40);
    EXPECT_EQ(k.argmax(x.data(), 40), 0);
    x[3] = nan;
    EXPECT_EQ(k.argmax(x.data(), 77), 40);
    std::fill(x.begin(), x.end(), nan);
    EXPECT_EQ(k.argmax(x.data(), 77), 0);
    std::fill(x.begin(), x.end(), -std::numeric_limits<float>::infinity());
    EXPECT_EQ(k.argmax(x.data(), 77), 0);
  }
}

}  // namespace
}  // namespace tapir::student
