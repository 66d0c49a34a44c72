#include "pipeline/file_commands.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "pipeline/row_files.h"
#include "student/student_folder.h"
#include "text/chat_format.h"
#include "text/encode_batch.h"

namespace tapir::pipeline {
namespace {

using Clock = std::chrono::steady_clock;

struct InputRow {
  Json id;
  std::string where;
  Messages messages;
  std::string prompt;
  std::string completion;
};

std::vector<InputRow> read_rows(const std::string& input) {
  std::vector<InputRow> rows;
  for_each_jsonl(input, [&](const Json& object, const std::string& where) {
    InputRow row{object.value("id", Json(std::to_string(rows.size()))), where, {}, {}, {}};
    if (object.contains("messages")) {
      row.messages = messages_from_json(object["messages"].dump(), where);
    } else if (object.contains("prompt")) {
      row.prompt = json_get<std::string>(object, "prompt", where);
    } else {
      throw Error(ErrorKind::data, where + ": expected \"messages\" or \"prompt\", found neither",
                  "rows are {\"id\", \"messages\": [...]} or {\"id\", \"prompt\": \"...\"}");
    }
    row.completion = json_get_or<std::string>(object, "completion", "", where);
    rows.push_back(std::move(row));
  });
  if (rows.empty()) throw Error(ErrorKind::data, input + " has no rows");
  return rows;
}

OrderedJson generation_row(const InputRow& row, const student::Generation& g) {
  OrderedJson out = {{"id", row.id}};
  if (!g.failure.empty()) {
    out["error"] = g.failure;
    return out;
  }
  out["response"] = g.text;
  out["finish_reason"] = to_string(g.finish_reason);
  out["usage"] = {{"prompt_tokens", g.prompt_tokens},
                  {"completion_tokens", g.completion_tokens},
                  {"total_tokens", g.prompt_tokens + g.completion_tokens}};
  return out;
}

// Raw text with its completion: scored without the chat format.
bool is_raw(const InputRow& row) { return row.messages.empty() && !row.completion.empty(); }

Example example_of(const InputRow& row) {
  Example example{row.id.is_string() ? row.id.get<std::string>() : row.id.dump(),
                  segments_of(row.messages)};
  if (!row.completion.empty()) {
    example.segments.push_back({Role::assistant, row.completion, true});
  } else if (!example.segments.empty() && example.segments.back().role == Role::assistant) {
    example.segments.back().loss = true;
  } else {
    throw Error(ErrorKind::data, row.where + ": there is no answer to score",
                "end \"messages\" with the assistant's message, or add \"completion\"");
  }
  return example;
}

// What tells a folder's tokens of rows. Thread-safe.
class RowEncoder {
 public:
  // The chat template is read where a row has messages only.
  RowEncoder(const std::filesystem::path& model, const std::vector<InputRow>& rows) {
    const std::filesystem::path words = student::find_student(model).words;
    tokenizer_ = text::load_tokenizer(words);
    const auto is_chat = [](const InputRow& row) { return !row.messages.empty(); };
    if (std::any_of(rows.begin(), rows.end(), is_chat))
      format_ = text::load_chat_format(words, tokenizer_);
  }
  std::vector<text::TokenId> ids(const InputRow& row) const {
    if (row.messages.empty())
      return tokenizer_->encode_with_specials(row.prompt, /*add_special_tokens=*/true);
    try {
      return format_->encode_prompt(row.messages);
    } catch (const Error& e) {
      throw Error(e.kind(), row.where + ": " + e.what(), e.hint());
    }
  }

 private:
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  std::shared_ptr<const text::ChatFormat> format_;
};

// Their ids are their places.
std::vector<student::GenerateRequest> requests_of(const std::vector<InputRow>& rows) {
  std::vector<student::GenerateRequest> requests;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    requests.push_back({std::to_string(i), rows[i].messages, rows[i].prompt});
  }
  return requests;
}

}  // namespace

std::vector<student::GenerateRequest> read_requests(const std::string& input) {
  return requests_of(read_rows(input));
}

FileSummary generate_file(const student::StudentEngine& engine, const FileCommand& files,
                          const student::GenerateOptions& options, ProgressSink& progress,
                          std::stop_token stop) {
  const auto start = Clock::now();
  const std::vector<InputRow> rows = read_rows(files.input);
  const auto student = engine.load(files.model);
  const std::vector<student::GenerateRequest> requests = requests_of(rows);
  FileSummary summary;
  std::vector<student::Generation> generations(rows.size());
  student->generate(
      requests, options,
      [&](student::Generation g) {
        ++summary.rows;
        summary.failed += g.failure.empty() ? 0 : 1;
        summary.tokens += g.completion_tokens;
        progress.update({"generate", static_cast<std::uint64_t>(summary.rows),
                         static_cast<std::uint64_t>(summary.failed), rows.size(), 0, ""});
        const auto index = static_cast<std::size_t>(std::stoll(g.id));
        generations[index] = std::move(g);
      },
      stop);
  if (stop.stop_requested())
    throw Error(ErrorKind::interrupted, "interrupted: nothing was written");
  RowsOut output(files.output);
  for (std::size_t i = 0; i < rows.size(); ++i) output.add(generation_row(rows[i], generations[i]));
  output.finish();
  summary.seconds = seconds_since(start);
  return summary;
}

FileSummary tokenize_file(const FileCommand& files, int threads) {
  const auto start = Clock::now();
  const std::vector<InputRow> rows = read_rows(files.input);
  const RowEncoder encoder(files.model, rows);
  if (threads == 0) threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const auto ids = text::encode_batch(
      rows.size(), [&](std::size_t i) { return encoder.ids(rows[i]); }, threads);
  RowsOut output(files.output);
  FileSummary summary;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    output.add(OrderedJson{{"id", rows[i].id}, {"ids", ids[i]}});
    ++summary.rows;
    summary.tokens += static_cast<std::int64_t>(ids[i].size());
  }
  output.finish();
  summary.seconds = seconds_since(start);
  return summary;
}

FileSummary logprobs_file(const student::StudentEngine& engine, const FileCommand& files) {
  const auto start = Clock::now();
  const auto student = engine.load(files.model);
  const std::vector<InputRow> rows = read_rows(files.input);
  std::vector<Example> examples;
  for (const InputRow& row : rows) {
    if (!is_raw(row)) examples.push_back(example_of(row));
  }
  RowsOut output(files.output);
  FileSummary summary;
  const auto losses = student->token_losses(examples);
  auto chat = losses.begin();
  for (const InputRow& row : rows) {
    const student::TokenLosses scored =
        is_raw(row) ? student->completion_losses(row.prompt, row.completion) : *chat++;
    output.add(OrderedJson{{"id", row.id},
                           {"tokens", scored.tokens},
                           {"logprobs", scored.logprobs},
                           {"loss", scored.loss}});
    ++summary.rows;
    summary.tokens += static_cast<std::int64_t>(scored.tokens.size());
  }
  output.finish();
  summary.seconds = seconds_since(start);
  return summary;
}

}  // namespace tapir::pipeline
