// Chat formats against Jinja2's rendering of their templates, and which tokens are learnt.
#include "text/chat_format.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "text_testing.h"

namespace tapir::text {
namespace {

using ::testing::HasSubstr;

const std::shared_ptr<const Tokenizer>& tokenizer() {
  static const auto instance = load_tokenizer(goldens() / "gpt2_pattern");
  return instance;
}

std::shared_ptr<const ChatFormat> format_of(const std::string& jinja) {
  const testing::TemporaryFolder folder;
  write_file(folder.path() / "chat_template.jinja", jinja);
  return load_chat_format(folder.path(), tokenizer());
}

Example example_of(const Messages& messages) {
  Example example{"row", {}};
  for (const Message& m : messages)
    example.segments.push_back({m.role, m.content, m.role == Role::assistant});
  return example;
}

std::string text_of(const std::vector<TokenId>& ids) {
  return tokenizer()->decode(ids, /*skip_special_tokens=*/false);
}

std::string learnt(const EncodedExample& encoded) {
  std::string text;
  for (std::size_t i = 0; i < encoded.tokens.size(); ++i) {
    if (encoded.loss[i] != 0) text += text_of({encoded.tokens[i]});
  }
  return text;
}

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::data);
    return std::string(e.what()) + "\n" + e.hint();
  }
  return "nothing was thrown";
}

TEST(ChatTable, GoldenTemplatesAreTheTable) {
  OrderedJson table;
  for (const std::string& name : chat_format_names()) table[name] = chat_template(name);
  const std::string text = table.dump(1) + "\n";
  const std::filesystem::path golden = goldens() / "chat_templates.json";
  if (std::getenv("TAPIR_UPDATE_GOLDENS") != nullptr) write_file(golden, text);
  EXPECT_EQ(text, read_file(golden));
}

TEST(ChatTable, RendersAsJinjaDoes) {
  std::set<std::string> seen;
  for_each_jsonl(goldens() / "chats.jsonl.gz", [&](const Json& row, const std::string& where) {
    const auto name = row["format"].get<std::string>();
    const auto published =
        testing::test_data() / "tokenizers" / "chat_templates" / (name + ".jinja");
    const auto names = chat_format_names();
    const bool ours = std::find(names.begin(), names.end(), name) != names.end();
    if (!ours && !std::filesystem::exists(published)) return;
    seen.insert(name);
    const auto format = format_of(ours ? chat_template(name) : read_file(published));
    const Messages messages = messages_from_json(row["messages"].dump(), where);
    const bool prompt = messages.back().role == Role::user;
    const auto ids = prompt ? format->encode_prompt(messages)
                            : format->encode_example(example_of(messages)).tokens;
    EXPECT_EQ(text_of(ids), row["text"].get<std::string>()) << name << " " << where;
    EXPECT_EQ(ids, row["ids"].get<std::vector<TokenId>>()) << name << " " << where << "\n"
                                                           << row["text"];
  });
  for (const std::string& name : chat_format_names()) EXPECT_TRUE(seen.contains(name)) << name;
}

class EveryFormat : public ::testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<const ChatFormat> format_ = load_chat_format({}, tokenizer(), GetParam());
};

TEST_P(EveryFormat, PromptIsWhereTheExampleBegins) {
  RandomStream random(2, "test", GetParam());
  for (int i = 0; i < 200; ++i) {
    Messages messages{{Role::user, random_text(random)}};
    if (random.chance(0.5)) messages.insert(messages.begin(), {Role::system, random_text(random)});
    if (random.chance(0.5)) {
      messages.push_back({Role::assistant, random_text(random)});
      messages.push_back({Role::user, random_text(random)});
    }
    const auto prompt = format_->encode_prompt(messages);
    messages.push_back({Role::assistant, random_text(random)});
    const auto tokens = format_->encode_example(example_of(messages)).tokens;
    ASSERT_LE(prompt.size(), tokens.size());
    EXPECT_TRUE(std::equal(prompt.begin(), prompt.end(), tokens.begin()));
  }
}

TEST_P(EveryFormat, LearnsTheAnswerAndTheEndOfTurn) {
  Example example{"row",
                  {{Role::system, "Be brief.", false},
                   {Role::user, "2+2?", false},
                   {Role::assistant, "It is 4", true}}};
  const EncodedExample encoded = format_->encode_example(example);
  ASSERT_EQ(encoded.loss.size(), encoded.tokens.size());
  const std::string end = text_of({format_->stop_tokens().front()});
  const std::string text = learnt(encoded);
  ASSERT_TRUE(text.ends_with(end)) << text;
  EXPECT_EQ(format_->answer_text(text.substr(0, text.size() - end.size())), "It is 4");
  // What generation sees: the learnt tokens begin right behind the prompt, and stop at the stop
  // token.
  const auto prompt = format_->encode_prompt({{Role::system, "Be brief."}, {Role::user, "2+2?"}});
  const auto first = std::find(encoded.loss.begin(), encoded.loss.end(), 1) - encoded.loss.begin();
  EXPECT_EQ(static_cast<std::size_t>(first), prompt.size());
}

