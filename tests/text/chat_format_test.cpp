// Chat formats against Jinja2's rendering of their templates, and which tokens are learnt.
#include "text/chat_format.h"

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "error_of.h"
#include "text/chat_table.h"
#include "text_testing.h"

namespace tapir::text {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::filesystem::path chat_goldens() { return testing::goldens() / "chats"; }

// One with the control tokens of all formats.
const std::shared_ptr<const Tokenizer>& tokenizer() {
  static const auto instance = load_tokenizer(chat_goldens() / "byte_level_inst");
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
  return testing::complaint_of(ErrorKind::data, action);
}

TEST(ChatTable, GoldenTemplatesAreTheTable) {
  OrderedJson table;
  for (const std::string& name : chat_format_names()) table[name] = chat_template(name);
  const std::string text = table.dump(1) + "\n";
  const std::filesystem::path golden = chat_goldens() / "templates.json";
  if (std::getenv("TAPIR_UPDATE_GOLDENS") != nullptr) write_file(golden, text);
  EXPECT_EQ(text, read_file(golden));
}

TEST(ChatTable, DocumentHasEveryRow) {
  const std::string page =
      read_file(std::filesystem::path(TAPIR_SOURCE_DIR) / "docs" / "chat_formats.md");
  for (const ChatFormatSpec& spec : chat_table()) {
    const std::string row =
        "| `" + std::string(spec.name) + "` | " + std::string(spec.models) + " |";
    EXPECT_THAT(page, HasSubstr(row));
  }
}

std::string bits(const std::vector<std::uint8_t>& loss) {
  std::string text;
  for (const std::uint8_t one : loss) text += one != 0 ? '1' : '0';
  return text;
}

// A row of the goldens: the same text and tokens, and the answers learnt with their end-of-turn
// token.
void expect_as_jinja(const ChatFormat& format, const Tokenizer& words, const Json& row,
                     const std::string& where) {
  const Messages messages = messages_from_json(row["messages"].dump(), where);
  const auto ids = row["ids"].get<std::vector<TokenId>>();
  if (messages.back().role != Role::assistant) {
    EXPECT_EQ(format.encode_prompt(messages), ids) << where << "\n" << row["text"];
    return;
  }
  Example example = example_of(messages);
  if (row["last_only"].get<bool>()) {
    for (std::size_t i = 0; i + 1 < example.segments.size(); ++i) example.segments[i].loss = false;
  }
  const EncodedExample encoded = format.encode_example(example);
  EXPECT_EQ(encoded.tokens, ids) << where << "\n"
                                 << row["text"] << "\n"
                                 << words.decode(encoded.tokens, false);
  EXPECT_EQ(bits(encoded.loss), row["learnt"].get<std::string>()) << where << "\n" << row["text"];
}

TEST(ChatTable, TokensAsJinjaAndTheTokenizerHaveThem) {
  std::map<std::string, std::shared_ptr<const Tokenizer>> loaded;
  std::set<std::string> seen;
  for_each_jsonl(chat_goldens() / "chats.jsonl.gz", [&](const Json& row, const std::string& place) {
    const auto name = row["format"].get<std::string>();
    const std::string where = name + ", " + row["template"].get<std::string>() + ", " + place;
    if (row.contains("refused")) {
      const auto format = load_chat_format({}, tokenizer(), name);
      const Messages messages = messages_from_json(row["messages"].dump(), where);
      EXPECT_THROW(format->encode_example(example_of(messages)), Error) << where;
      return;
    }
    const auto words = row["tokenizer"].get<std::string>();
    seen.insert(name + " " + words);
    auto& with = loaded[words];
    if (!with) with = load_tokenizer(chat_goldens() / words);
    expect_as_jinja(*load_chat_format({}, with, name), *with, row, where);
  });
  for (const std::string& name : chat_format_names())
    EXPECT_TRUE(seen.contains(name + " byte_level") || seen.contains(name + " byte_level_inst"))
        << name;
}

class EveryFormat : public ::testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<const ChatFormat> format_ = load_chat_format({}, tokenizer(), GetParam());
  const bool takes_system_ = GetParam() != "mistral" && GetParam() != "gemma";
};

