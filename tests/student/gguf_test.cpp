#include <functional>
#include <limits>
#include <map>

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "error_of.h"
#include "gguf_reader.h"
#include "golden_rows.h"
#include "student/gguf_export.h"
#include "student/gguf_names.h"
#include "student/gguf_pre_tokenizer.h"
#include "student/gguf_writer.h"
#include "student/new_student.h"
#include "student/safetensors.h"
#include "test_data.h"
#include "tiny_student.h"

namespace tapir::student {
namespace {

using ::testing::ElementsAre;
using testing::GgufFile;
using ::testing::HasSubstr;
using testing::TemporaryFolder;
using Path = std::filesystem::path;

std::string hex(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) {
    constexpr const char* kDigits = "0123456789abcdef";
    out += kDigits[(c >> 4) & 15];
    out += kDigits[c & 15];
  }
  return out;
}

std::string message_of(const std::function<void()>& work) {
  return testing::words_of(testing::error_of(work));
}

// A JSON file of a folder, changed.
void edit(const Path& file, const std::function<void(OrderedJson&)>& change) {
  OrderedJson json = parse_ordered_json(read_file(file), file.string());
  change(json);
  write_file(file, json.dump());
}

class GgufExport : public ::testing::Test {
 protected:
  GgufExport() : student_(folder_.path() / "student"), file_(folder_.path() / "student.gguf") {
    make_new_student(testing::tiny_student(), student_);
  }
  GgufFile exported(const std::string& outtype) {
    result_ = export_gguf(student_, file_, {.outtype = outtype});
    return GgufFile(read_file(file_));
  }
  std::vector<float> weights(const std::string& name) const {
    return testing::floats_of(SafetensorsFile(student_ / "model.safetensors"), name);
  }

