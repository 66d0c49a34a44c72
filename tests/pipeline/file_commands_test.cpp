#include "pipeline/file_commands.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "test_data.h"

namespace tapir::pipeline {
namespace {

using ::testing::HasSubstr;

const std::filesystem::path kBase = std::filesystem::path(TAPIR_SOURCE_DIR) / "assets/gym-base";

class TokenizeFile : public ::testing::Test {
 protected:
  std::string tokenize(const std::filesystem::path& model, const std::string& rows,
                       int threads = 1) const {
    const std::filesystem::path input = folder_.path() / "in.jsonl";
    const std::filesystem::path output = folder_.path() / "out.jsonl";
    write_file(input, rows);
    tokenize_file({model, input.string(), output.string()}, threads);
    return read_file(output);
  }

  testing::TemporaryFolder folder_;
};

std::string chat_row(const std::string& content) {
  return Json{{"messages", {{{"role", "user"}, {"content", content}}}}}.dump() + "\n";
}

TEST_F(TokenizeFile, ThreadsChangeNothing) {
  std::string rows;
  for (int i = 0; i < 200; ++i) {
    rows += chat_row("row " + std::to_string(i));
    rows += Json{{"id", i}, {"prompt", "text " + std::to_string(i)}}.dump() + "\n";
  }
  EXPECT_EQ(tokenize(kBase, rows, 3), tokenize(kBase, rows, 1));
}

TEST_F(TokenizeFile, TheFirstRowThatCannotBeWrittenIsNamed) {
  std::string rows;
  for (int i = 0; i < 200; ++i) rows += chat_row("fine");
  for (int i = 0; i < 200; ++i)
    rows += "{\"messages\": [{\"role\": \"tool\", \"content\": \"x\"}]}\n";
  for (int i = 0; i < 5; ++i) {
    try {
      tokenize(kBase, rows, 3);
      FAIL();
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::data);
      EXPECT_THAT(e.what(), HasSubstr("in.jsonl:201: "));
    }
  }
}

// An adapter without a tokenizer of its own has its base's.
TEST_F(TokenizeFile, TheWordsOfAnAdapterMayBeItsBases) {
  const std::filesystem::path adapter = folder_.path() / "adapter";
  std::filesystem::create_directories(adapter);
  write_file(adapter / "adapter_config.json",
             Json{{"base_model_name_or_path", kBase.string()}}.dump());
  const std::string rows = chat_row("hello") + "{\"prompt\": \"hello\"}\n";
  EXPECT_EQ(tokenize(adapter, rows), tokenize(kBase, rows));
}

}  // namespace
}  // namespace tapir::pipeline
