#include "student/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/atomic_file.h"
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

using PieceSink = std::function<void(std::string_view)>;

DataType stored_type(const NamedTensor& tensor) {
  const DataType type = tensor.stored_as.value_or(tensor.view.type);
  check(type == tensor.view.type || (tensor.view.type == DataType::f32 &&
                                     (type == DataType::bf16 || type == DataType::f16)),
        "only F32 is stored as another type, as F16 or BF16");
  return type;
}

// Length and header of a file with these tensors, in this order.
std::string header_bytes(const std::vector<NamedTensor>& tensors,
                         const std::map<std::string, std::string>& metadata) {
  OrderedJson header = OrderedJson::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t offset = 0;
  for (const NamedTensor& tensor : tensors) {
    check(!header.contains(tensor.name), "safetensors_bytes: tensor names are unique");
    const DataType type = stored_type(tensor);
    const std::size_t end =
        offset + static_cast<std::size_t>(tensor.view.elements()) * size_of(type);
    header[tensor.name] = {
        {"dtype", to_string(type)}, {"shape", tensor.view.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), kLengthBytes) + text;
}

// Floats as halves of either kind, a piece at a time.
void write_halves(std::string_view floats, DataType type, const PieceSink& sink) {
  constexpr std::size_t kPiece = 1 << 16;
  std::vector<std::uint16_t> halves;
  for (std::size_t at = 0; at < floats.size(); at += kPiece * sizeof(float)) {
    const std::string_view part = floats.substr(at, kPiece * sizeof(float));
    halves.resize(part.size() / sizeof(float));
    for (std::size_t i = 0; i < halves.size(); ++i) {
      float value = 0;
      std::memcpy(&value, part.data() + i * sizeof(float), sizeof(float));
      halves[i] = type == DataType::f16 ? float_to_half(value) : float_to_bfloat(value);
    }
    sink({reinterpret_cast<const char*>(halves.data()), halves.size() * sizeof(std::uint16_t)});
  }
}

void write_pieces(std::vector<NamedTensor> tensors,
                  const std::map<std::string, std::string>& metadata, const PieceSink& sink) {
  std::sort(tensors.begin(), tensors.end(),
            [](const NamedTensor& a, const NamedTensor& b) { return a.name < b.name; });
  sink(header_bytes(tensors, metadata));
  for (const NamedTensor& tensor : tensors) {
    const DataType type = stored_type(tensor);
    if (type == tensor.view.type) {
      sink(tensor.view.bytes);
    } else {
      write_halves(tensor.view.bytes, type, sink);
    }
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
  std::string bytes;
  write_pieces(std::move(tensors), metadata, [&](std::string_view piece) { bytes += piece; });
  return bytes;
}

void write_safetensors(const std::filesystem::path& path, std::vector<NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  AtomicFile file(path, AtomicFile::Flush::later);
  write_pieces(std::move(tensors), metadata, [&](std::string_view piece) { file.write(piece); });
  file.finish();
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
