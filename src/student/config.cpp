#include "student/config.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "student/families.h"

namespace tapir::student {
namespace {

using Path = std::filesystem::path;

// Keys that change nothing in what the model computes here: bookkeeping, generation defaults of old
// versions, heads of other tasks. Keys that begin with an underscore are of this kind too.
constexpr std::string_view kIgnoredKeys =
    "architectures auto_map bad_words_ids begin_suppress_tokens bos_token_id "
    "chunk_size_feed_forward cross_attention_hidden_size decoder_start_token_id "
    "diversity_penalty do_sample early_stopping encoder_no_repeat_ngram_size eos_token_id "
    "exponential_decay_length_penalty finetuning_task forced_bos_token_id forced_eos_token_id "
    "id2label is_decoder is_llama_config label2id length_penalty max_length max_sequence_length "
    "min_length model_type no_repeat_ngram_size num_beam_groups num_beams num_return_sequences "
    "output_attentions output_hidden_states output_scores pad_token_id prefix problem_type "
    "remove_invalid_values repetition_penalty return_dict return_dict_in_generate sep_token_id "
    "suppress_tokens task_specific_params temperature tf_legacy_loss tie_encoder_decoder "
    "tokenizer_class top_k top_p torchscript transformers.js_config transformers_version "
    "typical_p unsloth_fixed unsloth_version use_bfloat16 use_cache";

void require_plain(ConfigReader& reader, const Json& json) {
  reader.require("hidden_act", "silu");
  reader.require("attention_dropout", 0.0);
  reader.require("quantization_config", nullptr);
  reader.require("partial_rotary_factor", 1.0);
  reader.require("rope_interleaved", false);
  reader.require("is_encoder_decoder", false);
  reader.require("add_cross_attention", false);
  reader.require("pruned_heads", Json::object());
  for (const std::string& key : split(kIgnoredKeys, ' ')) reader.ignore(key);
  for (const auto& [key, value] : json.items()) {
    if (key.starts_with('_')) reader.ignore(key);
  }
}

// A number that the kind of scaling cannot do without.
double read_scale(ConfigReader& rope, std::string_view key) {
  if (rope.find(key) != nullptr) return rope.get<double>(key);
  rope.refuse(key, "nothing", "a number");
  return 1;
}

void read_llama3_scaling(ConfigReader& rope, RopeScaling& scaling) {
  scaling.low_freq_factor = read_scale(rope, "low_freq_factor");
  scaling.high_freq_factor = read_scale(rope, "high_freq_factor");
  scaling.original_max_position_embeddings =
      static_cast<int>(read_scale(rope, "original_max_position_embeddings"));
}

// One of rope_scaling and rope_parameters.
void read_rope_object(ConfigReader& reader, std::string_view key, const Json& json,
                      ModelConfig& config) {
  ConfigReader rope(json, reader.where() + ": " + std::string(key));
  const std::string type =
      rope.get_or<std::string>("rope_type", rope.get_or<std::string>("type", "default"));
  rope.ignore("type");
  config.rope_theta = rope.get_or<double>("rope_theta", config.rope_theta);
  rope.require("partial_rotary_factor", 1.0);
  RopeScaling& scaling = config.rope_scaling;
  if (type == "linear" || type == "llama3") {
    scaling.type = type == "linear" ? RopeType::linear : RopeType::llama3;
    scaling.factor = read_scale(rope, "factor");
    if (type == "llama3") read_llama3_scaling(rope, scaling);
  } else if (type != "default") {
    // Its other keys are of no interest.
    reader.refuse(key, "rope_type \"" + type + "\"", "\"default\", \"linear\" or \"llama3\"");
    return;
  }
  reader.take_problems(rope, key);
}

// rope_theta stands alone (transformers 4) or inside rope_parameters (transformers 5).
void read_rope(ConfigReader& reader, ModelConfig& config) {
  config.rope_theta = reader.get_or<double>("rope_theta", 10000);
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (const Json* found = reader.find(key)) read_rope_object(reader, key, *found, config);
  }
}

// null, a number, or a list of numbers.
std::vector<std::int32_t> read_ids(const Json& object, std::string_view key,
                                   const std::string& where) {
  const auto found = object.find(std::string(key));
  if (found == object.end() || found->is_null()) return {};
  if (found->is_array()) return json_get<std::vector<std::int32_t>>(object, key, where);
  return {json_get<std::int32_t>(object, key, where)};
}

std::optional<std::int32_t> read_id(const Json& object, std::string_view key,
                                    const std::string& where) {
  const std::vector<std::int32_t> ids = read_ids(object, key, where);
  return ids.empty() ? std::nullopt : std::optional(ids.front());
}

void read_sizes(ConfigReader& reader, const Family& family, ModelConfig& config) {
  config.vocab_size = reader.get<int>("vocab_size");
  config.hidden_size = reader.get<int>("hidden_size");
  config.intermediate_size = reader.get<int>("intermediate_size");
  config.num_hidden_layers = reader.get<int>("num_hidden_layers");
  config.num_attention_heads = reader.get<int>("num_attention_heads");
  const int heads = std::max(config.num_attention_heads, 1);
  const bool silent = !reader.has("num_key_value_heads") && family.num_key_value_heads > 0;
  config.num_key_value_heads =
      reader.get_or<int>("num_key_value_heads", silent ? family.num_key_value_heads : heads);
  config.head_dim = reader.get_or<int>(
      "head_dim", family.head_dim > 0 ? family.head_dim : config.hidden_size / heads);
  config.max_position_embeddings =
      reader.get_or<int>("max_position_embeddings", family.max_position_embeddings);
}

// "dtype" since transformers 4.56, "torch_dtype" before.
StorageType read_storage(ConfigReader& reader) {
  const auto old_name = reader.get_or<std::string>("torch_dtype", "float32");
  const auto name = reader.get_or<std::string>("dtype", old_name);
  if (const auto type = parse_storage_type(name)) return *type;
  reader.refuse("dtype", "\"" + name + "\"", "\"float32\", \"bfloat16\" or \"float16\"");
  return StorageType::float32;
}

Json rope_to_json(const RopeScaling& scaling) {
  if (scaling.type == RopeType::standard) return nullptr;
  Json json{{"factor", scaling.factor}};
  json["rope_type"] = scaling.type == RopeType::linear ? "linear" : "llama3";
  if (scaling.type == RopeType::linear) return json;
  json["low_freq_factor"] = scaling.low_freq_factor;
  json["high_freq_factor"] = scaling.high_freq_factor;
  json["original_max_position_embeddings"] = scaling.original_max_position_embeddings;
  return json;
}

Json ids_to_json(const std::vector<std::int32_t>& ids) {
  if (ids.empty()) return nullptr;
  if (ids.size() == 1) return ids.front();
  return ids;
}

Json id_to_json(const std::optional<std::int32_t>& id) { return id ? Json(*id) : Json(nullptr); }

void check_rope(const RopeScaling& scaling) {
  if (scaling.type == RopeType::standard) return;
  const bool possible = scaling.factor >= 1 && scaling.low_freq_factor > 0 &&
                        scaling.high_freq_factor > scaling.low_freq_factor &&
                        scaling.original_max_position_embeddings > 0;
  if (possible) return;
  throw Error(ErrorKind::usage,
              "rope_scaling: expected a factor of 1 or more, high_freq_factor above "
              "low_freq_factor, and original_max_position_embeddings above 0");
}

}  // namespace

