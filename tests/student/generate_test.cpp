// Generation: ends, failures, sampling, and the same rows whatever the workers, slots and order.
#include "student/generate.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "error_of.h"
#include "random_student.h"
#include "student/decode_weights.h"
#include "student/generate_sample.h"
#include "test_data.h"

namespace tapir::student {
namespace {

using ::testing::HasSubstr;

// A student of random weights with a real tokenizer: its text is noise, of all lengths.
class Generate : public ::testing::Test {
 protected:
  std::shared_ptr<const DecodeWeights> make_weights(std::vector<std::int32_t> end_tokens) const {
    ModelConfig c = testing::small_config();
    c.eos_token_ids = std::move(end_tokens);
    c.vocab_size = 600;
    c.tie_word_embeddings = false;
    const ParameterLayout layout = make_layout(c);
    std::vector<float> values = testing::random_floats(layout.size, "weights", 0.4);
    // The end of turn gets likelier than others, so that rows end early and late.
    float* end =
        values.data() + layout.lm_head.weight + *tokenizer_->token_to_id("<|end|>") * c.hidden_size;
    for (int i = 0; i < c.hidden_size; ++i) end[i] *= 4.0F;
    return std::make_shared<DecodeWeights>(c, layout, values.data());
  }

  std::vector<GenerateRequest> requests(int count) const {
    RandomStream random(5, "test", "requests");
    std::vector<GenerateRequest> made;
    for (int i = 0; i < count; ++i) {
      std::string prompt;
      for (int n = random.between(1, 14); n > 0; --n)
        prompt += "river " + std::to_string(random.below(50)) + " ";
      made.push_back({"row-" + std::to_string(i), {{Role::user, prompt}}, ""});
    }
    return made;
  }

  std::map<std::string, Generation> run(const std::vector<GenerateRequest>& rows,
                                        const GenerateOptions& options,
                                        std::stop_token stop = {}) const {
    std::map<std::string, Generation> all;
    const auto sink = [&](Generation g) {
      const std::string id = g.id;
      EXPECT_TRUE(all.emplace(id, std::move(g)).second) << id << " came twice";
    };
    generate(context(), rows, options, sink, std::move(stop));
    return all;
  }

  GenerationContext context() const {
    return {make_cpu_decode_engine(weights_), *tokenizer_, *format_};
  }

  static GenerateOptions options(int workers, int slots, double temperature = 0) {
    GenerateOptions o;
    o.workers = workers;
    o.slots = slots;
    o.sampling.temperature = temperature;
    o.sampling.max_new_tokens = 40;
    o.sampling.seed = 9;
    return o;
  }

  std::shared_ptr<const text::Tokenizer> tokenizer_ =
      text::load_tokenizer(testing::goldens() / "tokenizers" / "trained");
  std::shared_ptr<const text::ChatFormat> format_ =
      text::load_chat_format({}, tokenizer_, "compact");
  std::shared_ptr<const DecodeWeights> weights_ = make_weights({});
};

void expect_same(const std::map<std::string, Generation>& a,
                 const std::map<std::string, Generation>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [id, row] : a) {
    const Generation& other = b.at(id);
    EXPECT_EQ(row.text, other.text) << id;
    EXPECT_EQ(row.finish_reason, other.finish_reason) << id;
    EXPECT_EQ(row.prompt_tokens, other.prompt_tokens) << id;
    EXPECT_EQ(row.completion_tokens, other.completion_tokens) << id;
    EXPECT_EQ(row.failure, other.failure) << id;
  }
}

TEST_F(Generate, RowsAreTheSameWithAnyWorkersSlotsAndOrder) {
  for (const double temperature : {0.0, 0.9}) {
    auto rows = requests(120);
    const auto expected = run(rows, options(1, 1, temperature));
    EXPECT_EQ(expected.size(), rows.size());
    std::map<FinishReason, int> reasons;
    for (const auto& [id, row] : expected) ++reasons[row.finish_reason];
    EXPECT_GT(reasons[FinishReason::stop], 10);
    EXPECT_GT(reasons[FinishReason::length], 10);
    for (const auto& [workers, slots] : {std::pair{1, 16}, {2, 16}, {3, 5}, {7, 2}}) {
      RandomStream(static_cast<std::uint64_t>(workers), "test", "order").shuffle(rows);
      expect_same(expected, run(rows, options(workers, slots, temperature)));
    }
    expect_same({{"row-7", expected.at("row-7")}},
                run({*std::find_if(rows.begin(), rows.end(),
                                   [](const auto& r) { return r.id == "row-7"; })},
                    options(4, 16, temperature)));
  }
}

// Whose rows may depend on the number of slots.
class DependentRows final : public DecodeEngine {
 public:
  explicit DependentRows(std::shared_ptr<const DecodeEngine> engine) : engine_(std::move(engine)) {}
  const ModelConfig& config() const override { return engine_->config(); }
  std::int64_t parameter_count() const override { return engine_->parameter_count(); }
  std::int64_t bytes() const override { return engine_->bytes(); }
  bool independent_rows() const override { return false; }
  int most_workers() const override { return 1; }
  std::unique_ptr<RowDecoder> rows(int slots, int threads) const override {
    EXPECT_EQ(slots, 16);
    return engine_->rows(slots, threads);
  }

