#include "student/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "student/half.h"

namespace tapir::student {
namespace {

static_assert(std::endian::native == std::endian::little,
              "tensors are mapped as they lie in the file");

struct TypeRow {
  DataType type;
  std::string_view name;
  std::size_t size;
};
constexpr std::array<TypeRow, 13> kTypes = {{{DataType::f64, "F64", 8},
                                             {DataType::f32, "F32", 4},
                                             {DataType::f16, "F16", 2},
                                             {DataType::bf16, "BF16", 2},
                                             {DataType::i64, "I64", 8},
                                             {DataType::i32, "I32", 4},
                                             {DataType::i16, "I16", 2},
                                             {DataType::i8, "I8", 1},
                                             {DataType::u64, "U64", 8},
                                             {DataType::u32, "U32", 4},
                                             {DataType::u16, "U16", 2},
                                             {DataType::u8, "U8", 1},
                                             {DataType::boolean, "BOOL", 1}}};
constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kLargestHeader = 100'000'000;  // as the reference implementation

const TypeRow& row_of(DataType type) {
  return *std::find_if(kTypes.begin(), kTypes.end(),
                       [&](const TypeRow& row) { return row.type == type; });
}

[[noreturn]] void bad(const std::filesystem::path& path, const std::string& what) {
  throw Error(ErrorKind::data, path.string() + ": not a sound safetensors file: " + what,
              "the file may be cut short or damaged; copy or download it again");
}

// The parser by itself keeps the last of two equal keys and says nothing.
Json parse_header(std::string_view header, const std::filesystem::path& path) {
  constexpr int kMaxDepth = 8;
  std::vector<std::set<std::string>> open;
  const auto watch = [&](int depth, nlohmann::detail::parse_event_t event, Json& parsed) {
    using Event = nlohmann::detail::parse_event_t;
    if (depth > kMaxDepth) bad(path, "its header is nested too deep");
    if (event == Event::object_start) open.emplace_back();
    if (event == Event::object_end) open.pop_back();
    if (event == Event::key && !open.back().insert(parsed.get<std::string>()).second) {
      bad(path, "the name \"" + parsed.get<std::string>() + "\" occurs twice");
    }
    return true;
  };
  try {
    return Json::parse(header, watch);
  } catch (const nlohmann::json::exception& e) {
    bad(path, std::string("its header is not valid JSON: ") + e.what());
  }
}

// Product of the shape times the size of an element, or nothing when it does not fit.
std::optional<std::uint64_t> byte_count(const std::vector<std::uint64_t>& shape,
                                        std::size_t element) {
  std::uint64_t total = element;
  for (const std::uint64_t extent : shape) {
    if (__builtin_mul_overflow(total, extent, &total)) return std::nullopt;
  }
  return total;
}

struct Entry {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string name;
};

class HeaderReader {
 public:
  HeaderReader(const std::filesystem::path& path, std::string_view data)
      : path_(path), data_(data) {}

  TensorView tensor(const std::string& name, const Json& json) {
    const std::string where = path_.string() + ": tensor \"" + name + "\"";
    TensorView view;
    const auto type_name = json_get<std::string>(json, "dtype", where);
    const auto type = std::find_if(kTypes.begin(), kTypes.end(),
                                   [&](const TypeRow& row) { return row.name == type_name; });
    if (type == kTypes.end()) bad(path_, "tensor \"" + name + "\" has unknown dtype " + type_name);
    view.type = type->type;
    const std::vector<std::uint64_t> shape = counts(json, "shape", name);
    const std::vector<std::uint64_t> offsets = counts(json, "data_offsets", name);
    if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data_.size()) {
      bad(path_, "tensor \"" + name + "\" lies outside the file's " + std::to_string(data_.size()) +
                     " bytes of data");
    }
    const auto bytes = byte_count(shape, type->size);
    if (bytes != offsets[1] - offsets[0]) {
      bad(path_, "tensor \"" + name + "\": dtype and shape do not give its " +
                     std::to_string(offsets[1] - offsets[0]) + " bytes");
    }
    for (const std::uint64_t extent : shape) {
      if (extent > INT64_MAX) bad(path_, "tensor \"" + name + "\" has an impossible shape");
      view.shape.push_back(static_cast<std::int64_t>(extent));
    }
    view.bytes = data_.substr(offsets[0], offsets[1] - offsets[0]);
    entries_.push_back({offsets[0], offsets[1], name});
    return view;
  }