void check_config(const ModelConfig& config) {
  (void)family_of(config.architecture);
  const std::pair<const char*, int> positive[] = {
      {"vocab_size", config.vocab_size},
      {"hidden_size", config.hidden_size},
      {"intermediate_size", config.intermediate_size},
      {"num_hidden_layers", config.num_hidden_layers},
      {"num_attention_heads", config.num_attention_heads},
      {"num_key_value_heads", config.num_key_value_heads},
      {"head_dim", config.head_dim},
      {"max_position_embeddings", config.max_position_embeddings}};
  constexpr int kLargest = 1 << 24;
  for (const auto& [key, value] : positive) {
    if (value > 0 && value <= kLargest) continue;
    throw Error(ErrorKind::usage, "key \"" + std::string(key) + "\": found " +
                                      std::to_string(value) + ", expected a number from 1 to " +
                                      std::to_string(kLargest));
  }
  if (config.num_attention_heads % config.num_key_value_heads != 0) {
    throw Error(ErrorKind::usage, "num_attention_heads (" +
                                      std::to_string(config.num_attention_heads) +
                                      ") must be a multiple of num_key_value_heads (" +
                                      std::to_string(config.num_key_value_heads) + ")");
  }
  if (config.head_dim % 2 != 0) {
    throw Error(ErrorKind::usage,
                "head_dim (" + std::to_string(config.head_dim) + ") must be even");
  }
  if (!(config.rms_norm_eps > 0) || !(config.rope_theta > 0) || !(config.initializer_range > 0)) {
    throw Error(ErrorKind::usage, "rms_norm_eps, rope_theta and initializer_range must be above 0");
  }
  if (config.sliding_window < 0) {
    throw Error(ErrorKind::usage, "sliding_window (" + std::to_string(config.sliding_window) +
                                      ") must be above 0, or null");
  }
  check_rope(config.rope_scaling);
}

