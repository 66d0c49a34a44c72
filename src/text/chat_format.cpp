#include "text/chat_format.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "text/chat_table.h"

namespace tapir::text {
namespace {

// White space as Python's str.strip() (and so Jinja's trim) has it.
std::size_t space_length(std::string_view text) {
  static const std::vector<std::string_view> spaces = {
      "\t",     "\n",     "\v",     "\f",     "\r",     "\x1c",   "\x1d",   "\x1e",
      "\x1f",   " ",      "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002",
      "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
      "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};
  for (const std::string_view space : spaces) {
    if (text.starts_with(space)) return space.size();
  }
  return 0;
}

std::string_view strip(std::string_view text) {
  while (const std::size_t length = space_length(text)) text.remove_prefix(length);
  std::size_t end = 0;  // behind the last character that is not white space
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = space_length(text.substr(at));
    at += std::max<std::size_t>(length, 1);
    if (length == 0) end = at;
  }
  return text.substr(0, end);
}

// A part of a format's own text: a control token, or text.
struct Piece {
  std::optional<TokenId> token;
  std::string text;
};
using Pieces = std::vector<Piece>;

// Collects tokens. Text is encoded in runs as long as possible, as it would be in the rendered
// conversation.
class TokenWriter {
 public:
  explicit TokenWriter(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void text(std::string_view text, bool loss) {
    if (loss != loss_) flush();
    loss_ = loss;
    pending_ += text;
  }
  void pieces(const Pieces& pieces, bool loss) {
    for (const Piece& piece : pieces) {
      if (!piece.token) {
        text(piece.text, loss);
        continue;
      }
      flush();
      push(*piece.token, loss);
    }
  }
  // A boundary that no token crosses.
  void flush() {
    if (!pending_.empty()) {
      for (const TokenId id : tokenizer_.encode(pending_)) push(id, loss_);
    }
    pending_.clear();
  }
  EncodedExample finish() {
    flush();
    return std::move(out_);
  }

 private:
  void push(TokenId id, bool loss) {
    out_.tokens.push_back(id);
    out_.loss.push_back(loss ? 1 : 0);
  }

  const Tokenizer& tokenizer_;
  EncodedExample out_;
  std::string pending_;
  bool loss_ = false;
};

class TableFormat final : public ChatFormat {
 public:
  TableFormat(const ChatFormatSpec& spec, std::shared_ptr<const Tokenizer> tokenizer,
              std::optional<std::string> default_system);

  std::string_view name() const override { return spec_.name; }
  std::vector<TokenId> encode_prompt(const Messages& messages) const override;
  EncodedExample encode_example(const Example& example) const override;
  std::vector<TokenId> stop_tokens() const override { return stop_tokens_; }
  std::string answer_text(std::string_view decoded) const override;

 private:
  struct Turn {
    Pieces before;
    Pieces after;
  };
  Pieces compile(std::string_view text) const;
  TokenId control(std::string_view token) const;
  void check_roles(const std::vector<Segment>& segments, const std::string& where) const;
  void write(const std::vector<Segment>& segments, TokenWriter& out) const;
  void write_system(std::string_view content, bool loss, TokenWriter& out) const;
  std::string_view content(const Segment& segment) const {
    return spec_.trims ? strip(segment.text) : std::string_view(segment.text);
  }