  TemporaryFolder folder_;
  Path student_;
  Path file_;
  GgufExportResult result_;
};

TEST(GgufEncoding, BytesAreThoseOfGgufPy) {
  const Path path = testing::goldens() / "gguf" / "encoded.json";
  const Json golden = parse_json(read_file(path), path.string());
  const auto values = golden["values"].get<std::vector<float>>();
  for (const auto& [name, type] : std::map<std::string, GgufType>{
           {"f16", GgufType::f16}, {"bf16", GgufType::bf16}, {"q8_0", GgufType::q8_0}}) {
    std::string bytes;
    encode_row(type, values, bytes);
    EXPECT_EQ(hex(bytes), golden[name].get<std::string>()) << name;
    EXPECT_EQ(static_cast<std::int64_t>(bytes.size()),
              row_bytes(type, static_cast<std::int64_t>(values.size())));
  }
}

TEST(GgufEncoding, AValueThatF16CannotHoldIsNamed) {
  std::string bytes;
  const std::vector<float> values = {1.0F, 65520.0F};
  EXPECT_THAT(message_of([&] { encode_row(GgufType::f16, values, bytes); }),
              AllOf(HasSubstr("65520"), HasSubstr("bf16")));
}

TEST_F(GgufExport, SizesAndNames) {
  const GgufFile file = exported("f32");
  EXPECT_EQ(result_.architecture, "llama");
  EXPECT_EQ(file.get<std::string>("general.architecture"), "llama");
  EXPECT_EQ(file.get<std::string>("general.name"), "student");
  EXPECT_EQ(file.get<std::uint32_t>("llama.embedding_length"), 32U);
  EXPECT_EQ(file.get<std::uint32_t>("llama.attention.head_count_kv"), 2U);
  EXPECT_EQ(file.get<std::uint32_t>("llama.context_length"), 96U);
  EXPECT_EQ(file.get<float>("llama.rope.freq_base"), 10000.0F);
  EXPECT_EQ(file.tensors().size(), 2 * 9 + 2U);  // tied: no output.weight
  EXPECT_EQ(result_.tensors, 20);
  EXPECT_EQ(static_cast<std::uintmax_t>(result_.bytes), std::filesystem::file_size(file_));
  EXPECT_THAT(file.tensors().at("blk.1.ffn_down.weight").extents, ElementsAre(48, 32));
  EXPECT_EQ(file.floats("blk.1.ffn_down.weight"), weights("model.layers.1.mlp.down_proj.weight"));
  EXPECT_EQ(file.floats("token_embd.weight"), weights("model.embed_tokens.weight"));
  EXPECT_EQ(file.floats("output_norm.weight"), weights("model.norm.weight"));
}

TEST_F(GgufExport, HeadsAreTurnedFromHalvesToNeighbours) {
  const GgufFile file = exported("f32");
  const std::vector<float> theirs = weights("model.layers.0.self_attn.k_proj.weight");
  const std::vector<float> found = file.floats("blk.0.attn_k.weight");
  // Two heads of 8 rows of 32: rows 0 and 4 of a head are the first pair.
  for (const auto& [row, source] : std::map<int, int>{{0, 0}, {1, 4}, {2, 1}, {7, 7}, {9, 12}}) {
    EXPECT_TRUE(std::equal(found.begin() + 32 * row, found.begin() + 32 * (row + 1),
                           theirs.begin() + 32 * source))
        << row;
  }
  EXPECT_EQ(file.floats("blk.0.attn_v.weight"), weights("model.layers.0.self_attn.v_proj.weight"));
}

TEST_F(GgufExport, Q8KeepsVectorsAndOddRowsApart) {
  const GgufFile file = exported("q8_0");
  EXPECT_EQ(file.get<std::uint32_t>("general.file_type"), 7U);
  EXPECT_EQ(file.tensors().at("blk.0.attn_norm.weight").type, 0U);
  EXPECT_EQ(file.tensors().at("blk.0.ffn_down.weight").type, 1U);  // rows of 48: f16
  EXPECT_EQ(file.tensors().at("blk.0.ffn_up.weight").type, 8U);
  const std::vector<float> exact = weights("model.layers.0.mlp.up_proj.weight");
  const std::vector<float> found = file.floats("blk.0.ffn_up.weight");
  ASSERT_EQ(found.size(), exact.size());
  for (std::size_t i = 0; i < exact.size(); ++i) EXPECT_NEAR(found[i], exact[i], 1e-3);
}

TEST_F(GgufExport, TheTokenizerStandsInside) {
  const GgufFile file = exported("f16");
  EXPECT_EQ(file.get<std::string>("tokenizer.ggml.model"), "gpt2");
  EXPECT_EQ(file.get<std::string>("tokenizer.ggml.pre"), "poro-chat");
  const auto& tokens = file.get<std::vector<std::string>>("tokenizer.ggml.tokens");
  const auto& types = file.get<std::vector<std::int32_t>>("tokenizer.ggml.token_type");
  ASSERT_EQ(tokens.size(), file.get<std::uint32_t>("llama.vocab_size"));
  ASSERT_EQ(types.size(), tokens.size());
  const auto end = file.get<std::uint32_t>("tokenizer.ggml.eos_token_id");
  EXPECT_EQ(tokens.at(end), "<|im_end|>");
  EXPECT_EQ(types.at(end), 3);
  EXPECT_EQ(types.back(), 1);
  EXPECT_FALSE(file.get<bool>("tokenizer.ggml.add_bos_token"));
  EXPECT_THAT(file.get<std::string>("tokenizer.chat_template"), HasSubstr("<|im_start|>"));
  const Json json = parse_json(read_file(student_ / "tokenizer.json"), "tokenizer.json");
  EXPECT_EQ(file.get<std::vector<std::string>>("tokenizer.ggml.merges").size(),
            json["model"]["merges"].size());
}

// BPE over characters with byte fallback, as Llama 2 has it: 264 tokens, three of them of letters.
student::NewStudent byte_fallback_student() {
  OrderedJson vocab = {{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}};
  for (int byte = 0; byte < 256; ++byte) {
    constexpr const char* kDigits = "0123456789ABCDEF";
    vocab[std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">"] = 3 + byte;
  }
  for (const char* piece : {"a", "b", "ab", "\u2581", "\u2581ab"}) vocab[piece] = vocab.size();
  OrderedJson added = OrderedJson::array();
  for (const char* token : {"<unk>", "<s>", "</s>"}) {
    added.push_back({{"id", vocab[token]}, {"content", token}, {"special", true}});
  }
  const OrderedJson normalizer = {
      {"type", "Sequence"},
      {"normalizers",
       {{{"type", "Prepend"}, {"prepend", "\u2581"}},
        {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}}}}};
  OrderedJson json = {{"version", "1.0"}, {"added_tokens", added}, {"normalizer", normalizer}};
  json["pre_tokenizer"] = nullptr;
  json["post_processor"] = nullptr;
  json["decoder"] = {{"type", "Sequence"},
                     {"decoders", {{{"type", "ByteFallback"}}, {{"type", "Fuse"}}}}};
  json["model"] = {{"type", "BPE"},    {"unk_token", "<unk>"},
                   {"fuse_unk", true}, {"byte_fallback", true},
                   {"vocab", vocab},   {"merges", {"a b", "\u2581 ab"}}};
  student::NewStudent made = testing::tiny_student();
  made.tokenizer = json.dump();
  made.chat_format = "llama2";
  return made;
}

