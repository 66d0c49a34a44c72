// A student whose tokenizer is a sentencepiece model: libsentencepiece and libtorch, each with
// protocol buffers of its own inside, work in one process.
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "student/student.h"
#include "test_data.h"
#include "tiny_student.h"

namespace tapir::student {
namespace {

TEST(SentencePieceStudent, ReadsAnswersAndScores) {
  const testing::TemporaryFolder scratch;
  const std::filesystem::path folder = scratch.path() / "student";
  NewStudent made = testing::tiny_student();
  made.config.vocab_size = 640;
  make_new_student(made, folder);
  std::filesystem::remove(folder / "tokenizer.json");
  copy_file(testing::goldens() / "tokenizers" / "families" / "spm_bpe" / "tokenizer.model",
            folder / "tokenizer.model");
  Json added;
  const std::vector<std::string> control = text::chat_special_tokens("chatml");
  for (std::size_t i = 0; i < control.size(); ++i)
    added[control[i]] = 600 + i;  // behind the pieces
  write_file(folder / "added_tokens.json", added.dump());
  write_file(folder / "special_tokens_map.json",
             Json{{"additional_special_tokens", control}}.dump());

  const auto student = make_student_engine()->load(folder);
  const auto ids = student->tokenize("the river carries <|im_end|>", /*add_special_tokens=*/false);
  for (const auto token : ids) EXPECT_LT(token, 600);
  EXPECT_GT(ids.size(), 3U);
  const auto losses = student->token_losses(testing::sum_rows(2));
  ASSERT_EQ(losses.size(), 2U);
  EXPECT_GT(losses[0].loss, 0);
  int answers = 0;
  const std::vector<GenerateRequest> requests = {{"a", {{Role::user, "the river"}}, ""}};
  GenerateOptions options;
  options.sampling.max_new_tokens = 8;
  student->generate(requests, options, [&](Generation g) { answers += g.failure.empty() ? 1 : 0; },
                    {});
  EXPECT_EQ(answers, 1);
}

}  // namespace
}  // namespace tapir::student
