// A student folder as one GGUF file for llama.cpp: weights, tokenizer, chat template. No torch
// here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tapir::student {

struct GgufExportOptions {
  std::string outtype = "f16";  // f32 | f16 | bf16 | q8_0, as llama.cpp's converter names them
  std::string name;             // general.name; empty: the folder's own
};

struct GgufExportResult {
  std::string architecture;  // llama | qwen2 | qwen3 | phi3
  std::int64_t tensors = 0;
  std::int64_t bytes = 0;
  std::vector<std::string> notes;  // where llama.cpp does otherwise than we do
};

// Matrices are stored as outtype says (with q8_0, those whose rows are no multiple of 32 as f16);
// norms and biases always as f32. The weights stream from the folder's files: memory does not grow
// with the model. The file is put in place whole. Error{usage} for an unknown outtype. Error{data}
// when the folder is no student, or has something that llama.cpp has no equal of (by name), or no
// end token: such a file would never stop.
GgufExportResult export_gguf(const std::filesystem::path& folder, const std::filesystem::path& file,
                             const GgufExportOptions& options);

std::vector<std::string> gguf_outtypes();

}  // namespace tapir::student
