#include "dataset/read_instructions.h"

#include <map>

#include "base/error.h"
#include "base/file.h"
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

// A file and how its rows are read; form: nothing where the first row tells.
struct SourceFile {
  std::filesystem::path path;
  std::optional<Form> form;
  RowFields fields;
  std::size_t limit = 0;  // of rows; 0: none
};

class FileReader {
 public:
  FileReader(const SourceFile& source, std::string stem, const ReadOptions& options)
      : source_(source),
        file_(source.path),
        form_(source.form),
        stem_(std::move(stem)),
        options_(options) {}

  std::vector<DataRow> read() {
    const auto take = [&](const Json& row, const std::string& where) { add(row, where); };
    if (file_ == "-") {
      for_each_jsonl(file_, take);
    } else {
      for_each_json_row(read_file(file_), file_.string(), take);
    }
    if (rows_.empty()) {
      throw Error(ErrorKind::data, file_.string() + ": expected instructions, found no row at all",
                  "the file is empty; check the path and how it was made");
    }
    if (source_.limit > 0 && rows_.size() > source_.limit) rows_.resize(source_.limit);
    return std::move(rows_);
  }

 private:
  void add(const Json& row, const std::string& where) {
    if (!form_) form_ = detect_form(row, where);
    Conversation conversation = read_conversation(row, *form_, source_.fields, where);
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

  const SourceFile& source_;
  const std::filesystem::path& file_;
  std::optional<Form> form_;
  std::string stem_;
  const ReadOptions& options_;
  std::vector<DataRow> rows_;
};

// The files themselves: a data set of a dataset_info.json may be several.
std::vector<SourceFile> source_files(const std::vector<std::filesystem::path>& paths) {
  std::vector<SourceFile> sources;
  for (const auto& path : paths) {
    const auto reference = dataset_reference(path);
    if (!reference) {
      sources.push_back({path, std::nullopt, {}, 0});
      continue;
    }
    const DatasetEntry entry = read_dataset_entry(*reference);
    for (const auto& file : entry.files)
      sources.push_back({file, entry.form, entry.fields, entry.num_samples});
  }
  return sources;
}

}  // namespace

std::vector<DataRow> read_instructions(const std::vector<std::filesystem::path>& files,
                                       const ReadOptions& options) {
  std::vector<DataRow> rows;
  std::map<std::string, int> stems;
  std::map<std::string, std::string> places;  // id -> where it came first
  for (const SourceFile& file : source_files(files)) {
    std::string stem = stem_of(file.path);
    if (const int times = ++stems[stem]; times > 1) stem.append("~").append(std::to_string(times));
    for (DataRow& row : FileReader(file, std::move(stem), options).read()) {
      const auto [place, is_new] = places.emplace(row.instruction.id, row.where);
      if (!is_new) {
        throw Error(
            ErrorKind::data,
            row.where + ": the id \"" + row.instruction.id + "\" came before, at " + place->second,
            "ids must be unique; leave \"id\" out to have them made");
      }
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

std::vector<DataRow> read_instructions(const std::filesystem::path& file) {
  return read_instructions(std::vector<std::filesystem::path>{file});
}

}  // namespace tapir::dataset
