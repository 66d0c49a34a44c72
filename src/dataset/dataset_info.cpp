#include "dataset/dataset_info.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/strings.h"

namespace tapir::dataset {
namespace {

constexpr std::string_view kFileName = "dataset_info.json";

// One entry of the file, read by LLaMA-Factory's rules: where "columns" or "tags" is given, what it
// leaves out does not exist.
class EntryReader {
 public:
  EntryReader(const Json& entry, std::filesystem::path folder, std::string where)
      : entry_(entry), folder_(std::move(folder)), where_(std::move(where)) {
    if (!entry_.is_object()) fail("expected an object, found " + std::string(entry_.type_name()));
  }

  DatasetEntry read() {
    refuse_remote();
    refuse_ranking();
    DatasetEntry out;
    const auto formatting = json_get_or<std::string>(entry_, "formatting", "alpaca", where_);
    if (formatting == "alpaca") {
      read_alpaca(out);
    } else if (formatting == "sharegpt" || formatting == "openai") {
      read_sharegpt(out);
    } else {
      fail("formatting \"" + formatting + "\" is not known", "known: alpaca, sharegpt, openai");
    }
    out.files = files();
    out.text = entry_.dump();
    const auto samples = json_get_or<std::int64_t>(entry_, "num_samples", 0, where_);
    if (samples < 0) fail("num_samples is negative");
    out.num_samples = static_cast<std::size_t>(samples);
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& what, std::string hint = {}) const {
    throw Error(ErrorKind::data, where_ + ": " + what, std::move(hint));
  }

  void refuse_remote() const {
    for (const char* key :
         {"hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name"}) {
      if (entry_.contains(key)) {
        fail("the data is not in a file here (\"" + std::string(key) + "\")",
             "nothing is downloaded: fetch the data set, and give its file in \"file_name\"");
      }
    }
  }

  void refuse_ranking() const {
    const Json columns = entry_.value("columns", Json::object());
    if (json_get_or<bool>(entry_, "ranking", false, where_) || columns.contains("chosen") ||
        columns.contains("kto_tag")) {
      fail("the data set ranks or rates answers (\"ranking\", \"chosen\", \"kto_tag\")",
           "supervised fine-tuning learns one answer a row: make a data set of the chosen ones");
    }
    for (const char* key : {"images", "videos", "audios", "tools"}) {
      if (columns.contains(key)) {
        fail("the column \"" + std::string(key) + "\" cannot be learnt",
             "only text can be learnt: leave the column out of \"columns\" if the rows do without");
      }
    }
  }

  // The name of a column or tag: as given, else nothing where the group is given, else the usual.
  std::string name_of(const char* group, const char* key, const char* usual) const {
    if (!entry_.contains(group)) return usual;
    return json_get_or<std::string>(entry_.at(group), key, "", where_ + ": " + group);
  }

  void read_alpaca(DatasetEntry& out) const {
    out.form = Form::alpaca;
    RowFields& f = out.fields;
    f.prompt = name_of("columns", "prompt", "instruction");
    f.query = name_of("columns", "query", "input");
    f.response = {name_of("columns", "response", "output")};
    f.history = name_of("columns", "history", "");
    f.system = name_of("columns", "system", "");
    f.query_separator = "\n";
    if (f.prompt.empty()) fail("columns: there is no \"prompt\"");
  }

  void read_sharegpt(DatasetEntry& out) const {
    out.form = Form::sharegpt;
    RowFields& f = out.fields;
    f.messages = name_of("columns", "messages", "conversations");
    f.system = name_of("columns", "system", "");
    f.role_tag = name_of("tags", "role_tag", "from");
    f.content_tag = name_of("tags", "content_tag", "value");
    if (f.messages.empty()) fail("columns: there is no \"messages\"");
    if (f.role_tag.empty() || f.content_tag.empty())
      fail("tags: \"role_tag\" and \"content_tag\" are needed");
    const auto add = [&](const char* tag, const char* usual, Role role) {
      const std::string name = name_of("tags", tag, usual);
      if (!name.empty()) f.roles.emplace(name, role);
    };
    add("user_tag", "human", Role::user);
    add("assistant_tag", "gpt", Role::assistant);
    add("system_tag", "system", Role::system);
    add("observation_tag", "observation", Role::tool);
    add("function_tag", "function_call", Role::assistant);
  }

  // A file, or all JSON files of a folder in the order of their names.
  std::vector<std::filesystem::path> files() const {
    const auto name = json_get<std::string>(entry_, "file_name", where_);
    const std::filesystem::path path = folder_ / name;
    if (!std::filesystem::exists(path)) {
      fail("there is no " + path.string(), "file_name is looked up beside dataset_info.json");
    }
    if (!std::filesystem::is_directory(path)) return {path};
    std::vector<std::filesystem::path> found;
    for (const auto& item : std::filesystem::directory_iterator(path)) {
      std::filesystem::path file = item.path();
      if (file.extension() == ".gz") file.replace_extension();
      if (file.extension() == ".json" || file.extension() == ".jsonl") found.push_back(item.path());
    }
    if (found.empty()) fail(path.string() + " holds no .json or .jsonl file");
    std::sort(found.begin(), found.end());
    return found;
  }

  const Json& entry_;
  std::filesystem::path folder_;
  std::string where_;
};

}  // namespace

std::optional<DatasetReference> dataset_reference(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  if (!name.starts_with(kFileName)) return std::nullopt;
  if (name.size() == kFileName.size()) return DatasetReference{path, {}};
  if (name[kFileName.size()] != ':') return std::nullopt;
  return DatasetReference{path.parent_path() / kFileName, name.substr(kFileName.size() + 1)};
}

DatasetEntry read_dataset_entry(const DatasetReference& reference) {
  const std::string file = reference.info.string();
  const Json info = read_json_object(reference.info);
  std::vector<std::string> names;
  for (const auto& [key, value] : info.items()) names.push_back(key);
  std::string name = reference.name;
  if (name.empty() && names.size() == 1) name = names.front();
  if (!info.contains(name)) {
    throw Error(ErrorKind::data,
                file + (name.empty() ? ": holds several data sets, and none was named"
                                     : ": there is no data set \"" + name + "\""),
                "write " + file + ":NAME; it has " + join(names, ", "));
  }
  return EntryReader(info.at(name), reference.info.parent_path(), file + ": " + name).read();
}

}  // namespace tapir::dataset
