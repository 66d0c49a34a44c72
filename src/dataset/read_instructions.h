// Instruction files in: the forms that the field's tools write, told apart by the keys of a file's
// first row.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "records/instruction.h"

namespace tapir::dataset {

struct DataRow {
  Instruction instruction;  // messages up to the last answer; source: the file's name
  std::optional<std::string>
      response;  // the answer that the file brings; nothing when missing or blank
  // Indices of answers in the messages that the file wants to be read, not learnt: those of a
  // "prompt", and those with "weight": 0. The response has the index messages.size().
  std::vector<std::size_t> not_learnt;
  // The row as the file has it, when asked for; else null.
  Json fields;
  std::string where;  // "file:line", or "file:line (element 3)" (from 1) in a JSON array
};

// One file: JSON array, or one object a line (`-` is standard input); .gz is decompressed. Forms:
//   Alpaca             instruction, input?, output?, system?, history? [[question, answer], ...]
//   rows of tapir      id, instruction | messages, input?, response?, task?, parent_id?, round?
//   OpenAI messages    messages [{role, content, weight?}]; content is text or a list of text parts
//   prompt/completion  both text, or both lists of messages
//   ShareGPT           conversations [{from, value}] (or {role, content}), system?
//   question/answer    as in GSM8K
// "DIR/dataset_info.json:NAME" is a data set of LLaMA-Factory (":NAME" is not needed where there is
// one): its file or files, its names of columns and tags, its num_samples.
// A conversation that ends with an answer gives that as the response and what comes before as the
// instruction. Rows without an id get instruction_id(<file stem>, "data", "", <index from 0>).
// Error{data} with `where`: malformed rows, rows of another form than the first, no user message at
// the end, blank instruction, a blank answer that is not the last, an unknown role, an id that came
// before, a file without rows.
std::vector<DataRow> read_instructions(const std::filesystem::path& file);

// The file that must be there for a path to be read: of a data set the dataset_info.json.
std::filesystem::path instructions_file(const std::filesystem::path& path);

// Of all that read_instructions() reads: every file of every data set, and what dataset_info.json
// says of it. Error{data}.
std::string instructions_digest(const std::vector<std::filesystem::path>& files);

struct ReadOptions {
  bool keep_fields = false;  // DataRow::fields
};

// Several files as one list, ids unique over all of them. The k-th file of one stem counts as
// "<stem>~k".
std::vector<DataRow> read_instructions(const std::vector<std::filesystem::path>& files,
                                       const ReadOptions& options = {});

}  // namespace tapir::dataset
