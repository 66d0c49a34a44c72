#include "base/encoding.h"

#include <cerrno>
#include <memory>

#include <iconv.h>

#include "base/error.h"
#include "base/file.h"

namespace tapir {
namespace {

class Converter {
 public:
  explicit Converter(const std::string& encoding)
      : handle_(::iconv_open("UTF-8", encoding.c_str())) {
    if (handle_ == reinterpret_cast<iconv_t>(-1)) {  // NOLINT(performance-no-int-to-ptr): iconv's
      throw Error(ErrorKind::usage, "the encoding \"" + encoding + "\" is not known",
                  "for example utf-8, utf-16, latin1, windows-1252; `iconv -l` lists them");
    }
  }
  ~Converter() { ::iconv_close(handle_); }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;

  // Appends to out; the number of bytes taken. Less than all: what follows does not belong to the
  // encoding.
  std::size_t run(std::string_view bytes, std::string& out) {
    std::string block(1 << 16, '\0');
    char* in = const_cast<char*>(bytes.data());  // iconv's interface; it does not write there
    std::size_t left = bytes.size();
    while (left > 0) {
      char* to = block.data();
      std::size_t room = block.size();
      const std::size_t done = ::iconv(handle_, &in, &left, &to, &room);
      out.append(block.data(), block.size() - room);
      if (done == static_cast<std::size_t>(-1) && errno != E2BIG) break;
    }
    return bytes.size() - left;
  }

 private:
  iconv_t handle_;
};

}  // namespace

std::string to_utf8(std::string_view bytes, const std::string& encoding, std::string_view where) {
  Converter converter(encoding);
  std::string text;
  text.reserve(bytes.size());
  const std::size_t taken = converter.run(bytes, text);
  if (taken < bytes.size()) {
    throw Error(
        ErrorKind::data,
        std::string(where) + ": byte " + std::to_string(taken + 1) + " is not in " + encoding,
        "name the file's encoding with --encoding, for example latin1 or utf-16");
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  return text;
}

std::string read_text(const std::filesystem::path& path, const std::string& encoding) {
  return to_utf8(read_input(path), encoding, path.string());
}

}  // namespace tapir
