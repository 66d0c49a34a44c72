#include "text/chat_format.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "text/chat_layout.h"
#include "text/chat_recognise.h"
#include "text/chat_table.h"
#include "text/white_space.h"

namespace tapir::text {
namespace {

std::string known_formats() { return "known: " + join(chat_format_names(), ", "); }

// The ids of a format's control tokens.
class ControlIds {
 public:
  ControlIds(const ChatFormatSpec& spec, const ChatVariant& variant, const Tokenizer& tokenizer);
  // Nothing: a tokenizer without a begin-of-text token does without.
  std::optional<TokenId> operator()(std::string_view token) const {
    for (const auto& [name, id] : ids_) {
      if (name == token) return id;
    }
    return std::nullopt;
  }

 private:
  void add(std::string_view token, std::optional<TokenId> id, const Tokenizer& tokenizer);
  std::string format_;
  std::vector<std::pair<std::string_view, TokenId>> ids_;
};

ControlIds::ControlIds(const ChatFormatSpec& spec, const ChatVariant& variant,
                       const Tokenizer& tokenizer)
    : format_(spec.name) {
  for (const std::string_view token : spec.control_tokens)
    add(token, tokenizer.token_to_id(token), tokenizer);
  const bool bos = variant.bos || spec.user.before.starts_with("{bos}");
  if (bos && tokenizer.bos_token()) add("{bos}", tokenizer.bos_token(), tokenizer);
  if (spec.answer_end == "{eos}" || variant.end) add("{eos}", tokenizer.eos_token(), tokenizer);
}

void ControlIds::add(std::string_view token, std::optional<TokenId> id,
                     const Tokenizer& tokenizer) {
  if (!id) {
    throw Error(ErrorKind::data,
                "chat format " + format_ + " needs " +
                    (token == "{eos}" ? "an eos_token" : "the token " + std::string(token)) +
                    ", which the tokenizer does not have",
                "choose another `template`, or add the token to the tokenizer");
  }
  if (!tokenizer.is_special(*id)) {
    throw Error(ErrorKind::data,
                "chat format " + format_ + ": the token " + tokenizer.id_to_token(*id) +
                    " is not marked as special, so a message could forge it",
                "set \"special\": true for it in tokenizer.json");
  }
  ids_.emplace_back(token, *id);
}

// Collects tokens. Text is encoded in runs as long as possible, as it would be in the rendered
// conversation.
class TokenSink final : public ChatSink {
 public:
  TokenSink(const Tokenizer& tokenizer, const ControlIds& ids) : tokenizer_(tokenizer), ids_(ids) {}

  void text(std::string_view text, bool loss) override {
    if (text.empty()) return;
    if (loss != loss_) boundary();
    loss_ = loss;
    pending_ += text;
  }
  void control(std::string_view token, bool loss) override {
    const auto id = ids_(token);
    if (!id) return;
    const TokenEdges edges = tokenizer_.edges(*id);
    if (edges.lstrip) pending_.resize(strip_space_right(pending_, is_white_space).size());
    boundary();
    push(*id, loss);
    before_ = Before::token;
    swallows_ = edges.rstrip;
  }
  void boundary() override {
    std::string_view text = pending_;
    if (swallows_) text = strip_space_left(text, is_white_space);
    if (!text.empty()) {
      for (const TokenId id : tokenizer_.encode_part(text, before_)) push(id, loss_);
      before_ = Before::text;
      swallows_ = false;
    }
    pending_.clear();
  }
  EncodedExample finish() {
    boundary();
    return std::move(out_);
  }

 private:
  void push(TokenId id, bool loss) {
    out_.tokens.push_back(id);
    out_.loss.push_back(loss ? 1 : 0);
  }

