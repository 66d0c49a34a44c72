#include "preview.h"

#include <cstdlib>

#include <fmt/format.h>
#include <unistd.h>

#include "base/json.h"

namespace tapir::cli {
namespace {

using student::PreviewRow;
using student::PreviewToken;

constexpr std::string_view kReset = "\x1b[0m";

// Learnt: green; read only: grey. Every other token underlined, so that their ends are seen.
std::string_view colour(bool loss, bool even) {
  if (loss) return even ? "\x1b[32m" : "\x1b[32;4m";
  return even ? "\x1b[90m" : "\x1b[90;4m";
}

// Control characters of a token would move the cursor; a line end is kept, and shown.
std::string on_terminal(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "↵\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

std::string coloured(const PreviewRow& row) {
  std::string out;
  bool even = true;
  for (const PreviewToken& token : row.tokens) {
    out += fmt::format("{}{}{}", colour(token.loss, even), on_terminal(token.text), kReset);
    even = !even;
  }
  return out + "\n";
}

std::string plain(const PreviewRow& row) {
  std::string out;
  for (const PreviewToken& token : row.tokens) {
    const std::string quoted =
        Json(token.text).dump(-1, ' ', false, Json::error_handler_t::replace);
    out += fmt::format("{} {:>7} {}\n", token.loss ? '*' : ' ', token.id, quoted);
  }
  return out;
}

}  // namespace

bool colours_wanted() {
  const char* no_color = std::getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) != 0 && (no_color == nullptr || *no_color == '\0');
}

std::string preview_text(const std::vector<PreviewRow>& rows, bool colours) {
  std::string out = colours ? fmt::format("{}learnt{}, {}read only{}\n", colour(true, true), kReset,
                                          colour(false, true), kReset)
                            : "* learnt; token id; text\n";
  for (const PreviewRow& row : rows) {
    std::size_t learnt = 0;
    for (const PreviewToken& token : row.tokens) learnt += token.loss ? 1 : 0;
    out += fmt::format("\nrow {}: {} tokens, {} learnt{}\n", row.id, row.tokens.size(), learnt,
                       row.truncated ? ", cut at cutoff_len" : "");
    out += colours ? coloured(row) : plain(row);
  }
  return out;
}

std::string preflight_table(const student::Preflight& p) {
  const double share = p.tokens > 0 ? 100.0 * static_cast<double>(p.supervised_tokens) /
                                          static_cast<double>(p.tokens)
                                    : 0;
  std::string out;
  const auto line = [&](const char* name, const std::string& value) {
    out += fmt::format("{:<28}{:>12}\n", name, value);
  };
  out += fmt::format("chat format: {}\n", p.chat_format);
  line("rows", std::to_string(p.rows));
  line("truncated rows", std::to_string(p.truncated_rows));
  line("rows without a learnt token", std::to_string(p.rows_without_loss));
  line("longest row, tokens", std::to_string(p.longest));
  line("tokens of one epoch", std::to_string(p.tokens));
  line("learnt tokens", fmt::format("{} ({:.1f} %)", p.supervised_tokens, share));
  line("optimizer steps", std::to_string(p.steps));
  return out;
}

}  // namespace tapir::cli