ModelConfig parse_config(const Json& json, const std::string& where) {
  ConfigReader reader(json, where);
  const Family& family = find_family(reader);
  ModelConfig config;
  config.architecture = family.architecture;
  read_sizes(reader, family, config);
  config.rms_norm_eps = reader.get_or<double>("rms_norm_eps", family.rms_norm_eps);
  read_rope(reader, config);
  config.tie_word_embeddings = reader.get_or<bool>("tie_word_embeddings", false);
  config.initializer_range = reader.get_or<double>("initializer_range", 0.02);
  config.torch_dtype = read_storage(reader);
  family.read(reader, config);
  require_plain(reader, json);
  config.bos_token_id = read_id(json, "bos_token_id", where);
  config.eos_token_ids = read_ids(json, "eos_token_id", where);
  config.pad_token_id = read_id(json, "pad_token_id", where);
  reader.finish();
  try {
    check_config(config);
  } catch (const Error& e) {
    throw Error(ErrorKind::data, where + ": " + e.what(), e.hint());
  }
  return config;
}

ModelConfig read_config(const Path& folder) {
  const Path file = folder / "config.json";
  if (!std::filesystem::exists(file)) {
    throw Error(
        ErrorKind::data, folder.string() + ": not a student folder: config.json is missing",
        "name a Hugging Face folder with config.json, model.safetensors and tokenizer.json");
  }
  ModelConfig config = parse_config(parse_json(read_file(file), file.string()), file.string());
  const Path generation = folder / "generation_config.json";
  if (std::filesystem::exists(generation)) {
    const Json more = parse_json(read_file(generation), generation.string());
    const std::vector<std::int32_t> ids = read_ids(more, "eos_token_id", generation.string());
    if (!ids.empty()) config.eos_token_ids = ids;
  }
  return config;
}

void write_config(const ModelConfig& config, const Path& folder) {
  const Family& family = family_of(config.architecture);
  Json json;  // sorted by key, as transformers writes it
  json["architectures"] = {family.architecture};
  json["attention_dropout"] = 0.0;
  json["bos_token_id"] = id_to_json(config.bos_token_id);
  json["eos_token_id"] = ids_to_json(config.eos_token_ids);
  json["head_dim"] = config.head_dim;
  json["hidden_act"] = "silu";
  json["hidden_size"] = config.hidden_size;
  json["initializer_range"] = config.initializer_range;
  json["intermediate_size"] = config.intermediate_size;
  json["max_position_embeddings"] = config.max_position_embeddings;
  json["model_type"] = family.model_type;
  json["num_attention_heads"] = config.num_attention_heads;
  json["num_hidden_layers"] = config.num_hidden_layers;
  json["num_key_value_heads"] = config.num_key_value_heads;
  json["pad_token_id"] = id_to_json(config.pad_token_id);
  json["rms_norm_eps"] = config.rms_norm_eps;
  json["rope_scaling"] = rope_to_json(config.rope_scaling);
  json["rope_theta"] = config.rope_theta;
  json["tie_word_embeddings"] = config.tie_word_embeddings;
  json["torch_dtype"] = to_string(config.torch_dtype);
  json["use_cache"] = true;
  json["vocab_size"] = config.vocab_size;
  family.write(config, json);
  write_aside(folder / "config.json", json.dump(2) + "\n");

  Json generation;
  generation["_from_model_config"] = true;
  generation["bos_token_id"] = id_to_json(config.bos_token_id);
  generation["eos_token_id"] = ids_to_json(config.eos_token_ids);
  generation["pad_token_id"] = id_to_json(config.pad_token_id);
  write_aside(folder / "generation_config.json", generation.dump(2) + "\n");
}

}  // namespace tapir::student
