#include "dataset/read_instructions.h"

#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "dataset/row_forms.h"

namespace tapir::dataset {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

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

class FileReader {
 public:
  FileReader(const std::filesystem::path& file, std::string stem)
      : file_(file), stem_(std::move(stem)) {}

  std::vector<DataRow> read() {
    if (file_ == "-") {
      for_each_jsonl(file_, [&](const Json& row, const std::string& where) { add(row, where); });
    } else {
      read_text(read_file(file_));
    }
    if (rows_.empty()) {
      throw Error(ErrorKind::data, file_.string() + ": expected instructions, found no row at all",
                  "the file is empty; check the path and how it was made");
    }
    return std::move(rows_);
  }

 private:
  void read_text(std::string_view text) {
    if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark)
      text.remove_prefix(kByteOrderMark.size());
    const std::string_view begin = trim(text);
    if (!begin.empty() && begin.front() == '[') {
      read_array(text);
      return;
    }
    for (std::size_t number = 1; !text.empty(); ++number) {
      const std::size_t end = text.find('\n');
      const std::string_view line = trim(text.substr(0, end));
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
      if (line.empty()) continue;
      const std::string where = file_.string() + ":" + std::to_string(number);
      add(parse_json(line, where), where);
    }
  }

  void read_array(std::string_view text) {
    const Json array = parse_json(text, file_.string());
    for (std::size_t i = 0; i < array.size(); ++i) {
      add(array[i], file_.string() + ": element " + std::to_string(i + 1));
    }
  }

  void add(const Json& row, const std::string& where) {
    if (!form_) form_ = detect_form(row, where);
    Conversation conversation = read_conversation(row, *form_, where);
    DataRow data;
    data.instruction.id = id_of(row, stem_, rows_.size(), where);
    data.instruction.messages = std::move(conversation.messages);
    data.instruction.task = json_get_or<std::string>(row, "task", "", where);
    data.instruction.source = file_ == "-" ? "stdin" : file_.filename().string();
    data.instruction.parent_id = json_get_or<std::string>(row, "parent_id", "", where);
    data.instruction.round = json_get_or<int>(row, "round", 0, where);
    data.response = std::move(conversation.response);
    data.where = where;
    rows_.push_back(std::move(data));
  }

  const std::filesystem::path& file_;
  std::string stem_;
  std::optional<Form> form_;
  std::vector<DataRow> rows_;
};

}  // namespace

std::vector<DataRow> read_instructions(const std::vector<std::filesystem::path>& files) {
  std::vector<DataRow> rows;
  std::map<std::string, int> stems;
  std::map<std::string, std::string> places;  // id -> where it came first
  for (const auto& file : files) {
    std::string stem = stem_of(file);
    if (const int times = ++stems[stem]; times > 1) stem.append("~").append(std::to_string(times));
    for (DataRow& row : FileReader(file, std::move(stem)).read()) {
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