  const ChatFormatSpec& spec_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::optional<std::string> default_system_;
  Pieces begin_;
  Turn system_;
  Turn user_;
  Pieces assistant_before_;
  Pieces answer_before_;
  Pieces answer_after_;
  Pieces answer_end_;
  Pieces assistant_after_;
  std::vector<TokenId> stop_tokens_;
};

TableFormat::TableFormat(const ChatFormatSpec& spec, std::shared_ptr<const Tokenizer> tokenizer,
                         std::optional<std::string> default_system)
    : spec_(spec),
      tokenizer_(std::move(tokenizer)),
      default_system_(std::move(default_system)),
      begin_(compile(spec.begin)),
      system_{compile(spec.system.before), compile(spec.system.after)},
      user_{compile(spec.user.before), compile(spec.user.after)},
      assistant_before_(compile(spec.assistant_before)),
      answer_before_(compile(spec.answer_before)),
      answer_after_(compile(spec.answer_after)),
      answer_end_(compile(spec.answer_end)),
      assistant_after_(compile(spec.assistant_after)) {
  for (const Piece& piece : answer_end_) stop_tokens_.push_back(piece.token.value());
  const auto eos = tokenizer_->eos_token();
  if (eos && std::find(stop_tokens_.begin(), stop_tokens_.end(), *eos) == stop_tokens_.end()) {
    stop_tokens_.push_back(*eos);
  }
}

TokenId TableFormat::control(std::string_view token) const {
  const std::string name(spec_.name);
  std::optional<TokenId> id;
  if (token == "{bos}") {
    id = tokenizer_->bos_token();
  } else if (token == "{eos}") {
    id = tokenizer_->eos_token();
  } else {
    id = tokenizer_->token_to_id(token);
  }
  if (!id) {
    throw Error(ErrorKind::data,
                "chat format " + name + " needs " +
                    (token == "{eos}" ? "an eos_token" : "the token " + std::string(token)) +
                    ", which the tokenizer does not have",
                "choose another `template`, or add the token to the tokenizer");
  }
  if (!tokenizer_->is_special(*id)) {
    throw Error(ErrorKind::data,
                "chat format " + name + ": the token " + tokenizer_->id_to_token(*id) +
                    " is not marked as special, so a message could forge it",
                "set \"special\": true for it in tokenizer.json");
  }
  return *id;
}

Pieces TableFormat::compile(std::string_view text) const {
  std::vector<std::string_view> controls = spec_.control_tokens;
  controls.insert(controls.end(), {"{bos}", "{eos}"});
  Pieces pieces;
  while (!text.empty()) {
    const auto found = std::find_if(controls.begin(), controls.end(), [&](std::string_view token) {
      return text.starts_with(token);
    });
    if (found == controls.end()) {
      if (pieces.empty() || pieces.back().token) pieces.emplace_back();
      pieces.back().text += text.front();
      text.remove_prefix(1);
      continue;
    }
    // A tokenizer without a begin-of-text token does without.
    if (*found != "{bos}" || tokenizer_->bos_token()) pieces.push_back({control(*found), {}});
    text.remove_prefix(found->size());
  }
  return pieces;
}

void TableFormat::check_roles(const std::vector<Segment>& segments,
                              const std::string& where) const {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorKind::data, where + ": chat format " + std::string(spec_.name) + ": " + what);
  };
  if (segments.empty()) fail("the conversation has no message");
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (segments[i].role == Role::tool) fail("messages with the role tool are not supported");
    if (segments[i].role == Role::system && i > 0) fail("the system message must come first");
  }
  if (!spec_.system_inside_user || segments.front().role != Role::system) return;
  if (segments.size() < 2 || segments[1].role != Role::user) {
    fail("a user message must follow the system message");
  }
}

void TableFormat::write_system(std::string_view content, bool loss, TokenWriter& out) const {
  out.pieces(system_.before, /*loss=*/false);
  out.text(spec_.always_system, /*loss=*/false);
  out.text(content, loss);
  out.pieces(system_.after, /*loss=*/false);
}

void TableFormat::write(const std::vector<Segment>& segments, TokenWriter& out) const {
  out.pieces(begin_, /*loss=*/false);
  const Segment* system = segments.front().role == Role::system ? &segments.front() : nullptr;
  if (system != nullptr && !spec_.system_inside_user) {
    write_system(content(*system), system->loss, out);
  } else if (system == nullptr && default_system_) {
    write_system(*default_system_, /*loss=*/false, out);
  }
  for (const Segment& segment : segments) {
    if (segment.role == Role::user) {
      out.pieces(user_.before, /*loss=*/false);
      if (system != nullptr && spec_.system_inside_user) {
        write_system(content(*std::exchange(system, nullptr)), /*loss=*/false, out);
      }
      out.text(content(segment), segment.loss);
      out.pieces(user_.after, /*loss=*/false);
    } else if (segment.role == Role::assistant) {
      out.pieces(assistant_before_, /*loss=*/false);
      out.flush();  // the prompt's tokens are the same with and without the answer
      out.pieces(answer_before_, segment.loss);
      out.text(content(segment), segment.loss);
      out.pieces(answer_after_, segment.loss);
      out.pieces(answer_end_, segment.loss);
      out.pieces(assistant_after_, /*loss=*/false);
    }
  }
}

std::vector<TokenId> TableFormat::encode_prompt(const Messages& messages) const {
  std::vector<Segment> segments;
  for (const Message& message : messages)
    segments.push_back({message.role, message.content, false});
  check_roles(segments, "prompt");
  if (segments.back().role == Role::assistant) {
    throw Error(ErrorKind::data, "prompt: the conversation already ends with an answer",
                "the last message must be the user's");
  }
  TokenWriter out(*tokenizer_);
  write(segments, out);
  out.pieces(assistant_before_, /*loss=*/false);
  return out.finish().tokens;
}

EncodedExample TableFormat::encode_example(const Example& example) const {
  check_roles(example.segments, "example " + example.id);
  TokenWriter out(*tokenizer_);
  write(example.segments, out);
  return out.finish();
}

