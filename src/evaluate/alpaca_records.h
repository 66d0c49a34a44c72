// The rows of AlpacaEval 2.0: outputs of models, and what a judge said about a pair of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "llm/chat_model.h"

namespace tapir::evaluate {

// A row of model_outputs.json.
struct ModelOutput {
  std::string instruction;
  std::string output;
  std::string generator;  // the model's name
  std::string dataset;    // may be empty
  std::string where;      // "file: row 3"
};

// A row of annotations.json: output 1 is the baseline's.
struct Annotation {
  std::string instruction, dataset;
  std::string output_1, generator_1;
  std::string output_2, generator_2;
  std::string annotator;  // the judge's configuration
  // 1: output 1 is better, 2: output 2; 1.5: a draw. Nothing: the judge said nothing that could be
  // read. Other numbers stand as they were read (is_preference()).
  std::optional<double> preference;
  std::vector<double> repeats;  // where the judge was asked several times: those it is the mean of
  // The judge's reply, where the file has it: likeliest first tokens, and the text.
  std::vector<llm::TokenLogprob> first_tokens;
  std::string reply;
  std::string where;
};

// Whether a number can be a preference: [1, 2].
bool is_preference(double value);

// Rows of a file as alpaca_eval writes them (a JSON array) or of JSON lines; NaN, which Python
// writes, is read as null. Unknown fields are passed over. text: UTF-8; name: of the file, for
// errors. Error{data} "name: row 3 (from 1): key ...": not JSON, no rows, a missing or mistyped
// field.
std::vector<ModelOutput> read_model_outputs(const std::string& text, const std::string& name);
// A preference of 0, which once meant a draw, becomes 1.5. "instruction" and both "output"s may not
// be missing; generators are "baseline" and "model" where the file does not name them.
std::vector<Annotation> read_annotations(const std::string& text, const std::string& name);
// Only the instructions, of outputs or of any rows with "instruction". Error{data} also when one
// comes twice: it could not be told apart.
std::vector<std::string> read_instruction_list(const std::string& text, const std::string& name);

// The rows of such a file, in order, as they stand there.
std::vector<OrderedJson> read_rows_as_written(const std::string& text, const std::string& name);

// The fields as alpaca_eval writes them, in its order.
OrderedJson to_json(const ModelOutput& output);
OrderedJson to_json(const Annotation& annotation);
// A JSON array with one field a line, as pandas writes it with indent=2.
std::string json_array_text(const std::vector<OrderedJson>& rows);

}  // namespace tapir::evaluate
