#include "student/new_student.h"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "student/folder_files.h"
#include "student/initial_weights.h"
#include "student/parameters.h"
#include "text/chat_format.h"
#include "text/tokenizer.h"

namespace tapir::student {
namespace {

using Path = std::filesystem::path;

// Contents of tokenizer.json's added tokens.
std::vector<std::string> added_tokens(const std::string& tokenizer) {
  const Json json = parse_json(tokenizer, "tokenizer.json");
  std::vector<std::string> tokens;
  for (const Json& token :
       json_get_or<Json>(json, "added_tokens", Json::array(), "tokenizer.json")) {
    tokens.push_back(json_get<std::string>(token, "content", "tokenizer.json: added_tokens"));
  }
  return tokens;
}

// The wanted token, or the first usual one that the tokenizer has; empty when there is none.
std::string choose_token(const std::string& wanted, const std::vector<std::string>& known,
                         std::initializer_list<std::string_view> usual) {
  const auto has = [&](std::string_view token) {
    return std::find(known.begin(), known.end(), token) != known.end();
  };
  if (!wanted.empty()) {
    if (has(wanted)) return wanted;
    throw Error(ErrorKind::data, "the tokenizer has no special token \"" + wanted + "\"",
                "train the tokenizer with this special token");
  }
  for (const std::string_view token : usual) {
    if (has(token)) return std::string(token);
  }
  return {};
}

void write_tokenizer(const NewStudent& student, const Path& folder) {
  const std::vector<std::string> known = added_tokens(student.tokenizer);
  const std::string bos =
      choose_token(student.bos_token, known, {"<s>", "<|begin_of_text|>", "<bos>"});
  const std::string eos = choose_token(student.eos_token, known,
                                       {"<|im_end|>", "<|eot_id|>", "<|end|>", "<end_of_turn>",
                                        "</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>"});
  OrderedJson names;
  if (!bos.empty()) names["bos_token"] = bos;
  if (!eos.empty()) names["eos_token"] = eos;
  if (!eos.empty()) names["pad_token"] = eos;
  OrderedJson config = names;
  config["chat_template"] = text::chat_template(student.chat_format);
  config["clean_up_tokenization_spaces"] = false;
  config["model_max_length"] = student.config.max_position_embeddings;
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  write_aside(folder / "tokenizer.json", student.tokenizer);
  write_aside(folder / "tokenizer_config.json", config.dump(2) + "\n");
  write_aside(folder / "special_tokens_map.json", names.dump(2) + "\n");
}

// Config with what follows from the tokenizer in that folder.
ModelConfig complete_config(const NewStudent& student, const Path& folder) {
  const std::shared_ptr<const text::Tokenizer> tokenizer = text::load_tokenizer(folder);
  const auto format = text::load_chat_format(folder, tokenizer, student.chat_format);
  ModelConfig config = student.config;
  const auto tokens = static_cast<int>(tokenizer->vocab_size());
  if (config.vocab_size == 0) config.vocab_size = tokens;
  if (config.vocab_size < tokens) {
    throw Error(ErrorKind::data,
                "vocab_size is " + std::to_string(config.vocab_size) + ", the tokenizer has " +
                    std::to_string(tokens) + " tokens",
                "raise vocab_size, or leave it to the tokenizer");
  }
  config.bos_token_id = tokenizer->bos_token();
  config.pad_token_id = tokenizer->eos_token();
  config.eos_token_ids.clear();
  for (const text::TokenId id : format->stop_tokens()) config.eos_token_ids.push_back(id);
  check_config(config);
  return config;
}

}  // namespace

void make_new_student(const NewStudent& student, const Path& folder) {
  write_folder(folder, [&](const Path& aside) {
    write_tokenizer(student, aside);
    const ModelConfig config = complete_config(student, aside);
    const ParameterLayout layout = make_layout(config);
    write_config(config, aside);
    write_parameters(layout, draw_initial_weights(config, layout, student.seed).data(), aside);
    complete_folder(aside);
  });
}

}  // namespace tapir::student
