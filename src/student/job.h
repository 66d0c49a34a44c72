// A training job with everything read and encoded, before the first step.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "student/batching.h"
#include "student/config.h"
#include "student/student.h"
#include "student/torch_device.h"
#include "text/chat_format.h"
#include "text/tokenizer.h"

namespace tapir::student {

// The words of a student: tokenizer and chat format of a folder.
struct Words {
  std::shared_ptr<const text::Tokenizer> tokenizer;
  std::shared_ptr<const text::ChatFormat> format;
};

// Error{data} when the folder has no tokenizer, or one with more tokens than the model has
// embeddings. chat_format: TrainOptions::chat_format.
Words load_words(const std::filesystem::path& folder, const ModelConfig& config,
                 std::string_view chat_format = "auto");

// Of ids and segments, in order.
std::string rows_digest(std::span<const Example> examples);

// Makes a named format the folder's own: its template, and the tokens that end its answers, so that
// whoever serves the folder writes and stops as it was trained. Nothing to do for "auto".
void write_chat_format(const std::filesystem::path& folder, std::string_view chat_format);

// Tokens of an example, cut at `limit`. The order of the answer is that of `examples`; encoding
// uses all cores.
std::vector<EncodedRow> encode_rows(std::span<const Example> examples,
                                    const text::ChatFormat& format, std::int64_t limit);

// Error{usage} naming the first option that is impossible, here or on the device, or the output
// folder when it is.
void check_options(const TrainJob& job, const Device& device = {});

// Which rows are learnt, and which are held out by val_size (with all their repetitions), as
// indices, rising. Error{data} when none is left to learn.
struct RowSplit {
  std::vector<std::size_t> training;
  std::vector<std::size_t> validation;
};
RowSplit split_rows(const std::vector<EncodedRow>& rows, const TrainOptions& options);

std::vector<std::int64_t> lengths_of(const std::vector<EncodedRow>& rows,
                                     const std::vector<std::size_t>& chosen);

// All but `memory`.
Preflight summarise(const std::vector<EncodedRow>& rows, const RowSplit& split,
                    const TrainOptions& options);

// Digest of all that decides the trained weights: options, rows, the starting folder's files, the
// optimizer state.
std::string job_digest(const TrainJob& job);

}  // namespace tapir::student
