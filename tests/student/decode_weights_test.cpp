// Packed weights in every stored type: products, rows and whole students have the bits of the
// widened weights.
#include "student/decode_weights.h"

#include <cstring>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "differences.h"
#include "random_student.h"
#include "student/bf16_kernels.h"
#include "student/decode.h"
#include "student/half.h"

namespace tapir::student {
namespace {

using testing::random_floats;

// Floats stored as a type, and what they are worth then.
struct Stored {
  Stored(WeightType stored_type, std::vector<float> floats)
      : type(stored_type), values(std::move(floats)) {
    if (type == WeightType::f32) return;
    for (float& value : values) {
      halves.push_back(type == WeightType::bf16 ? float_to_bfloat(value) : float_to_half(value));
      value =
          type == WeightType::bf16 ? bfloat_to_float(halves.back()) : half_to_float(halves.back());
    }
  }
  const void* at(std::int64_t element) const {
    if (type == WeightType::f32) return values.data() + element;
    return halves.data() + element;
  }

  WeightType type;
  std::vector<float> values;
  std::vector<std::uint16_t> halves;
};

class EveryType : public ::testing::TestWithParam<WeightType> {};

PackedMatrix pack_in_two_pieces(const DecodeKernels& kernels, const Stored& w, long out, long in,
                                long cut, FloatBuffer& memory) {
  void* packed = memory.reserve(kernels.packed_size(out, in));
  const PackedMatrix matrix{w.type, out, in, packed};
  if (cut > 0) kernels.pack({matrix, 0, cut, w.at(0), packed});
  if (cut < out) kernels.pack({matrix, cut, out - cut, w.at(cut * in), packed});
  return matrix;
}

// Random products of packed weights, which have to have the bits of plain ones.
void expect_bits_of_plain(const DecodeKernels& packing, void (*multiply)(const MatrixProduct&),
                          WeightType type) {
  RandomStream random(3, "test", "packed");
  for (int round = 0; round < 60; ++round) {
    const long m = random.between(1, round % 20 == 0 ? 260 : 40);
    const long n = random.between(1, 100);
    const long k = random.between(1, round % 5 == 0 ? 700 : 80);
    SCOPED_TRACE(::testing::Message() << m << " x " << n << " x " << k);
    const std::vector<float> a = random_floats(random, m * k);
    const Stored w(type, random_floats(random, n * k));
    std::vector<float> c = random_floats(random, m * n);
    std::vector<float> packed_c = c;
    const bool accumulate = random.chance(0.5);
    multiply({m, n, k, a.data(), k, 1, w.values.data(), 1, k, c.data(), n, accumulate});
    FloatBuffer memory;
    const long cut = random.between(0, static_cast<int>(n));
    const PackedMatrix matrix = pack_in_two_pieces(packing, w, n, k, cut, memory);
    const long middle = std::min(n, random.between(0, 3) * kColumnStep);
    packing.multiply_packed({m, a.data(), matrix, packed_c.data(), accumulate, middle, n});
    packing.multiply_packed({m, a.data(), matrix, packed_c.data(), accumulate, 0, middle});
    ASSERT_EQ(std::memcmp(c.data(), packed_c.data(), c.size() * sizeof(float)), 0);
    std::vector<float> row(static_cast<std::size_t>(k));
    const long which = random.between(0, static_cast<int>(n) - 1);
    packing.unpack_row(matrix, which, row.data());
    ASSERT_EQ(std::memcmp(row.data(), w.values.data() + which * k, row.size() * sizeof(float)), 0)
        << "row " << which;
  }
}

TEST_P(EveryType, ProductsHaveTheBitsOfPlainOnes) {
  const KernelSets available = available_kernels();
  for (int set = 0; set < available.count; ++set) {
    SCOPED_TRACE(available.sets[set]->name);
    expect_bits_of_plain(decode_kernels(*available.sets[set]), available.sets[set]->multiply,
                         GetParam());
  }
}

TEST(Bf16DecodeProducts, HaveTheBitsOfPlainOnes) {
  if (bf16_decode_kernels() == nullptr) GTEST_SKIP() << "this CPU has no bf16 units";
  expect_bits_of_plain(*bf16_decode_kernels(), bf16_kernels()->multiply, WeightType::bf16);
}

// As many rows as are packed at a time, and a depth beyond what is then packed of it.
TEST(Bf16DecodeProducts, AreTheSameForRowsAlone) {
  if (bf16_decode_kernels() == nullptr) GTEST_SKIP() << "this CPU has no bf16 units";
  RandomStream random(8, "test", "rows alone");
  const DecodeKernels& packing = *bf16_decode_kernels();
  for (const auto& [m, k] : {std::pair{16L, 5001L}, {250L, 300L}}) {
    const std::vector<float> a = random_floats(random, m * k);
    const Stored w(WeightType::bf16, random_floats(random, 40 * k));
    FloatBuffer memory;
    const PackedMatrix matrix = pack_in_two_pieces(packing, w, 40, k, 40, memory);
    std::vector<float> together(static_cast<std::size_t>(m * 40));
    std::vector<float> apart(together.size());
    packing.multiply_packed({m, a.data(), matrix, together.data(), false, 0, 40});
    for (long i = 0; i < m; ++i) {
      packing.multiply_packed({1, a.data() + i * k, matrix, apart.data() + i * 40, false, 0, 40});
    }
    EXPECT_EQ(together, apart);
  }
}

// Zero, subnormal numbers, the largest, infinity: each kernel set widens them exactly.
TEST_P(EveryType, RareValuesAreWidenedExactly) {
  const KernelSets available = available_kernels();
  std::vector<float> rare = {0.0F,  -0.0F,    0x1p-24F, -0x1.8p-20F, 0x1p-14F, 65504.0F,
                             -1.0F, 65504.0F, 1e-3F,    INFINITY,    -INFINITY};
  const Stored w(GetParam(), rare);
  const auto size = static_cast<long>(rare.size());
  for (int set = 0; set < available.count; ++set) {
    const DecodeKernels& packing = decode_kernels(*available.sets[set]);
    FloatBuffer memory;
    const PackedMatrix matrix = pack_in_two_pieces(packing, w, size, 1, 0, memory);
    for (long i = 0; i < size; ++i) {
      float found = 1;
      packing.unpack_row(matrix, i, &found);
      ASSERT_EQ(std::memcmp(&found, &w.values[static_cast<std::size_t>(i)], sizeof found), 0)
          << available.sets[set]->name << " " << rare[static_cast<std::size_t>(i)];
    }
  }
}

ModelConfig small(bool tied) {
  ModelConfig config = testing::small_config();
  config.vocab_size = 101;
  config.num_attention_heads = 6;
  config.max_position_embeddings = 200;
  config.qkv_bias = true;
  config.tie_word_embeddings = tied;
  return config;
}

std::vector<std::int32_t> random_prompt(RandomStream& random, const ModelConfig& config) {
  std::vector<std::int32_t> prompt(70);
  for (std::int32_t& id : prompt) id = random.between(0, config.vocab_size - 1);
  return prompt;
}

// Of the token that follows the prompt's: the prompt's products and a step's are both in it.
std::vector<float> logits_after(const std::shared_ptr<DecodeWeights>& weights,
                                const ModelConfig& config,
                                const std::vector<std::int32_t>& prompt) {
  DecodeWorker worker(weights);
  KvCache cache(config, weights->decode);
  worker.prefill(prompt, cache);
  const DecodeRow next{&cache, 5, static_cast<std::int32_t>(prompt.size())};
  const float* found = worker.step({&next, 1});
  return {found, found + config.vocab_size};
}

TEST_P(EveryType, StudentsHaveTheBitsOfWidenedWeights) {
  for (const bool tied : {true, false}) {
    const ModelConfig config = small(tied);
    const ParameterLayout layout = make_layout(config);
    RandomStream random(6, "test", "student");
    const Stored stored(GetParam(), random_floats(random, layout.size, 0.2));
    const auto source = [&](const Parameter& p) {
      return StoredValues{stored.type, stored.at(p.offset)};
    };
    const auto narrow = std::make_shared<DecodeWeights>(config, layout, source);
    const auto wide = std::make_shared<DecodeWeights>(config, layout, stored.values.data());
    EXPECT_LE(narrow->bytes() * 2, wide->bytes() * (GetParam() == WeightType::f32 ? 2 : 1.2));
    const std::vector<std::int32_t> prompt = random_prompt(random, config);
    EXPECT_EQ(logits_after(narrow, config, prompt), logits_after(wide, config, prompt));
  }
}

// Of whatever type the weights are stored in. A relative error of 2^-9 per rounding.
TEST_P(EveryType, StudentsOnBf16UnitsAreNearThoseOfFloats) {
  if (bf16_decode_kernels() == nullptr) GTEST_SKIP() << "this CPU has no bf16 units";
  const ModelConfig config = small(/*tied=*/true);
  const ParameterLayout layout = make_layout(config);
  RandomStream random(6, "test", "student");
  const Stored stored(GetParam(), random_floats(random, layout.size, 0.2));
  const auto source = [&](const Parameter& p) {
    return StoredValues{stored.type, stored.at(p.offset)};
  };
  const auto narrow =
      std::make_shared<DecodeWeights>(config, layout, source, kernels(), /*bf16=*/true);
  const auto wide = std::make_shared<DecodeWeights>(config, layout, stored.values.data());
  EXPECT_LT(narrow->bytes() * 1.2, wide->bytes());
  const std::vector<std::int32_t> prompt = random_prompt(random, config);
  const std::vector<float> near = logits_after(narrow, config, prompt);
  const std::vector<float> exact = logits_after(wide, config, prompt);
  EXPECT_NE(near, exact);
  EXPECT_LT(testing::relative_difference(near, exact), 3e-2);
}

INSTANTIATE_TEST_SUITE_P(Types, EveryType,
                         ::testing::Values(WeightType::f32, WeightType::bf16, WeightType::f16),
                         [](const auto& type) {
                           return std::string(type.param == WeightType::f32    ? "f32"
                                              : type.param == WeightType::bf16 ? "bf16"
                                                                               : "f16");
                         });

TEST(DecodeWeights, OneMatrixInTwoTypesIsAnError) {
  const ModelConfig config = small(true);
  const ParameterLayout layout = make_layout(config);
  const std::vector<float> values(static_cast<std::size_t>(layout.size), 0.0F);
  const auto source = [&](const Parameter& p) {
    const bool odd = p.name.find("k_proj.weight") != std::string::npos;
    return StoredValues{odd ? WeightType::bf16 : WeightType::f32, values.data()};
  };
  EXPECT_THROW(DecodeWeights(config, layout, source), Error);
}

}  // namespace
}  // namespace tapir::student
