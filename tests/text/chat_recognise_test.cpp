// Which format a folder's own template is: by what it renders.
#include "text/chat_recognise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/strings.h"
#include "text/chat_format.h"
#include "text_testing.h"

namespace tapir::text {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

RecognisedFormat recognise(std::string_view jinja) {
  return recognise_template(jinja, "chat_template.jinja", "<s>", "</s>");
}

std::string refusal(std::string_view jinja) {
  try {
    const auto found = recognise(jinja);
    return "taken for " + std::string(found.spec->name);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::data);
    return std::string(e.what()) + "\n" + e.hint();
  }
}

class EveryTemplate : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryTemplate, IsRecognisedHoweverItIsWorded) {
  const std::string jinja = chat_template(GetParam());
  const std::vector<std::string> wordings = {
      jinja,
      jinja + "\n",
      "{# A comment. #}" + jinja,
      replace_all(jinja, "message", "turn_"),
      replace_all(replace_all(jinja, "{%", "{%-"), "%}", "-%}\n  "),
      replace_all(replace_all(jinja, "{% ", "\n  {%-  "), "{{ ", "{{- "),
      replace_all(jinja, "['content']", ".content"),
      "{% set unused = [1, 2, {'a': none}] %}" + jinja};
  for (const std::string& wording : wordings) {
    if (wording.find("turn_s") != wording.npos) continue;  // `messages` is what transformers gives
    const auto found = recognise(wording);
    EXPECT_EQ(found.spec->name, GetParam()) << wording;
    EXPECT_EQ(found.variant, variant_of(*found.spec)) << wording;
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryTemplate, ::testing::ValuesIn(chat_format_names()),
                         [](const auto& instance) {
                           return replace_all(replace_all(instance.param, ".", "_"), "-", "_");
                         });

TEST(ChatRecognise, PublishedTemplates) {
  TAPIR_NEEDS_TEST_DATA("tokenizers/chat_templates");
  const std::vector<std::pair<std::string, std::string>> published = {
      {"Qwen-Qwen2.5-7B-Instruct", "qwen2.5"},
      {"google-gemma-2-2b-it", "gemma"},
      {"meta-llama-Llama-3.2-3B-Instruct", "llama3.1"},
      {"microsoft-Phi-3.5-mini-instruct", "phi3"},
      {"mistralai-Mistral-Nemo-Instruct-2407", "mistral-nemo"}};
  for (const auto& [file, name] : published) {
    const auto path = testing::test_data() / "tokenizers" / "chat_templates" / (file + ".jinja");
    const auto found = recognise(read_file(path));
    EXPECT_EQ(found.spec->name, name);
    EXPECT_EQ(found.variant, variant_of(*found.spec)) << file;
  }
}

TEST(ChatRecognise, ADifferentSystemMessageIsTaken) {
  const std::string jinja =
      "{% if messages[0]['role'] != 'system' %}"
      "{{ '<|im_start|>system\nBe kind.\n\nAlways.<|im_end|>\n' }}{% endif %}" +
      chat_template("chatml");
  const auto found = recognise(jinja);
  EXPECT_EQ(found.spec->name, "chatml");
  EXPECT_EQ(found.variant.default_system, "Be kind.\n\nAlways.");
}

TEST(ChatRecognise, BeginOfTextAndEndAreTakenFromTheTemplate) {
  auto found = recognise("{{ bos_token }}" + chat_template("chatml"));
  EXPECT_EQ(found.spec->name, "chatml");
  EXPECT_TRUE(found.variant.bos);
  found = recognise(replace_all(chat_template("llama3"), "{{ bos_token }}", ""));
  EXPECT_EQ(found.spec->name, "llama3");
  EXPECT_FALSE(found.variant.bos);
  found = recognise(replace_all(chat_template("phi3"), "{{ eos_token }}", ""));
  EXPECT_EQ(found.spec->name, "phi3");
  EXPECT_FALSE(found.variant.end);
}

TEST(ChatRecognise, TemplatesThatAlwaysAskForAnAnswer) {
  std::string jinja = chat_template("llama3");
  jinja = jinja.substr(0, jinja.find("{% if add_generation_prompt %}")) +
          "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}";
  EXPECT_EQ(recognise(jinja).spec->name, "llama3");
}

TEST(ChatRecognise, ATemplateWithoutSystemMessagesRefusesThem) {
  const auto found = recognise(replace_all(chat_template("chatml"), "{% for message in messages %}",
                                           "{% for message in messages if message.role != "
                                           "'system' %}"));
  EXPECT_EQ(found.spec->name, "chatml");
  EXPECT_FALSE(found.variant.system);
}

TEST(ChatRecognise, WhatDiffersIsNotTaken) {
  const std::string chatml = chat_template("chatml");
  EXPECT_THAT(refusal(replace_all(chatml, "<|im_end|>\\n'", "<|im_end|>'")),
              AllOf(HasSubstr("none of the known ones"), HasSubstr("the closest is"),
                    HasSubstr("known: chatml, qwen2")));
  EXPECT_THAT(refusal(replace_all(chatml, "message['content']", "message['content'] | trim")),
              HasSubstr("none of the known ones"));
  EXPECT_THAT(refusal(replace_all(chat_template("llama2"), "| trim", "")),
              HasSubstr("the closest is llama2, but for a question with its answer"));
  EXPECT_THAT(refusal("{{ 'x' }}"), HasSubstr("none of the known ones"));
  EXPECT_THAT(refusal("{{ raise_exception('no') }}"),
              HasSubstr("refuses a plain question: \"no\""));
}

TEST(ChatRecognise, WhatCannotBeReadIsNamedWithItsLine) {
  EXPECT_THAT(refusal("\n\n{% macro x() %}{% endmacro %}"),
              AllOf(HasSubstr("chat_template.jinja:3"), HasSubstr("macro"), HasSubstr("known: ")));
  EXPECT_THAT(refusal("{{ messages | shuffle }}"), HasSubstr("filter shuffle is not known"));
}

}  // namespace
}  // namespace tapir::text
