#include "base/command_template.h"

#include <array>
#include <cstdio>
#include <random>

#include <gtest/gtest.h>

#include "base/strings.h"
#include "error_of.h"

namespace tapir {
namespace {

using testing::complaint_of;

const std::map<std::string, std::string> kValues = {
    {"model", "/runs/it's \"mine\" $HOME `x` \\"}, {"port", "8001"}, {"gpus", ""}};

std::string expanded(const std::string& text) { return expand_template(text, kValues, "key"); }

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  std::array<char, 4096> part{};
  while (std::size_t n = std::fread(part.data(), 1, part.size(), pipe)) text.append(part.data(), n);
  ::pclose(pipe);
  return text;
}

TEST(CommandTemplate, FillsSlots) {
  EXPECT_EQ(expanded("serve --port {port} {gpus}"), "serve --port 8001 ");
  EXPECT_EQ(expanded("x --port={port},{port}"), "x --port=8001,8001");
  EXPECT_EQ(expanded(""), "");
}

TEST(CommandTemplate, LeavesOtherBracesAlone) {
  for (const char* text : {"echo ${port}", "awk '{print $1}'", "x '{\"a\": {\"b\": 1}}'", "{", "}",
                           "{}", "{Port}", "echo \\{port}"}) {
    EXPECT_EQ(expand_template(text, {{"port", "1"}}, "key"), text);
  }
  EXPECT_EQ(expanded("awk '{{print}}' {port}"), "awk '{print}' 8001");
}

// The shell itself is the judge of quoting.
TEST(CommandTemplate, ValuesStayOneWordInEveryQuoting) {
  for (const char* text :
       {"printf '%s|' {model} end", "printf '%s|' '{model}' end", "printf '%s|' \"{model}\" end"}) {
    EXPECT_EQ(output_of(expanded(text)), kValues.at("model") + "|end|") << text;
  }
  EXPECT_EQ(output_of(expanded("printf '%s|' a'-{model}-'b")), "a-" + kValues.at("model") + "-b|");
}

TEST(CommandTemplate, AnyValueComesThroughTheShell) {
  std::mt19937 random(7);
  for (int i = 0; i < 40; ++i) {
    std::string value;
    const std::size_t length = 1 + random() % 12;
    while (value.size() < length) value += static_cast<char>(1 + random() % 126);
    for (const char* text : {"printf %s {v}", "printf %s '{v}'", "printf %s \"{v}\""}) {
      EXPECT_EQ(output_of(expand_template(text, {{"v", value}}, "key")), value) << text;
    }
  }
}

TEST(CommandTemplate, NamesUnknownSlots) {
  const std::string words = complaint_of(ErrorKind::usage, [] { return expanded("x {prot}"); });
  EXPECT_NE(words.find("key: there is no slot {prot}, did you mean {port}; there are {gpus}, "
                       "{model}, {port}"),
            std::string::npos)
      << words;
  EXPECT_NE(words.find("{{prot}}"), std::string::npos);
}

TEST(CommandTemplate, ListsItsSlots) {
  EXPECT_EQ(join(slots_of("a {model} '{port}' {{x}} ${y} {model}"), " "), "model port model");
}

TEST(CommandTemplate, FindsTheProgram) {
  EXPECT_EQ(program_of("vllm serve"), "vllm");
  EXPECT_EQ(program_of("  A=1 B='x y' \"/opt/my tools/vllm\" serve"), "/opt/my tools/vllm");
  EXPECT_EQ(program_of("A=1"), "");
  EXPECT_EQ(program_of(""), "");
  EXPECT_TRUE(find_program("sh"));
  EXPECT_TRUE(find_program("/bin/sh"));
  EXPECT_FALSE(find_program("/"));
  EXPECT_FALSE(find_program("/bin/no-such-program"));
  EXPECT_FALSE(find_program("no-such-program"));
  EXPECT_FALSE(find_program(""));
}

}  // namespace
}  // namespace tapir