  // Tensors fill the data exactly: no overlap, no gap, nothing behind the last.
  void check_cover() {
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
      return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
    });
    std::uint64_t at = 0;
    for (const Entry& entry : entries_) {
      if (entry.begin < at) bad(path_, "tensor \"" + entry.name + "\" overlaps another");
      if (entry.begin > at) bad(path_, "unused bytes before tensor \"" + entry.name + "\"");
      at = entry.end;
    }
    if (at != data_.size()) {
      bad(path_, "expected " + std::to_string(at) + " bytes of data, found " +
                     std::to_string(data_.size()));
    }
  }

 private:
  std::vector<std::uint64_t> counts(const Json& json, std::string_view key,
                                    const std::string& name) {
    const auto found = json.find(std::string(key));
    const bool is_list = found != json.end() && found->is_array();
    if (!is_list || !std::all_of(found->begin(), found->end(),
                                 [](const Json& item) { return item.is_number_unsigned(); })) {
      bad(path_,
          "tensor \"" + name + "\": " + std::string(key) + " is not a list of whole numbers");
    }
    return found->get<std::vector<std::uint64_t>>();
  }

  const std::filesystem::path& path_;
  std::string_view data_;
  std::vector<Entry> entries_;
};

std::string_view header_of(std::string_view bytes, const std::filesystem::path& path) {
  std::uint64_t length = 0;
  if (bytes.size() < kLengthBytes)
    bad(path, "it has only " + std::to_string(bytes.size()) + " bytes");
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kLargestHeader || length > bytes.size() - kLengthBytes) {
    bad(path, "its header claims " + std::to_string(length) + " bytes, the file has " +
                  std::to_string(bytes.size()));
  }
  return bytes.substr(kLengthBytes, length);
}

template <typename Convert>
void convert_16(std::string_view bytes, float* out, Convert convert) {
  for (std::size_t i = 0; i < bytes.size() / 2; ++i) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, bytes.data() + 2 * i, 2);
    out[i] = convert(bits);
  }
}

}  // namespace

std::string_view to_string(DataType type) { return row_of(type).name; }
std::size_t size_of(DataType type) { return row_of(type).size; }

std::int64_t TensorView::elements() const {
  return static_cast<std::int64_t>(bytes.size() / size_of(type));
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : path_(path), file_(path) {
  const std::string_view header = header_of(file_.bytes(), path);
  const Json json = parse_header(header, path);
  if (!json.is_object()) bad(path, "its header is not a JSON object");
  HeaderReader reader(path, file_.bytes().substr(kLengthBytes + header.size()));
  for (const auto& [name, value] : json.items()) {
    if (!value.is_object()) bad(path, "header entry \"" + name + "\" is not an object");
    if (name != "__metadata__") {
      tensors_.emplace(name, reader.tensor(name, value));
      continue;
    }
    for (const auto& [key, text] : value.items()) {
      metadata_[key] = json_get<std::string>(value, key, path.string() + ": __metadata__");
    }
  }
  reader.check_cover();
}

std::string safetensors_bytes(std::vector<NamedTensor> tensors,
                              const std::map<std::string, std::string>& metadata) {
  std::sort(tensors.begin(), tensors.end(),
            [](const NamedTensor& a, const NamedTensor& b) { return a.name < b.name; });
  OrderedJson header = OrderedJson::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t offset = 0;
  for (const NamedTensor& tensor : tensors) {
    check(!header.contains(tensor.name), "safetensors_bytes: tensor names are unique");
    const std::size_t end = offset + tensor.view.bytes.size();
    header[tensor.name] = {{"dtype", to_string(tensor.view.type)},
                           {"shape", tensor.view.shape},
                           {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), kLengthBytes);
  bytes.reserve(kLengthBytes + text.size() + offset);
  bytes += text;
  for (const NamedTensor& tensor : tensors) bytes += tensor.view.bytes;
  return bytes;
}

void write_safetensors(const std::filesystem::path& path, std::vector<NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  write_file(path, safetensors_bytes(std::move(tensors), metadata));
}

void to_floats(const TensorView& tensor, float* out, std::string_view where) {
  switch (tensor.type) {
    case DataType::f32:
      if (!tensor.bytes.empty()) std::memcpy(out, tensor.bytes.data(), tensor.bytes.size());
      return;
    case DataType::f16:
      return convert_16(tensor.bytes, out, half_to_float);
    case DataType::bf16:
      return convert_16(tensor.bytes, out, bfloat_to_float);
    default:
      throw Error(ErrorKind::data,
                  std::string(where) + ": found dtype " + std::string(to_string(tensor.type)) +
                      ", expected F32, F16 or BF16",
                  "save the model in one of these types");
  }
}

}  // namespace tapir::student
