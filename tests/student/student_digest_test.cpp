// What a digest of a student's folder notices.
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "student/student_folder.h"
#include "test_data.h"

namespace tapir::student {
namespace {

class StudentDigest : public ::testing::Test {
 protected:
  StudentDigest() {
    write("base/config.json", "{}");
    write("base/model-00001-of-00002.safetensors", "one");
    write("base/model-00002-of-00002.safetensors", "two");
    write("base/tokenizer.json", "{}");
    write("adapter/adapter_config.json",
          Json{{"base_model_name_or_path", (folder_.path() / "base").string()}}.dump());
    write("adapter/adapter_model.safetensors", "low rank");
  }
  void write(const std::string& name, std::string_view text) const {
    const std::filesystem::path file = folder_.path() / name;
    std::filesystem::create_directories(file.parent_path());
    write_file(file, text);
  }
  std::string digest(const char* name) const { return student_digest(folder_.path() / name); }

  testing::TemporaryFolder folder_;
};

TEST_F(StudentDigest, EveryFileThatDecidesCounts) {
  std::string before = digest("base");
  EXPECT_EQ(digest("base"), before);
  for (const char* name :
       {"config.json", "generation_config.json", "tokenizer.json", "tokenizer.model",
        "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
        "chat_template.jinja", "model-00002-of-00002.safetensors", "model.safetensors"}) {
    write(std::string("base/") + name, "{\"another\": 1}");
    const std::string after = digest("base");
    EXPECT_NE(after, before) << name;
    before = after;
  }
  write("base/README.md", "says nothing");
  write("base/optimizer.safetensors", "of a training");
  EXPECT_EQ(digest("base"), before);
}

TEST_F(StudentDigest, AnAdapterIsItsBaseTooWithTheWordsThatItHas) {
  std::string before = digest("adapter");
  for (const char* name : {"base/model-00001-of-00002.safetensors", "base/tokenizer.json",
                           "adapter/adapter_model.safetensors", "adapter/tokenizer.json"}) {
    write(name, std::string("{\"another\": \"") + name + "\"}");
    const std::string after = digest("adapter");
    EXPECT_NE(after, before) << name;
    before = after;
  }
  write("base/tokenizer.json", "{}");
  EXPECT_EQ(digest("adapter"), before) << "the adapter has words of its own";
}

TEST_F(StudentDigest, WhatIsNoFolderIsSaid) {
  EXPECT_THROW(digest("nowhere"), Error);
  EXPECT_THROW(digest("base/config.json"), Error);
}

}  // namespace
}  // namespace tapir::student