  const Tokenizer& tokenizer_;
  const ControlIds& ids_;
  EncodedExample out_;
  std::string pending_;
  bool loss_ = false;
  Before before_ = Before::nothing;
  bool swallows_ = false;  // white space behind the last control token
};

class TableFormat final : public ChatFormat {
 public:
  TableFormat(const ChatFormatSpec& spec, ChatVariant variant,
              std::shared_ptr<const Tokenizer> tokenizer)
      : tokenizer_(std::move(tokenizer)),
        ids_(spec, variant, *tokenizer_),
        layout_(spec, std::move(variant)) {
    for (const Piece& piece : split_pieces(spec, spec.answer_end))
      stop_tokens_.push_back(ids_(piece.text).value());
    const auto eos = tokenizer_->eos_token();
    if (eos && std::find(stop_tokens_.begin(), stop_tokens_.end(), *eos) == stop_tokens_.end())
      stop_tokens_.push_back(*eos);
  }

  std::string_view name() const override { return layout_.spec().name; }
  std::string describe() const override;
  std::vector<TokenId> encode_prompt(const Messages& messages) const override;
  EncodedExample encode_example(const Example& example) const override;
  std::vector<TokenId> stop_tokens() const override { return stop_tokens_; }
  std::string answer_text(std::string_view decoded) const override;
  std::size_t answer_begin(std::string_view decoded) const override;

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  ControlIds ids_;
  ChatLayout layout_;
  std::vector<TokenId> stop_tokens_;
};

std::string TableFormat::describe() const {
  const ChatVariant row = variant_of(layout_.spec());
  const ChatVariant& variant = layout_.variant();
  std::vector<std::string> differences;
  if (variant.default_system != row.default_system)
    differences.push_back("its own system message \"" + variant.default_system.value_or("") + "\"");
  if (variant.bos != row.bos)
    differences.emplace_back(variant.bos ? "begin-of-text token" : "no begin-of-text token");
  if (variant.end != row.end) differences.emplace_back("nothing behind the last answer");
  if (variant.system != row.system) differences.emplace_back("no place for a system message");
  return std::string(name()) +
         (differences.empty() ? "" : " (with " + join(differences, ", ") + ")");
}

std::vector<TokenId> TableFormat::encode_prompt(const Messages& messages) const {
  const std::vector<Segment> segments = segments_of(messages);
  layout_.check(segments, "prompt");
  if (segments.back().role == Role::assistant) {
    throw Error(ErrorKind::data, "prompt: the conversation already ends with an answer",
                "the last message must be the user's");
  }
  TokenSink out(*tokenizer_, ids_);
  layout_.write(segments, /*add_generation_prompt=*/true, out);
  return out.finish().tokens;
}

EncodedExample TableFormat::encode_example(const Example& example) const {
  layout_.check(example.segments, "example " + example.id);
  TokenSink out(*tokenizer_, ids_);
  layout_.write(example.segments, /*add_generation_prompt=*/false, out);
  return out.finish();
}

std::string TableFormat::answer_text(std::string_view decoded) const {
  const ChatFormatSpec& spec = layout_.spec();
  if (decoded.starts_with(spec.answer_before)) decoded.remove_prefix(spec.answer_before.size());
  if (decoded.ends_with(spec.answer_after)) decoded.remove_suffix(spec.answer_after.size());
  if (spec.thinks) decoded.remove_prefix(reasoning_end(decoded).value_or(0));
  return std::string(decoded);
}

std::size_t TableFormat::answer_begin(std::string_view decoded) const {
  const ChatFormatSpec& spec = layout_.spec();
  const std::string_view before = spec.answer_before;
  if (decoded.size() < before.size() && before.starts_with(decoded)) return decoded.size();
  const std::size_t begin = decoded.starts_with(before) ? before.size() : 0;
  if (!spec.thinks) return begin;
  const auto end = reasoning_end(decoded.substr(begin));
  return end ? begin + *end : decoded.size();
}

// Of a folder without a template: raw text can be worked with, conversations cannot.
class NoFormat final : public ChatFormat {
 public:
  NoFormat(std::string folder, const Tokenizer& tokenizer) : folder_(std::move(folder)) {
    if (const auto eos = tokenizer.eos_token()) stop_tokens_.push_back(*eos);
  }
  std::string_view name() const override { return "none"; }
  std::string describe() const override { return "none (the folder has no chat template)"; }
  std::vector<TokenId> encode_prompt(const Messages&) const override { refuse(); }
  EncodedExample encode_example(const Example&) const override { refuse(); }
  std::vector<TokenId> stop_tokens() const override { return stop_tokens_; }
  std::string answer_text(std::string_view decoded) const override { return std::string(decoded); }
  std::size_t answer_begin(std::string_view) const override { return 0; }