TEST_F(GgufExport, ByteFallbackIsScoredByItsMerges) {
  make_new_student(byte_fallback_student(), student_);
  const GgufFile file = exported("f16");
  EXPECT_EQ(file.get<std::string>("tokenizer.ggml.model"), "llama");
  EXPECT_FALSE(file.has("tokenizer.ggml.merges"));
  const auto& scores = file.get<std::vector<float>>("tokenizer.ggml.scores");
  const auto& types = file.get<std::vector<std::int32_t>>("tokenizer.ggml.token_type");
  ASSERT_EQ(scores.size(), 264U);
  EXPECT_EQ(file.get<std::uint32_t>("tokenizer.ggml.unknown_token_id"), 0U);
  EXPECT_EQ(file.get<std::uint32_t>("tokenizer.ggml.bos_token_id"), 1U);
  EXPECT_EQ(file.get<std::uint32_t>("tokenizer.ggml.eos_token_id"), 2U);
  EXPECT_THAT(std::vector<std::int32_t>(types.begin(), types.begin() + 4), ElementsAre(2, 3, 3, 6));
  EXPECT_EQ(scores[261], 0.0F);   // ab, made by the first merge
  EXPECT_EQ(scores[263], -1.0F);  // and the token of the second
  EXPECT_LT(scores[259], scores[263]);
  EXPECT_TRUE(file.get<bool>("tokenizer.ggml.add_space_prefix"));
}

TEST_F(GgufExport, ASentencepieceModelAloneWillDo) {
  TAPIR_NEEDS_TEST_DATA("tokenizers/llama2/tokenizer.model");
  student::NewStudent made = byte_fallback_student();
  made.config.vocab_size = 32016;
  make_new_student(made, student_);
  std::filesystem::remove(student_ / "tokenizer.json");
  std::filesystem::copy_file(testing::test_data() / "tokenizers/llama2/tokenizer.model",
                             student_ / "tokenizer.model");
  const GgufFile file = exported("q8_0");
  const auto& tokens = file.get<std::vector<std::string>>("tokenizer.ggml.tokens");
  const auto& scores = file.get<std::vector<float>>("tokenizer.ggml.scores");
  const auto& types = file.get<std::vector<std::int32_t>>("tokenizer.ggml.token_type");
  ASSERT_EQ(tokens.size(), 32016U);
  EXPECT_EQ(tokens[13], "<0x0A>");
  EXPECT_EQ(types[13], 6);
  EXPECT_EQ(tokens[259], "\u2581\u2581");
  EXPECT_EQ(scores[260], -1.0F);
  EXPECT_EQ(types[0], 2);
  EXPECT_EQ(types[1], 3);
  EXPECT_EQ(types[32015], 5);
}

TEST_F(GgufExport, AVocabularyThatIsTooLargeIsFilledUp) {
  student::NewStudent padded = testing::tiny_student();
  padded.config.vocab_size = 320;
  make_new_student(padded, student_);
  const GgufFile file = exported("f16");
  EXPECT_EQ(file.get<std::vector<std::string>>("tokenizer.ggml.tokens").size(), 320U);
  EXPECT_EQ(file.get<std::vector<std::int32_t>>("tokenizer.ggml.token_type").back(), 5);
}