std::string TableFormat::answer_text(std::string_view decoded) const {
  if (decoded.starts_with(spec_.answer_before)) decoded.remove_prefix(spec_.answer_before.size());
  if (decoded.ends_with(spec_.answer_after)) decoded.remove_suffix(spec_.answer_after.size());
  return std::string(decoded);
}

std::string known_formats() { return "known: " + join(chat_format_names(), ", "); }

const ChatFormatSpec& find_format(std::string_view name) {
  for (const ChatFormatSpec& spec : chat_table()) {
    if (spec.name == name) return spec;
  }
  const auto near = nearest(name, chat_format_names());
  throw Error(ErrorKind::data, "chat format \"" + std::string(name) + "\" is not known",
              (near ? "did you mean " + *near + "? " : std::string()) + known_formats() + ", auto");
}

bool matches(const ChatFormatSpec& spec, std::string_view jinja) {
  const auto contains = [&](std::string_view text) { return jinja.find(text) != jinja.npos; };
  return !spec.markers.empty() && std::all_of(spec.markers.begin(), spec.markers.end(), contains) &&
         std::none_of(spec.not_markers.begin(), spec.not_markers.end(), contains);
}

// The system message that a published chatml template writes out for conversations without one.
std::optional<std::string> written_out_system(std::string_view jinja) {
  constexpr std::string_view kBegin = "<|im_start|>system\\n";
  for (std::size_t at = jinja.find(kBegin); at != jinja.npos; at = jinja.find(kBegin, at + 1)) {
    const std::string_view rest = jinja.substr(at + kBegin.size());
    const std::size_t end = rest.find("<|im_end|>");
    const std::string_view system = rest.substr(0, end);
    if (end != rest.npos && !system.empty() && system.find_first_of("'\"{}\\") == system.npos) {
      return std::string(system);
    }
  }
  return std::nullopt;
}

std::shared_ptr<const ChatFormat> recognise(const std::filesystem::path& folder,
                                            std::shared_ptr<const Tokenizer> tokenizer) {
  const std::string jinja = folder_chat_template(folder);
  if (trim(jinja).empty()) {
    throw Error(ErrorKind::data, folder.string() + ": no chat template found",
                "set `template` to the format that the model was trained with; " + known_formats());
  }
  const auto make = [&](const ChatFormatSpec& spec, std::optional<std::string> system) {
    return std::make_shared<TableFormat>(spec, std::move(tokenizer), std::move(system));
  };
  for (const ChatFormatSpec& spec : chat_table()) {
    if (trim(jinja) == trim(spec.jinja)) {
      return make(spec, spec.default_system ? std::optional<std::string>(*spec.default_system)
                                            : std::nullopt);
    }
  }
  for (const ChatFormatSpec& spec : chat_table()) {
    if (!matches(spec, jinja)) continue;
    if (spec.default_system) return make(spec, std::string(*spec.default_system));
    return make(spec, spec.name == "chatml" ? written_out_system(jinja) : std::nullopt);
  }
  throw Error(ErrorKind::data, folder.string() + ": the chat template is none of the known ones",
              "set `template` to the format that comes closest; " + known_formats());
}

}  // namespace

std::shared_ptr<const ChatFormat> load_chat_format(const std::filesystem::path& folder,
                                                   std::shared_ptr<const Tokenizer> tokenizer,
                                                   std::string_view format) {
  if (format == "auto") return recognise(folder, std::move(tokenizer));
  const ChatFormatSpec& spec = find_format(format);
  return std::make_shared<TableFormat>(
      spec, std::move(tokenizer),
      spec.default_system ? std::optional<std::string>(*spec.default_system) : std::nullopt);
}

std::string folder_chat_template(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / "chat_template.jinja")) {
    return read_file(folder / "chat_template.jinja");
  }
  const std::filesystem::path path = folder / "tokenizer_config.json";
  if (!std::filesystem::exists(path)) return {};
  const Json config = parse_json(read_file(path), path.string());
  if (!config.is_object() || !config.contains("chat_template")) return {};
  const Json& value = config["chat_template"];
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return {};
  for (const Json& named : value) {  // several, by name
    if (json_get_or<std::string>(named, "name", "", path.string()) == "default") {
      return json_get<std::string>(named, "template", path.string());
    }
  }
  return {};
}

std::vector<std::string> chat_format_names() {
  std::vector<std::string> names;
  for (const ChatFormatSpec& spec : chat_table()) names.emplace_back(spec.name);
  return names;
}

std::string chat_template(std::string_view format) {
  return std::string(find_format(format).jinja);
}

std::vector<std::string> chat_special_tokens(std::string_view format) {
  const ChatFormatSpec& spec = find_format(format);
  return {spec.control_tokens.begin(), spec.control_tokens.end()};
}

}  // namespace tapir::text