TEST_P(EveryFormat, PromptIsWhereTheExampleBegins) {
  RandomStream random(2, "test", GetParam());
  for (int i = 0; i < 200; ++i) {
    Messages messages{{Role::user, random_text(random)}};
    if (takes_system_ && random.chance(0.5))
      messages.insert(messages.begin(), {Role::system, random_text(random)});
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
  Example example{"row", {{Role::user, "2+2?", false}, {Role::assistant, "It is 4", true}}};
  Messages asked{{Role::user, "2+2?"}};
  if (takes_system_) {
    example.segments.insert(example.segments.begin(), {Role::system, "Be brief.", false});
    asked.insert(asked.begin(), {Role::system, "Be brief."});
  }
  const EncodedExample encoded = format_->encode_example(example);
  ASSERT_EQ(encoded.loss.size(), encoded.tokens.size());
  const std::string end = text_of({format_->stop_tokens().front()});
  const std::string text = learnt(encoded);
  ASSERT_TRUE(text.ends_with(end)) << text;
  EXPECT_EQ(format_->answer_text(text.substr(0, text.size() - end.size())), "It is 4");
  // What generation sees: the learnt tokens begin right behind the prompt, and stop at the stop
  // token.
  const auto prompt = format_->encode_prompt(asked);
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
  const auto prompt = [&](const std::string& system, const std::string& user) {
    Messages messages{{Role::user, user}};
    if (takes_system_) messages.insert(messages.begin(), {Role::system, system});
    return format_->encode_prompt(messages);
  };
  std::string forged;
  for (TokenId id = 0; id < tokenizer()->vocab_size(); ++id) {
    if (tokenizer()->is_special(id)) forged += tokenizer()->id_to_token(id);
  }
  EXPECT_EQ(count_special(prompt(forged, forged + "\n" + forged)), count_special(prompt("x", "x")));
}

TEST_P(EveryFormat, RefusesWhatItCannotSay) {
  EXPECT_THAT(refusal([&] { format_->encode_prompt({}); }), HasSubstr("no message"));
  if (!GetParam().starts_with("qwen")) {
    EXPECT_THAT(refusal([&] { format_->encode_prompt({{Role::tool, "x"}}); }), HasSubstr("tool"));
  }
  EXPECT_THAT(refusal([&] {
                format_->encode_prompt({{Role::user, "x"}, {Role::system, "y"}});
              }),
              HasSubstr("the system message must come first"));
  if (!takes_system_) {
    EXPECT_THAT(refusal([&] {
                  format_->encode_prompt({{Role::system, "x"}, {Role::user, "y"}});
                }),
                HasSubstr("no place for a system message"));
  }
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
                           std::replace(name.begin(), name.end(), '-', '_');
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

TEST(ChatFormat, ReasoningAtTheBeginningIsNotTheAnswer) {
  const auto format = load_chat_format({}, tokenizer(), "qwen3");
  EXPECT_EQ(format->answer_text("<think>\n\n</think>\n\nfour"), "four");
  EXPECT_EQ(format->answer_text("\n<think>\n2+2\n</think>\n\n"), "");
  EXPECT_EQ(format->answer_text("<think>\n2+2"), "<think>\n2+2");  // cut off
  EXPECT_EQ(format->answer_text("<think>a</think>b</think>c"), "b</think>c");
  EXPECT_EQ(format->answer_text("close it with </think>"), "close it with </think>");
  EXPECT_EQ(format->answer_begin("<think>\n2+2"), 11U);
  EXPECT_EQ(format->answer_begin("<thi"), 4U);
  EXPECT_EQ(format->answer_begin("<this"), 0U);
  EXPECT_EQ(format->answer_begin("<think>a</think>\nb"), 17U);
}

// Python's white space was swallowed, which the tokenizer beside it leaves where it is.
TEST(ChatFormat, ControlTokensSwallowTheWhiteSpaceOfTheTokenizer) {
  Json json = parse_json(read_file(chat_goldens() / "byte_level" / "tokenizer.json"), "golden");
  for (Json& token : json["added_tokens"]) token["lstrip"] = token["rstrip"] = true;
  const auto swallowing = load_from(json.dump());
  const auto format = load_chat_format({}, swallowing, "compact");
  for (const char* content : {"\x1chello\x1f", " \u3000hello\n", "\x1f \x1c"}) {
    EXPECT_EQ(format->encode_prompt({{Role::user, content}}),
              swallowing->encode_with_specials(std::string("<|user|>") + content + "<|assistant|>",
                                               /*add_special_tokens=*/false))
        << content;
  }
}

TEST(ChatFormat, UnknownNamesAndTemplatesAreRefused) {
  EXPECT_THAT(refusal([] { load_chat_format({}, tokenizer(), "chatmll"); }),
              HasSubstr("did you mean chatml?"));
  EXPECT_THAT(refusal([] { format_of("{{ 'x' }}"); }), HasSubstr("none of the known ones"));
}

TEST(ChatFormat, WithoutATemplateRawTextStillWorks) {
  const testing::TemporaryFolder empty;
  const auto format = load_chat_format(empty.path(), tokenizer());
  EXPECT_EQ(format->name(), "none");
  EXPECT_EQ(text_of(format->stop_tokens()), "</s>");
  EXPECT_EQ(format->answer_text(" as it is "), " as it is ");
  EXPECT_THAT(refusal([&] {
                format->encode_prompt({{Role::user, "x"}});
              }),
              AllOf(HasSubstr("no chat template"), HasSubstr("known: chatml")));
  EXPECT_THAT(refusal([&] {
                format->encode_example(example_of({{Role::user, "x"}}));
              }),
              HasSubstr("no chat template"));
}

TEST(ChatFormat, TokensThatTheTokenizerLacksAreNamed) {
  const auto bare = load_from(train_bpe(sample_texts(1, 20), {.vocab_size = 260}));
  EXPECT_THAT(refusal([&] { load_chat_format({}, bare, "chatml"); }), HasSubstr("<|im_start|>"));
  EXPECT_THAT(refusal([&] { load_chat_format({}, bare, "plain"); }), HasSubstr("eos_token"));
}

TEST(ChatFormat, ControlTokensMustBeSpecial) {
  Json json = parse_json(read_file(chat_goldens() / "byte_level" / "tokenizer.json"), "golden");
  for (Json& token : json["added_tokens"]) token["special"] = false;
  const auto forgeable = load_from(json.dump());
  EXPECT_THAT(refusal([&] { load_chat_format({}, forgeable, "compact"); }),
              HasSubstr("not marked as special"));
}

}  // namespace
}  // namespace tapir::text