 private:
  std::shared_ptr<const DecodeEngine> engine_;
};

TEST_F(Generate, FewRequestsChangeNoSlotsWhereRowsDependOnThem) {
  const auto engine = std::make_shared<DependentRows>(make_cpu_decode_engine(weights_));
  std::size_t answers = 0;
  generate({engine, *tokenizer_, *format_}, requests(3), options(0, 16),
           [&](const Generation&) { ++answers; }, {});
  EXPECT_EQ(answers, 3U);
}

TEST_F(Generate, RowsAreTheSameWithAnyThreads) {
  const auto rows = requests(6);
  GenerateOptions team = options(0, 4);
  team.threads = 3;
  team.sampling.max_new_tokens = 5;
  GenerateOptions alone = options(1, 1);
  alone.sampling.max_new_tokens = 5;
  expect_same(run(rows, alone), run(rows, team));
}

TEST_F(Generate, StopsAtTheEndOfTurnAndAtTheLimit) {
  for (const auto& [id, row] : run(requests(60), options(1, 16))) {
    EXPECT_TRUE(row.failure.empty());
    EXPECT_THAT(row.text, ::testing::Not(HasSubstr("<|end|>")));
    EXPECT_GE(row.completion_tokens, 1);
    if (row.finish_reason == FinishReason::length) {
      EXPECT_EQ(row.completion_tokens, std::min(40, 96 - row.prompt_tokens));
    } else {
      EXPECT_LE(row.completion_tokens, 40);
    }
  }
}

TEST_F(Generate, EndTokensOfTheConfigEndARow) {
  const auto rows = requests(1);
  GenerateOptions one = options(1, 1);
  one.sampling.max_new_tokens = 1;
  const auto first = run(rows, one).begin()->second;
  ASSERT_EQ(first.finish_reason, FinishReason::length);
  weights_ = make_weights({tokenizer_->encode(first.text).front()});
  const auto ended = run(rows, options(1, 1)).begin()->second;
  EXPECT_EQ(ended.finish_reason, FinishReason::stop);
  EXPECT_EQ(ended.completion_tokens, 1);
  EXPECT_EQ(ended.text, "");
}

TEST_F(Generate, TheContextBoundsTheRow) {
  std::string almost;  // "<|user|>" ... "<|assistant|>": two control tokens
  while (tokenizer_->encode(almost + "z").size() + 2 < 96) almost += "z";
  GenerateOptions o = options(2, 4);
  o.sampling.max_new_tokens = 1000;
  const auto rows = run({{"fits", {{Role::user, almost}}, ""},
                         {"too long", {{Role::user, almost + "zz"}}, ""},
                         {"empty", {}, ""},
                         {"raw", {}, "river"}},
                        o);
  EXPECT_EQ(rows.at("fits").completion_tokens, 1);
  EXPECT_EQ(rows.at("fits").prompt_tokens, 95);
  EXPECT_EQ(rows.at("too long").failure, "too_long");
  EXPECT_EQ(rows.at("too long").completion_tokens, 0);
  EXPECT_EQ(rows.at("empty").failure, "empty");
  EXPECT_EQ(rows.at("raw").failure, "");
  EXPECT_EQ(rows.at("raw").prompt_tokens, static_cast<int>(tokenizer_->encode("river").size()));
  EXPECT_LE(rows.at("raw").prompt_tokens + rows.at("raw").completion_tokens, 96);
}

TEST_F(Generate, SeedsAndIdsGiveOtherDraws) {
  GenerateOptions a = options(1, 4, 1.0);
  GenerateOptions b = a;
  b.sampling.seed = 10;
  auto rows = requests(10);
  for (GenerateRequest& row : rows) row.messages = rows.front().messages;
  const auto first = run(rows, a);
  EXPECT_NE(first.at("row-0").text, run(rows, b).at("row-0").text);
  EXPECT_NE(first.at("row-0").text, first.at("row-1").text);
}

TEST_F(Generate, StopLeavesOutWhatIsNotDone) {
  std::stop_source source;
  std::size_t seen = 0;
  const auto rows = requests(500);
  generate(
      context(), rows, options(2, 4),
      [&](const Generation&) {
        if (++seen == 5) source.request_stop();
      },
      source.get_token());
  EXPECT_GE(seen, 5U);
  EXPECT_LT(seen, rows.size());
  source.request_stop();
  EXPECT_TRUE(run(rows, options(2, 4), source.get_token()).empty());
}

TEST_F(Generate, ExceptionsReachTheCaller) {
  const auto rows = requests(2000);
  EXPECT_THROW(generate(context(), rows, options(2, 4),
                        [](const Generation&) { throw std::logic_error("sink"); }, {}),
               std::logic_error);
  auto malformed = requests(30);
  malformed[17].messages = {{Role::tool, "x"}};
  const Error e = testing::error_of([&] { run(malformed, options(2, 4)); });
  EXPECT_EQ(e.kind(), ErrorKind::data);
  EXPECT_THAT(e.what(), HasSubstr("row-17"));
}

TEST_F(Generate, ImpossibleOptionsAreRefused) {
  const auto refuse = [&](const std::function<void(GenerateOptions&)>& change) {
    GenerateOptions o = options(1, 1);
    change(o);
    EXPECT_THROW(run(requests(1), o), Error);
  };
  refuse([](GenerateOptions& o) { o.slots = 0; });
  refuse([](GenerateOptions& o) { o.sampling.temperature = -1; });
  refuse([](GenerateOptions& o) { o.sampling.temperature = std::nan(""); });
  refuse([](GenerateOptions& o) { o.sampling.top_p = 0; });
  refuse([](GenerateOptions& o) { o.sampling.top_p = 1.5; });
  refuse([](GenerateOptions& o) { o.sampling.top_k = -1; });
  refuse([](GenerateOptions& o) { o.sampling.max_new_tokens = 0; });
  EXPECT_TRUE(run({}, options(1, 1)).empty());
}

// ---- the choice of a token ----

std::map<std::int32_t, int> draw(const SamplingParameters& sampling,
                                 const std::vector<float>& logits, int count) {
  TokenSampler sampler(sampling, decode_kernels(kernels()));
  RandomStream random(6, "test", "draws");
  std::map<std::int32_t, int> counts;
  for (int i = 0; i < count; ++i) ++counts[sampler.choose(logits, random)];
  return counts;
}

TEST(TokenSampler, DrawsInProportionToTheSoftmax) {
  const std::vector<float> logits = {1.0F,  0.0F, 2.0F,
                                     -1.0F, 0.5F, -std::numeric_limits<float>::infinity()};
  constexpr int kDraws = 40000;
  for (const double temperature : {0.5, 1.0, 2.0}) {
    SamplingParameters sampling;
    sampling.temperature = temperature;
    auto counts = draw(sampling, logits, kDraws);
    double total = 0;
    for (const float logit : logits) total += std::exp(static_cast<double>(logit) / temperature);
    double chi_square = 0;
    for (std::size_t i = 0; i + 1 < logits.size(); ++i) {
      const double expected =
          kDraws * std::exp(static_cast<double>(logits[i]) / temperature) / total;
      const double off = counts[static_cast<std::int32_t>(i)] - expected;
      chi_square += off * off / expected;
    }
    EXPECT_LT(chi_square, 18.5) << temperature;  // 4 degrees of freedom, p = 0.001
    EXPECT_EQ(counts[5], 0);
  }
}

TEST(TokenSampler, TopKAndTopPLeaveOutTheUnlikely) {
  const std::vector<float> logits = {std::log(0.1F), std::log(0.4F), std::log(0.2F),
                                     std::log(0.3F)};
  SamplingParameters sampling;
  sampling.temperature = 1;
  sampling.top_k = 2;
  EXPECT_EQ(draw(sampling, logits, 500).size(), 2U);
  EXPECT_EQ(draw(sampling, logits, 500).count(0), 0U);
  sampling.top_k = 0;
  sampling.top_p = 0.65;  // 0.4 + 0.3
  EXPECT_EQ(draw(sampling, logits, 500).size(), 2U);
  sampling.top_p = 0.75;  // and 0.2
  EXPECT_EQ(draw(sampling, logits, 500).size(), 3U);
  sampling.top_p = 1e-9;
  EXPECT_EQ(draw(sampling, logits, 100), (std::map<std::int32_t, int>{{1, 100}}));
  sampling.top_p = 0.9;
  sampling.top_k = 1;
  EXPECT_EQ(draw(sampling, logits, 100), (std::map<std::int32_t, int>{{1, 100}}));
  sampling.top_k = 1000;
  sampling.top_p = 1;
  EXPECT_EQ(draw(sampling, logits, 2000).size(), 4U);
}

TEST(TokenSampler, GreedyDoesNotDraw) {
  TokenSampler sampler({}, decode_kernels(kernels()));
  RandomStream random(1, "test");
  const auto before = random.state();
  const std::vector<float> logits = {0.0F, 3.0F, 3.0F, 1.0F};
  EXPECT_EQ(sampler.choose(logits, random), 1);
  EXPECT_EQ(random.state(), before);
}

}  // namespace
}  // namespace tapir::student
