#include "student/folder_files.h"

#include <gmock/gmock.h>

#include "base/file.h"
#include "base/json.h"
#include "student/config.h"
#include "student/new_student.h"
#include "test_data.h"
#include "text/chat_format.h"
#include "text/tokenizer.h"
#include "tiny_student.h"

namespace tapir::student {
namespace {

using ::testing::ElementsAre;
using Path = std::filesystem::path;

class FolderFiles : public ::testing::Test {
 protected:
  FolderFiles() : student_(folder_.path() / "student") {
    make_new_student(testing::tiny_student(), student_);
    end_ = text::load_tokenizer(student_)->token_to_id("<|im_end|>").value();
  }
  void name_ends(const Json& ends) const {
    for (const char* name : {"config.json", "generation_config.json"}) {
      Json json = parse_json(read_file(student_ / name), name);
      json["eos_token_id"] = ends;
      json["temperature"] = 0.6;
      write_file(student_ / name, json.dump());
    }
  }

  testing::TemporaryFolder folder_;
  Path student_;
  text::TokenId end_ = 0;
};

// Qwen2.5-1.5B: the base model ends texts with one token, its template ends turns with another.
TEST_F(FolderFiles, TheEndOfATurnIsNamedBesideTheEndOfText) {
  name_ends(7);
  complete_folder(student_);
  const Json json = parse_json(read_file(student_ / "generation_config.json"), "json");
  EXPECT_EQ(json["eos_token_id"], Json({7, end_}));
  EXPECT_EQ(json["temperature"], 0.6);
  EXPECT_THAT(read_config(student_).eos_token_ids, ElementsAre(7, end_));
}

TEST_F(FolderFiles, WhatIsThereStaysAsItIs) {
  complete_folder(student_);
  const std::string generation = read_file(student_ / "generation_config.json");
  write_file(student_ / "chat_template.jinja", text::chat_template("chatml") + "\n");
  write_file(student_ / "special_tokens_map.json", "{ }");
  complete_folder(student_);
  EXPECT_EQ(read_file(student_ / "generation_config.json"), generation);
  EXPECT_EQ(read_file(student_ / "chat_template.jinja"), text::chat_template("chatml") + "\n");
  EXPECT_EQ(read_file(student_ / "special_tokens_map.json"), "{ }");
}

TEST_F(FolderFiles, MissingFilesAreMade) {
  for (const char* name : {"generation_config.json", "special_tokens_map.json"}) {
    std::filesystem::remove(student_ / name);
  }
  std::filesystem::remove(student_ / "chat_template.jinja");
  complete_folder(student_);
  const Json generation = parse_json(read_file(student_ / "generation_config.json"), "json");
  EXPECT_EQ(generation["eos_token_id"], end_);
  const Json map = parse_json(read_file(student_ / "special_tokens_map.json"), "json");
  EXPECT_EQ(map["eos_token"], "<|im_end|>");
  EXPECT_EQ(read_file(student_ / "chat_template.jinja"), text::chat_template("chatml"));
}

TEST_F(FolderFiles, ABaseModelWithoutATemplateKeepsItsEnd) {
  Json config = parse_json(read_file(student_ / "tokenizer_config.json"), "json");
  config.erase("chat_template");
  write_file(student_ / "tokenizer_config.json", config.dump());
  std::filesystem::remove(student_ / "chat_template.jinja");
  complete_folder(student_);
  EXPECT_THAT(read_config(student_).eos_token_ids, ElementsAre(end_));
  EXPECT_FALSE(std::filesystem::exists(student_ / "chat_template.jinja"));
}

}  // namespace
}  // namespace tapir::student