TEST_P(EveryFormat, SegmentsWithoutLossAreNotLearnt) {
  Example example{"row",
                  {{Role::user, "a", false},
                   {Role::assistant, "first", false},
                   {Role::user, "b", false},
                   {Role::assistant, "second", true}}};
  const std::string text = learnt(format_->encode_example(example));
  EXPECT_THAT(text, HasSubstr("second"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("first")));
  example.segments.back().loss = false;
  EXPECT_EQ(learnt(format_->encode_example(example)), "");
}

TEST_P(EveryFormat, MessagesNeverBecomeControlTokens) {
  const auto count_special = [&](const std::vector<TokenId>& ids) {
    return std::count_if(ids.begin(), ids.end(),
                         [](TokenId id) { return tokenizer()->is_special(id); });
  };
  const auto clean =
      count_special(format_->encode_prompt({{Role::system, "x"}, {Role::user, "x"}}));
  std::string forged;
  for (TokenId id = 0; id < tokenizer()->vocab_size(); ++id) {
    if (tokenizer()->is_special(id)) forged += tokenizer()->id_to_token(id);
  }
  EXPECT_EQ(count_special(format_->encode_prompt(
                {{Role::system, forged}, {Role::user, forged + "\n" + forged}})),
            clean);
}

TEST_P(EveryFormat, RefusesWhatItCannotSay) {
  EXPECT_THAT(refusal([&] { format_->encode_prompt({}); }), HasSubstr("no message"));
  EXPECT_THAT(refusal([&] { format_->encode_prompt({{Role::tool, "x"}}); }), HasSubstr("tool"));
  EXPECT_THAT(refusal([&] {
                format_->encode_prompt({{Role::user, "x"}, {Role::system, "y"}});
              }),
              HasSubstr("first"));
  EXPECT_THAT(refusal([&] {
                format_->encode_prompt({{Role::user, "x"}, {Role::assistant, "y"}});
              }),
              HasSubstr("already ends"));
}

TEST_P(EveryFormat, IsRecognisedFromItsTemplate) {
  EXPECT_EQ(format_of(chat_template(GetParam()))->name(), GetParam());
  EXPECT_EQ(format_of(chat_template(GetParam()) + "\n")->name(), GetParam());
  const testing::TemporaryFolder folder;
  write_file(folder.path() / "tokenizer_config.json",
             Json{{"chat_template", chat_template(GetParam())}}.dump());
  EXPECT_EQ(load_chat_format(folder.path(), tokenizer())->name(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, EveryFormat, ::testing::ValuesIn(chat_format_names()),
                         [](const auto& instance) {
                           std::string name = instance.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(ChatFormat, CompactTakesThreeControlTokensARow) {
  const auto format = load_chat_format({}, tokenizer(), "compact");
  const auto encoded =
      format->encode_example(example_of({{Role::user, "hello"}, {Role::assistant, "yes"}}));
  EXPECT_EQ(text_of(encoded.tokens), "<|user|>hello<|assistant|>yes<|end|>");
  EXPECT_EQ(learnt(encoded), "yes<|end|>");
  EXPECT_EQ(chat_special_tokens("compact"),
            (std::vector<std::string>{"<|user|>", "<|assistant|>", "<|system|>", "<|end|>"}));
}

TEST(ChatFormat, UnknownNamesAndTemplatesAreRefused) {
  EXPECT_THAT(refusal([] { load_chat_format({}, tokenizer(), "chatmll"); }),
              HasSubstr("did you mean chatml?"));
  EXPECT_THAT(refusal([] { format_of("{{ messages }}"); }), HasSubstr("none of the known ones"));
  const testing::TemporaryFolder empty;
  EXPECT_THAT(refusal([&] { load_chat_format(empty.path(), tokenizer()); }),
              HasSubstr("no chat template"));
}

TEST(ChatFormat, TokensThatTheTokenizerLacksAreNamed) {
  const auto bare = load_from(train_bpe(sample_texts(1, 20), {.vocab_size = 260}));
  EXPECT_THAT(refusal([&] { load_chat_format({}, bare, "chatml"); }), HasSubstr("<|im_start|>"));
  EXPECT_THAT(refusal([&] { load_chat_format({}, bare, "plain"); }), HasSubstr("eos_token"));
}

TEST(ChatFormat, ControlTokensMustBeSpecial) {
  Json json = parse_json(read_file(goldens() / "gpt2_pattern" / "tokenizer.json"), "golden");
  for (Json& token : json["added_tokens"]) token["special"] = false;
  const auto forgeable = load_from(json.dump());
  EXPECT_THAT(refusal([&] { load_chat_format({}, forgeable, "compact"); }),
              HasSubstr("not marked as special"));
}

TEST(ChatFormat, PublishedTemplatesOutsideTheTableAreNotMistaken) {
  TAPIR_NEEDS_TEST_DATA("tokenizers/chat_templates");
  const auto folder = testing::test_data() / "tokenizers" / "chat_templates";
  for (const char* name : {"google-gemma-2-2b-it", "microsoft-Phi-3.5-mini-instruct",
                           "mistralai-Mistral-Nemo-Instruct-2407"}) {
    const std::string jinja = read_file(folder / (std::string(name) + ".jinja"));
    EXPECT_THAT(refusal([&] { format_of(jinja); }), HasSubstr("none of the known ones")) << name;
  }
}

}  // namespace
}  // namespace tapir::text
