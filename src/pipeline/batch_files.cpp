#include "pipeline/batch_files.h"

#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/strings.h"
#include "llm/cached.h"

namespace tapir::pipeline {
namespace {

constexpr std::size_t kComplaints = 20;  // that are kept

std::string price_key(std::string_view role) { return "batch_prices/" + std::string(role); }

llm::Prices noted_prices(const store::RunStore& store, const std::string& role) {
  const auto text = store.meta(price_key(role));
  if (!text) return {};
  const Json json = parse_json(*text, "batch prices of the " + role);
  llm::Prices prices{json.at("input").get<double>(), json.at("output").get<double>(), {}};
  if (!json.at("cached_input").is_null()) prices.cached_input = json["cached_input"].get<double>();
  return prices;
}

void make_empty_folder(const std::filesystem::path& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) {
    throw Error(ErrorKind::data,
                "cannot make the folder " + folder.string() + ": " + failure.message(),
                "choose another with --output");
  }
  if (!std::filesystem::is_empty(folder)) {
    throw Error(ErrorKind::usage, "the folder " + folder.string() + " holds files already",
                "choose another with --output, so that no file of an earlier batch is sent again");
  }
}

// The files of one role.
class BatchWriter {
 public:
  BatchWriter(const BatchExportOptions& options, std::string role, std::vector<BatchFile>& files)
      : options_(options), role_(std::move(role)), files_(files) {}

  void add(const std::string& line) {
    const bool full = static_cast<std::size_t>(requests_) >= options_.max_requests ||
                      text_.size() + line.size() > options_.max_bytes;
    if (full && requests_ > 0) finish();
    text_ += line;
    ++requests_;
  }
  void finish() {
    if (requests_ == 0) return;
    const auto path = options_.folder / fmt::format("{}-{:03}.jsonl", role_, ++number_);
    write_file(path, text_);
    files_.push_back({path, requests_});
    text_.clear();
    requests_ = 0;
  }

 private:
  const BatchExportOptions& options_;
  const std::string role_;
  std::vector<BatchFile>& files_;
  std::string text_;
  std::int64_t requests_ = 0;
  int number_ = 0;
};

class Importer {
 public:
  explicit Importer(store::RunStore& store) : store_(store) {}

  void read(const std::filesystem::path& file) {
    for_each_line(file, [&](std::string_view line, std::size_t number) {
      if (!trim(line).empty()) take(line, fmt::format("{}:{}", file.string(), number));
    });
  }

  BatchImport finish() {
    store_.flush();
    for (const store::UsageRow& row : store_.usage()) done_.waiting += row.waiting;
    return std::move(done_);
  }

 private:
  void take(std::string_view line, const std::string& where) {
    ++done_.lines;
    llm::BatchLine read = llm::read_batch_line(line);
    if (!read.problem.empty()) return refuse("unreadable", where + ": " + read.problem);
    const std::string custom = "custom_id " + valid_utf8(read.custom_id.substr(0, 64));
    if (imported_.contains(read.custom_id))
      return refuse("duplicate", where + ": " + custom + " came before in these files");
    const auto record = store_.reply(read.custom_id);
    if (!record) return refuse("unknown", where + ": " + custom + " is none of this run's");
    if (record->status != store::kWaiting && record->status != store::kOutdated) {
      ++done_.known;
      return;
    }
    book(*record, std::move(read.reply), where);
  }

  // In place of the request that waits. A failure that may pass leaves it waiting; what it cost is
  // booked.
  void book(const store::ReplyRecord& request, llm::ChatReply reply, const std::string& where) {
    reply.key = request.key;
    reply.usd = llm::cost(reply.usage, prices_of(request.role)).usd();
    const bool passing = llm::is_transient(reply.failure);
    store::ReplyRecord record = llm::record_of(reply);
    if (passing) {
      record.status = request.status;
      record.text = request.text;
    }
    record.row_id = request.row_id;
    record.stage = request.stage;
    record.role = request.role;
    record.model = request.model;
    store_.put_reply(record);
    done_.usd += reply.usd;
    if (!passing) imported_.insert(request.key);
    if (reply.ok()) {
      ++done_.answered;
    } else if (reply.failure == llm::Failure::length) {
      ++done_.cut;
    } else {
      ++done_.failed[std::string(llm::to_string(reply.failure))];
      complain(fmt::format("{}: {}: {}", where, llm::to_string(reply.failure), reply.error));
    }
  }

  const llm::Prices& prices_of(const std::string& role) {
    const auto found = prices_.find(role);
    if (found != prices_.end()) return found->second;
    return prices_.emplace(role, noted_prices(store_, role)).first->second;
  }

  void refuse(const char* why, const std::string& words) {
    ++done_.refused[why];
    complain(words);
  }
  void complain(const std::string& words) {
    if (done_.complaints.size() < kComplaints) done_.complaints.push_back(words);
  }

  store::RunStore& store_;
  std::map<std::string, llm::Prices> prices_;
  std::set<std::string> imported_;  // settled by these files
  BatchImport done_;
};

std::string counts_text(const std::map<std::string, std::int64_t>& counts) {
  std::string text;
  for (const auto& [name, count] : counts) text += fmt::format(", {} {}", count, name);
  return text;
}

}  // namespace

void note_batch_prices(store::RunStore& store, std::string_view role, const llm::Prices& prices) {
  const Json json = {{"input", prices.input},
                     {"output", prices.output},
                     {"cached_input", prices.cached_input ? Json(*prices.cached_input) : Json()}};
  store.set_meta(price_key(role), json.dump());
}

std::vector<BatchFile> export_batch(const store::RunStore& store,
                                    const BatchExportOptions& options) {
  std::vector<BatchFile> files;
  std::map<std::string, BatchWriter> writers;
  store.for_each_reply(store::kWaiting, [&](const store::ReplyRecord& request) {
    if (!options.stage.empty() && request.stage != options.stage) return;
    if (writers.empty()) make_empty_folder(options.folder);
    writers.try_emplace(request.role, options, request.role, files)
        .first->second.add(llm::batch_line(request.key, request.text));
  });
  for (auto& [role, writer] : writers) writer.finish();
  if (files.empty()) {
    throw Error(ErrorKind::data,
                options.stage.empty() ? "no request waits for a batch"
                                      : "no request of the stage " + options.stage + " waits",
                "requests wait after a run with judge.mode: batch or teacher.mode: batch has ended "
                "with exit code 7");
  }
  return files;
}

BatchImport import_batch(store::RunStore& store, const std::vector<std::filesystem::path>& files) {
  Importer importer(store);
  for (const std::filesystem::path& file : files) importer.read(file);
  return importer.finish();
}

Json import_json(const BatchImport& done) {
  return {{"lines", done.lines},           {"answered", done.answered}, {"cut", done.cut},
          {"failed", done.failed},         {"known", done.known},       {"refused", done.refused},
          {"complaints", done.complaints}, {"waiting", done.waiting},   {"usd", done.usd}};
}

std::string import_text(const BatchImport& done) {
  std::string text = fmt::format("{} lines: {} answered", done.lines, done.answered);
  if (done.cut > 0) text += fmt::format(", {} cut at max_tokens", done.cut);
  if (done.known > 0) text += fmt::format(", {} answered before", done.known);
  text += counts_text(done.failed) + counts_text(done.refused);
  text += fmt::format("; {} requests still wait; ${:.2f} booked\n", done.waiting, done.usd);
  for (const std::string& words : done.complaints) text += "  " + words + "\n";
  return text;
}

}  // namespace tapir::pipeline