TEST_F(GgufExport, AnUnknownPreTokenizerIsNamed) {
  edit(student_ / "tokenizer.json", [](OrderedJson& json) {
    json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "x+";
  });
  EXPECT_THAT(message_of([&] { exported("f16"); }),
              AllOf(HasSubstr("tokenizer.json"), HasSubstr("split x+"), HasSubstr("qwen2")));
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(GgufExport, AStudentWithoutAnEndIsRefused) {
  const auto drop = [](OrderedJson& json) {
    json.erase("eos_token");
    json.erase("eos_token_id");
    json.erase("chat_template");
  };
  std::filesystem::remove(student_ / "chat_template.jinja");
  for (const char* name : {"config.json", "generation_config.json", "tokenizer_config.json",
                           "special_tokens_map.json"}) {
    edit(student_ / name, drop);
  }
  EXPECT_THAT(message_of([&] { exported("f16"); }), HasSubstr("never stop"));
}

TEST_F(GgufExport, WeightsThatAreNoNumbersAreRefused) {
  const SafetensorsFile file(student_ / "model.safetensors");
  std::vector<NamedTensor> tensors;
  for (const auto& [name, view] : file.tensors()) tensors.push_back({name, view});
  std::vector<float> norm(32, std::numeric_limits<float>::quiet_NaN());
  for (NamedTensor& tensor : tensors) {
    if (tensor.name == "model.norm.weight") {
      tensor.view.bytes = {reinterpret_cast<const char*>(norm.data()), 4 * norm.size()};
    }
  }
  const std::string bytes = safetensors_bytes(tensors, {{"format", "pt"}});
  write_file(student_ / "model.safetensors", bytes);
  EXPECT_THAT(message_of([&] { exported("f16"); }),
              AllOf(HasSubstr("output_norm.weight"), HasSubstr("not a finite number")));
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(GgufExport, AnAdapterIsToBeMergedFirst) {
  std::filesystem::remove(student_ / "config.json");
  write_file(student_ / "adapter_config.json", "{}");
  EXPECT_THAT(message_of([&] { exported("f16"); }), HasSubstr("tapir merge"));
}

TEST_F(GgufExport, AnUnknownOuttypeListsTheKnown) {
  EXPECT_THAT(message_of([&] { exported("q4_0"); }), HasSubstr("f32, f16, bf16, q8_0"));
}

// llama.cpp goes by the name, and does not load a "phi3" whose vocabulary is another.
TEST(GgufName, OnlyAPhi3TokenizerIsCalledSo) {
  EXPECT_EQ(gguf_model_name("my-Phi3-student", false), "my-Phi_3-student");
  EXPECT_EQ(gguf_model_name("phi-3-phi3", false), "phi_3-phi_3");
  EXPECT_EQ(gguf_model_name("my-Phi3-student", true), "my-Phi3-student");
  EXPECT_EQ(gguf_model_name("final", true), "final (phi-3)");
  EXPECT_EQ(gguf_model_name("final", false), "final");
}

// tokenizer.json's ways to say what the published models have.
TEST(GgufPreTokenizer, KnownPatterns) {
  const auto found = [](const char* pattern, bool ignore_merges) {
    const Json json = {
        {"pre_tokenizer",
         {{"type", "Sequence"},
          {"pretokenizers",
           {{{"type", "Split"},
             {"pattern", {{"Regex", pattern}}},
             {"behavior", "Isolated"},
             {"invert", false}},
            {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}}},
        {"model", {{"ignore_merges", ignore_merges}}}};
    return gguf_pre_tokenizer(json, "tokenizer.json");
  };
  constexpr const char* kLlama3 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
      "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  constexpr const char* kQwen2 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
      "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  EXPECT_EQ(found(kLlama3, true), "llama-bpe");
  EXPECT_EQ(found(kLlama3, false), "smaug-bpe");
  EXPECT_EQ(found(kQwen2, false), "qwen2");
  const Json gpt2 = {{"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
                     {"model", Json::object()}};
  EXPECT_EQ(gguf_pre_tokenizer(gpt2, "tokenizer.json"), "gpt-2");
}

}  // namespace
}  // namespace tapir::student
