#include "student/gguf_export.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numbers>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "student/config.h"
#include "student/gguf_names.h"
#include "student/gguf_tokenizer.h"
#include "student/gguf_writer.h"
#include "student/parameters.h"
#include "text/chat_format.h"
#include "text/tokenizer.h"

namespace tapir::student {
namespace {

using Path = std::filesystem::path;

constexpr std::uint32_t kQuantizationVersion = 2;  // of q8_0's layout

struct OutType {
  std::string_view name;
  GgufType type;
  std::uint32_t file_type;  // general.file_type: llama.cpp's LLAMA_FTYPE_*
};
constexpr std::array<OutType, 4> kOutTypes = {{{"f32", GgufType::f32, 0},
                                               {"f16", GgufType::f16, 1},
                                               {"bf16", GgufType::bf16, 32},
                                               {"q8_0", GgufType::q8_0, 7}}};

const OutType& find_out_type(const std::string& name) {
  const auto found = std::find_if(kOutTypes.begin(), kOutTypes.end(),
                                  [&](const OutType& row) { return row.name == name; });
  if (found != kOutTypes.end()) return *found;
  throw Error(ErrorKind::usage, "outtype \"" + name + "\" is not known",
              "known: " + join(gguf_outtypes(), ", "));
}

GgufType type_of(const TensorView& view, GgufType wanted) {
  if (view.shape.size() < 2) return GgufType::f32;
  const bool whole_blocks = view.shape.back() % kQ8BlockSize == 0;
  return wanted == GgufType::q8_0 && !whole_blocks ? GgufType::f16 : wanted;
}

// Rows [first, first + count) of a matrix, or that range of a vector.
void read_range(const TensorView& view, std::int64_t first, std::int64_t count, float* out) {
  const std::int64_t width = view.shape.size() < 2 ? 1 : view.shape.back();
  const auto bytes = static_cast<std::size_t>(width) * size_of(view.type);
  TensorView rows{view.type, {count, width}, {}};
  rows.bytes = view.bytes.substr(static_cast<std::size_t>(first) * bytes,
                                 static_cast<std::size_t>(count) * bytes);
  to_floats(rows, out, "model weights");
}

// The row of transformers' matrix that stands in llama.cpp's row `row`: pair j of a head is rows j
// and j + head_dim / 2 there, 2 j and 2 j + 1 here.
std::int64_t unpaired_row(std::int64_t row, std::int64_t head_dim) {
  const std::int64_t in_head = row % head_dim;
  return row - in_head + in_head / 2 + (in_head % 2) * (head_dim / 2);
}

GgufTensor make_tensor(const std::string& name, const TensorView& view, const ModelConfig& config,
                       GgufType wanted) {
  const std::optional<std::string> theirs = gguf_tensor_name(name);
  check(theirs.has_value(), "every parameter of a family has a name in GGUF: " + name);
  GgufTensor tensor{*theirs, view.shape, type_of(view, wanted), {}};
  const bool is_vector = view.shape.size() < 2;
  if (!is_rotated_by_neighbours(config, name)) {
    tensor.read_rows = [view, is_vector](std::int64_t first, std::int64_t count, float* out) {
      is_vector ? read_range(view, 0, view.elements(), out) : read_range(view, first, count, out);
    };
    return tensor;
  }
  const std::int64_t width = is_vector ? 1 : view.shape.back();
  const std::int64_t head_dim = config.head_dim;
  tensor.read_rows = [=](std::int64_t first, std::int64_t count, float* out) {
    const std::int64_t rows = is_vector ? view.elements() : count;
    for (std::int64_t i = 0; i < rows; ++i) {
      read_range(view, unpaired_row(first + i, head_dim), 1, out + i * width);
    }
  };
  return tensor;
}

// Of llama3's scaling: what llama.cpp divides each rotary frequency by.
std::vector<float> rope_factors(const ModelConfig& config) {
  const RopeScaling& scaling = config.rope_scaling;
  const double context = scaling.original_max_position_embeddings;
  std::vector<float> factors;
  for (int i = 0; i < config.head_dim; i += 2) {
    const double wavelength = 2 * std::numbers::pi *
                              std::pow(config.rope_theta, static_cast<double>(i) / config.head_dim);
    const double smooth = (context / wavelength - scaling.low_freq_factor) /
                          (scaling.high_freq_factor - scaling.low_freq_factor);
    const double share = std::clamp(smooth, 0.0, 1.0);  // of the frequency that stays as it is
    factors.push_back(static_cast<float>(1 / ((1 - share) / scaling.factor + share)));
  }
  return factors;
}

GgufTensor rope_tensor(const ModelConfig& config) {
  const std::vector<float> factors = rope_factors(config);
  return {"rope_freqs.weight",
          {static_cast<std::int64_t>(factors.size())},
          GgufType::f32,
          [factors](std::int64_t, std::int64_t, float* out) {
            std::copy(factors.begin(), factors.end(), out);
          }};
}

std::vector<GgufTensor> list_tensors(const StoredParameters& stored, const ParameterLayout& layout,
                                     const ModelConfig& config, GgufType wanted) {
  std::vector<GgufTensor> tensors;
  for (const Parameter& parameter : layout.parameters)
    tensors.push_back(make_tensor(parameter.name, stored.view(parameter), config, wanted));
  if (config.rope_scaling.type == RopeType::llama3) tensors.push_back(rope_tensor(config));
  return tensors;
}

// The tokenizer's own end first, then the format's, then the configuration's: llama.cpp stops at
// any of three.
std::vector<text::TokenId> end_tokens(const ModelConfig& config, const text::Tokenizer& tokenizer,
                                      const text::ChatFormat* format, const Path& folder) {
  std::vector<text::TokenId> ends;
  const auto add = [&](text::TokenId id) {
    if (std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(id);
  };
  if (tokenizer.eos_token()) add(*tokenizer.eos_token());
  if (format != nullptr) {
    for (const text::TokenId id : format->stop_tokens()) add(id);
  }
  for (const std::int32_t id : config.eos_token_ids) add(id);
  if (!ends.empty()) return ends;
  throw Error(ErrorKind::data, folder.string() + ": no end token: answers would never stop",
              "set eos_token in tokenizer_config.json and eos_token_id in generation_config.json");
}

// A base model has no chat template, which is no reason to refuse it.
std::shared_ptr<const text::ChatFormat> format_of(
    const Path& folder, const std::shared_ptr<const text::Tokenizer>& tokenizer) {
  if (text::folder_chat_template(folder).jinja.empty()) return nullptr;
  return text::load_chat_format(folder, tokenizer);
}

std::vector<std::string> add_tokenizer(const Path& folder, const ModelConfig& config,
                                       const std::shared_ptr<const text::Tokenizer>& tokenizer,
                                       GgufMetadata& metadata) {
  const auto format = format_of(folder, tokenizer);
  GgufTokenizerFacts facts;
  facts.vocab_size = config.vocab_size;
  facts.bos = tokenizer->bos_token() ? tokenizer->bos_token() : config.bos_token_id;
  facts.end_tokens = end_tokens(config, *tokenizer, format.get(), folder);
  facts.pad = config.pad_token_id;
  facts.chat_template = text::folder_chat_template(folder).jinja;
  return add_gguf_tokenizer(folder, *tokenizer, facts, metadata);
}

std::string folder_name(const Path& folder) {
  const Path place = std::filesystem::weakly_canonical(folder);
  return (place.has_filename() ? place : place.parent_path()).filename().string();
}

// Phi-3's own: its turn tokens take the blanks behind them.
bool swallows_as_phi3(const text::Tokenizer& tokenizer) {
  for (const char* token : {"<unk>", "<s>", "</s>", "<|endoftext|>"}) {
    if (!tokenizer.token_to_id(token)) return false;
  }
  const auto end = tokenizer.token_to_id("<|end|>");
  return end && tokenizer.edges(*end).rstrip;
}

void note_differences(const ModelConfig& config, std::vector<std::string>& notes) {
  if (config.sliding_window > 0 && config.sliding_window < config.max_position_embeddings) {
    notes.push_back("llama.cpp does not slide the attention window of " + config.architecture +
                    ": texts beyond " + std::to_string(config.sliding_window) +
                    " tokens are answered differently there");
  }
}

void refuse_adapter(const Path& folder) {
  if (!std::filesystem::exists(folder / "adapter_config.json") ||
      std::filesystem::exists(folder / "config.json")) {
    return;
  }
  throw Error(ErrorKind::data, folder.string() + ": is a LoRA adapter, not a whole student",
              "tapir merge --model " + folder.string() + " --output DIR, then export DIR");
}

}  // namespace

GgufExportResult export_gguf(const Path& folder, const Path& file,
                             const GgufExportOptions& options) {
  const OutType& out_type = find_out_type(options.outtype);
  refuse_adapter(folder);
  const ModelConfig config = read_config(folder);
  const ParameterLayout layout = make_layout(config);
  const StoredParameters stored(layout, config, folder);
  const std::shared_ptr<const text::Tokenizer> tokenizer = text::load_tokenizer(folder);

  GgufExportResult result;
  result.architecture = gguf_architecture(config);
  GgufMetadata metadata;
  metadata.add("general.architecture", result.architecture);
  metadata.add("general.type", "model");
  metadata.add("general.name",
               gguf_model_name(options.name.empty() ? folder_name(folder) : options.name,
                               swallows_as_phi3(*tokenizer)));
  metadata.add("general.file_type", out_type.file_type);
  metadata.add("general.quantization_version", kQuantizationVersion);
  add_gguf_sizes(config, metadata);
  result.notes = add_tokenizer(folder, config, tokenizer, metadata);
  note_differences(config, result.notes);

  const std::vector<GgufTensor> tensors = list_tensors(stored, layout, config, out_type.type);
  result.tensors = static_cast<std::int64_t>(tensors.size());
  result.bytes = write_gguf(file, metadata, tensors);
  return result;
}

std::vector<std::string> gguf_outtypes() {
  std::vector<std::string> names;
  for (const OutType& row : kOutTypes) names.emplace_back(row.name);
  return names;
}

}  // namespace tapir::student
