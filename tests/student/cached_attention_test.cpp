// Attention over a cache in blocks, of every set of kernels, against a slow reference.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "random_student.h"
#include "student/decode_kernels.h"
#include "student/float_buffer.h"
#include "student/half.h"

namespace tapir::student {
namespace {

struct Case {
  int heads, kv_heads, head_dim;
  long first, length;
};

// A row's keys and values, plain and in the blocks of a set of kernels.
class CachedRow {
 public:
  CachedRow(const DecodeKernels& kernels, const Case& c) : kernels_(kernels), case_(c) {
    RandomStream random(1, "test", "cached attention");
    const std::int64_t width = static_cast<std::int64_t>(c.kv_heads) * c.head_dim;
    keys_ = testing::random_floats(random, c.length * width, 1);
    values_ = testing::random_floats(random, c.length * width, 1);
    query_ = testing::random_floats(random, static_cast<std::int64_t>(c.heads) * c.head_dim, 1);
    const long key_floats = c.kv_heads * kernels.cached_keys(c.head_dim);
    const long block_floats = key_floats + c.kv_heads * kernels.cached_values(c.head_dim);
    for (long t = 0; t < c.length; ++t) {
      const long place = t % kCacheBlock;
      if (place == 0) {  // what another row left there must not be seen
        blocks_.push_back(memory_.emplace_back().reserve(block_floats));
        std::fill_n(blocks_.back(), block_floats, std::numeric_limits<float>::quiet_NaN());
      }
      kernels.cache_token({c.kv_heads, c.head_dim, place, keys_.data() + t * width,
                           values_.data() + t * width, blocks_.back(),
                           blocks_.back() + key_floats});
    }
    values_at_ = key_floats;
  }

  std::vector<float> attended(int kv_first, int kv_last) {
    const Case& c = case_;
    std::vector<float> out(query_.size());
    FloatBuffer scratch;
    kernels_.attention({c.first, c.length, c.heads, c.kv_heads, c.head_dim, scale(), query_.data(),
                        blocks_.data(), 0, values_at_, out.data(),
                        scratch.reserve(cached_attention_scratch(c.length, c.head_dim)), kv_first,
                        kv_last});
    return out;
  }

  // What is kept in bf16, and what that is multiplied with, is rounded.
  std::vector<float> expected() const {
    const Case& c = case_;
    std::vector<float> out;
    for (int head = 0; head < c.heads; ++head) {
      const int kv = head / (c.heads / c.kv_heads);
      std::vector<double> weights;
      double total = 0;
      for (long t = c.first; t < c.length; ++t) {
        double score = 0;
        for (int d = 0; d < c.head_dim; ++d)
          score += kept(query_[static_cast<std::size_t>(head * c.head_dim + d)]) *
                   kept(at(keys_, t, kv, d));
        total += weights.emplace_back(std::exp(score * scale()));
      }
      for (double& weight : weights) weight = kept(static_cast<float>(weight / total));
      for (int d = 0; d < c.head_dim; ++d) {
        double sum = 0;
        for (long t = c.first; t < c.length; ++t)
          sum += weights[static_cast<std::size_t>(t - c.first)] * kept(at(values_, t, kv, d));
        out.push_back(static_cast<float>(sum));
      }
    }
    return out;
  }

 private:
  float scale() const { return 1.0F / std::sqrt(static_cast<float>(case_.head_dim)); }
  double kept(float value) const {
    return kernels_.bf16 ? bfloat_to_float(float_to_bfloat(value)) : value;
  }
  float at(const std::vector<float>& rows, long t, int kv, int d) const {
    return rows[static_cast<std::size_t>((t * case_.kv_heads + kv) * case_.head_dim + d)];
  }

  const DecodeKernels& kernels_;
  const Case case_;
  std::vector<float> keys_, values_, query_;
  std::vector<FloatBuffer> memory_;
  std::vector<float*> blocks_;
  long values_at_ = 0;
};

void expect_reference(const DecodeKernels& kernels, const std::string& name) {
  // A weight that lies between two bf16 numbers may be rounded either way.
  const double tolerance = kernels.bf16 ? 2e-3 : 1e-5;
  for (const auto& [heads, kv_heads, head_dim] :
       {std::tuple{1, 1, 2}, {2, 1, 18}, {4, 2, 64}, {3, 3, 80}, {2, 2, 128}, {1, 1, 15}}) {
    for (const auto& [first, length] : {std::pair{0L, 1L},
                                        {0L, 2L},
                                        {0L, 31L},
                                        {0L, 64L},
                                        {0L, 65L},
                                        {17L, 49L},
                                        {63L, 64L},
                                        {70L, 201L},
                                        {0L, 192L}}) {
      CachedRow row(kernels, {heads, kv_heads, head_dim, first, length});
      const std::vector<float> found = row.attended(0, kv_heads);
      const std::vector<float> expected = row.expected();
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(found[i], expected[i], tolerance)
            << name << " head_dim " << head_dim << ", positions " << first << " to " << length;
      }
    }
  }
}

TEST(CachedAttention, IsThatOfTheReference) {
  const KernelSets available = available_kernels();
  for (int set = 0; set < available.count; ++set)
    expect_reference(decode_kernels(*available.sets[set]), available.sets[set]->name);
}

TEST(CachedAttention, OfKeysAndValuesInBf16IsThatOfTheReference) {
  if (bf16_decode_kernels() == nullptr) GTEST_SKIP() << "this CPU has no bf16 units";
  const DecodeKernels& halves = *bf16_decode_kernels();
  expect_reference(halves, "bf16");
  const DecodeKernels& floats = decode_kernels(kernels());
  EXPECT_EQ(halves.cached_keys(64) * 2, floats.cached_keys(64));
  EXPECT_EQ(halves.cached_values(64) * 2, floats.cached_values(64));
}

// Heads that another member of the team takes are left alone, and it changes no bit.
TEST(CachedAttention, OfSomeHeads) {
  const KernelSets available = available_kernels();
  for (int set = 0; set < available.count; ++set) {
    CachedRow row(decode_kernels(*available.sets[set]), {4, 2, 32, 0, 100});
    const std::vector<float> all = row.attended(0, 2);
    const std::vector<float> some = row.attended(1, 2);
    EXPECT_TRUE(std::all_of(some.begin(), some.begin() + 64, [](float x) { return x == 0; }));
    EXPECT_TRUE(std::equal(some.begin() + 64, some.end(), all.begin() + 64));
  }
}

}  // namespace
}  // namespace tapir::student