 private:
  [[noreturn]] void refuse() const {
    throw Error(ErrorKind::data, folder_ + ": no chat template found",
                "set `template` to the format that the model was trained with (alpaca or plain for "
                "a base model); " +
                    known_formats());
  }
  std::string folder_;
  std::vector<TokenId> stop_tokens_;
};

const ChatFormatSpec& find_format(std::string_view name) {
  for (const ChatFormatSpec& spec : chat_table()) {
    if (spec.name == name) return spec;
  }
  const auto near = nearest(name, chat_format_names());
  throw Error(ErrorKind::data, "chat format \"" + std::string(name) + "\" is not known",
              (near ? "did you mean " + *near + "? " : std::string()) + known_formats() + ", auto");
}

std::shared_ptr<const ChatFormat> recognise(const std::filesystem::path& folder,
                                            std::shared_ptr<const Tokenizer> tokenizer) {
  const FolderTemplate found_template = folder_chat_template(folder);
  if (trim(found_template.jinja).empty())
    return std::make_shared<NoFormat>(folder.string(), *tokenizer);
  const auto spelling = [&](std::optional<TokenId> id) {
    return id ? tokenizer->id_to_token(*id) : std::string();
  };
  const RecognisedFormat found =
      recognise_template(found_template.jinja, found_template.file.string() + ": chat template",
                         spelling(tokenizer->bos_token()), spelling(tokenizer->eos_token()));
  return std::make_shared<TableFormat>(*found.spec, found.variant, std::move(tokenizer));
}

}  // namespace

std::shared_ptr<const ChatFormat> load_chat_format(const std::filesystem::path& folder,
                                                   std::shared_ptr<const Tokenizer> tokenizer,
                                                   std::string_view format) {
  if (format == "auto") return recognise(folder, std::move(tokenizer));
  const ChatFormatSpec& spec = find_format(format);
  return std::make_shared<TableFormat>(spec, variant_of(spec), std::move(tokenizer));
}

FolderTemplate folder_chat_template(const std::filesystem::path& folder) {
  const std::filesystem::path own = folder / "chat_template.jinja";
  if (std::filesystem::exists(own)) return {read_file(own), own};
  const std::filesystem::path path = folder / "tokenizer_config.json";
  if (!std::filesystem::exists(path)) return {};
  const Json config = read_json_object(path);
  if (!config.contains("chat_template")) return {};
  const Json& value = config["chat_template"];
  if (value.is_string()) return {value.get<std::string>(), path};
  if (!value.is_array()) return {};
  for (const Json& named : value) {  // several, by name
    if (json_get_or<std::string>(named, "name", "", path.string()) == "default") {
      return {json_get<std::string>(named, "template", path.string()), path};
    }
  }
  return {};
}

std::vector<std::string> chat_format_names() {
  std::vector<std::string> names;
  for (const ChatFormatSpec& spec : chat_table()) names.emplace_back(spec.name);
  return names;
}

std::string chat_template(std::string_view format) { return find_format(format).jinja; }

std::vector<std::string> chat_special_tokens(std::string_view format) {
  const ChatFormatSpec& spec = find_format(format);
  return {spec.control_tokens.begin(), spec.control_tokens.end()};
}

}  // namespace tapir::text
