#include "dataset/read_instructions.h"

#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/strings.h"
#include "dataset/dataset_info.h"
#include "dataset/json_rows.h"
#include "dataset/row_forms.h"

namespace tapir::dataset {
namespace {

// "alpaca.json.gz" -> "alpaca".
std::string stem_of(const std::filesystem::path& file) {
  if (file == "-") return "stdin";
  std::filesystem::path name = file.filename();
  if (name.extension() == ".gz") name = name.stem();
  return name.stem().string();
}

// The row's own id (text or a whole number), or one made from the file and the place in it.
std::string id_of(const Json& row, const std::string& stem, std::size_t index,
                  const std::string& where) {
  const auto found = row.find("id");
  if (found == row.end() || found->is_null()) return instruction_id(stem, "data", "", index);
  if (found->is_number_integer()) return found->dump();
  auto id = json_get<std::string>(row, "id", where);
  if (trim(id).empty())
    throw Error(ErrorKind::data, where + ": the id is empty", "leave \"id\" out to have one made");
  return id;
}

// One file of a data set: its first rows, `most` at most.
class FileReader {
 public:
  FileReader(const DatasetEntry& set, const std::filesystem::path& file, std::string stem,
             std::size_t most, const ReadOptions& options)
      : fields_(set.fields),
        file_(file),
        form_(set.form),
        stem_(std::move(stem)),
        most_(most),
        options_(options) {}

  std::vector<DataRow> read() {
    for_each_json_row(read_input(file_), file_.string(),
                      [&](const Json& row, const std::string& where) { add(row, where); });
    if (rows_.empty()) {
      throw Error(ErrorKind::data, file_.string() + ": expected instructions, found no row at all",
                  "the file is empty; check the path and how it was made");
    }
    return std::move(rows_);
  }

 private:
  void add(const Json& row, const std::string& where) {
    if (rows_.size() == most_) return;
    if (!form_) form_ = detect_form(row, where);
    Conversation conversation = read_conversation(row, *form_, fields_, where);
    DataRow data;
    data.instruction.id = id_of(row, stem_, rows_.size(), where);
    data.instruction.messages = std::move(conversation.messages);
    data.instruction.task = json_get_or<std::string>(row, "task", "", where);
    data.instruction.source = file_ == "-" ? "stdin" : file_.filename().string();
    data.instruction.parent_id = json_get_or<std::string>(row, "parent_id", "", where);
    data.instruction.round = json_get_or<int>(row, "round", 0, where);
    data.response = std::move(conversation.response);
    data.not_learnt = std::move(conversation.not_learnt);
    data.where = where;
    if (options_.keep_fields) data.fields = row;
    rows_.push_back(std::move(data));
  }

  const RowFields& fields_;
  const std::filesystem::path& file_;
  std::optional<Form> form_;
  const std::string stem_;
  const std::size_t most_;
  const ReadOptions& options_;
  std::vector<DataRow> rows_;
};

// A file by itself is a data set whose first row tells its form.
DatasetEntry data_set(const std::filesystem::path& path) {
  if (const auto reference = dataset_reference(path)) return read_dataset_entry(*reference);
  DatasetEntry set;
  set.files = {path};
  return set;
}

// Data sets as one list of rows.
class ListReader {
 public:
  explicit ListReader(const ReadOptions& options) : options_(options) {}
  void add(const DatasetEntry& set) {
    const std::size_t most = set.num_samples > 0 ? set.num_samples : rows_.max_size();
    const std::size_t before = rows_.size();
    for (const auto& file : set.files) {
      const std::size_t taken = rows_.size() - before;
      if (taken < most) add_file(set, file, most - taken);
    }
  }
  std::vector<DataRow> take() { return std::move(rows_); }

 private:
  void add_file(const DatasetEntry& set, const std::filesystem::path& file, std::size_t most) {
    std::string stem = stem_of(file);
    if (const int times = ++stems_[stem]; times > 1) stem.append("~").append(std::to_string(times));
    for (DataRow& row : FileReader(set, file, std::move(stem), most, options_).read()) {
      const auto [place, is_new] = places_.emplace(row.instruction.id, row.where);
      if (!is_new) {
        throw Error(
            ErrorKind::data,
            row.where + ": the id \"" + row.instruction.id + "\" came before, at " + place->second,
            "ids must be unique; leave \"id\" out to have them made");
      }
      rows_.push_back(std::move(row));
    }
  }

  const ReadOptions& options_;
  std::vector<DataRow> rows_;
  std::map<std::string, int> stems_;
  std::map<std::string, std::string> places_;  // id -> where it came first
};

}  // namespace

std::vector<DataRow> read_instructions(const std::vector<std::filesystem::path>& files,
                                       const ReadOptions& options) {
  ListReader list(options);
  for (const auto& path : files) list.add(data_set(path));
  return list.take();
}

std::filesystem::path instructions_file(const std::filesystem::path& path) {
  const auto reference = dataset_reference(path);
  return reference ? reference->info : path;
}

std::string instructions_digest(const std::vector<std::filesystem::path>& files) {
  std::string digests;
  for (const auto& path : files) {
    const DatasetEntry set = data_set(path);
    if (!set.text.empty()) digests += hash_fields({set.text});
    for (const auto& file : set.files) digests += sha256_file(file);
  }
  return digests;
}

std::vector<DataRow> read_instructions(const std::filesystem::path& file) {
  return read_instructions(std::vector<std::filesystem::path>{file});
}

}  // namespace tapir::dataset
