#include "pipeline/doctor_dump.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "records/message.h"

namespace tapir::pipeline {
namespace {

using Ids = std::vector<std::int32_t>;

constexpr int kFormat = 2;
constexpr double kFloat32Tolerance = 1e-3;
constexpr double kHalfTolerance = 0.25;

struct Dump {
  Json json;
  std::string where;
  double tolerance = kFloat32Tolerance;

  const Json& rows(const char* key) const {
    const Json& found = json_member(json, key, where);
    if (found.is_array()) return found;
    throw Error(ErrorKind::data, where + ": key \"" + key + "\": expected a list");
  }
};

Dump read_dump(const std::filesystem::path& path) {
  Dump dump{parse_json(read_file(path), path.string()), path.string()};
  const int format = json_get<int>(dump.json, "format", dump.where);
  if (format != kFormat) {
    throw Error(ErrorKind::data,
                fmt::format("{}: format {}, this tapir reads {}", dump.where, format, kFormat),
                "make it again with the scripts/dump_model.py of this tapir");
  }
  if (json_get<std::string>(dump.json, "dtype", dump.where) != "float32") {
    dump.tolerance = kHalfTolerance;
  }
  return dump;
}

std::string shortened(std::string text) {
  constexpr std::size_t kShown = 30;
  for (char& c : text) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  if (text.size() <= kShown) return "\"" + text + "\"";
  std::size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // whole letters
  return "\"" + text.substr(0, end) + "...\"";
}

// Where two rows of ids part, in words.
std::string difference(const Ids& ours, const Ids& theirs) {
  const auto [a, b] = std::mismatch(ours.begin(), ours.end(), theirs.begin(), theirs.end());
  const auto shown = [](const Ids& ids, Ids::const_iterator at) {
    return at == ids.end() ? std::string("nothing") : std::to_string(*at);
  };
  return fmt::format("token {}: found {}, expected {}", a - ours.begin(), shown(ours, a),
                     shown(theirs, b));
}

// Collects the outcome of several comparisons in one check.
class Tally {
 public:
  Tally(std::string what, std::string unit) : what_(std::move(what)), unit_(std::move(unit)) {}
  void equal() { ++rows_; }
  void differs(const std::string& where) {
    ++rows_;
    if (differing_++ == 0) first_ = where;
  }
  Check check(const std::string& remark = "") const {
    if (rows_ == 0) return {what_, true, "none in the dump", ""};
    if (differing_ > 0) {
      return {what_, false,
              fmt::format("differs: {} of {} {}; {}", differing_, rows_, unit_, first_), ""};
    }
    return {what_, true, fmt::format("{} {} equal{}", rows_, unit_, remark), ""};
  }

 private:
  std::string what_;
  std::string unit_;
  int rows_ = 0;
  int differing_ = 0;
  std::string first_;
};

Check compare_size(const student::Student& student, const Dump& dump) {
  const auto expected = json_get<std::int64_t>(dump.json, "parameters", dump.where);
  const std::string source = fmt::format(
      "{} of transformers {}, {}", json_get<std::string>(dump.json, "architecture", dump.where),
      json_get<std::string>(dump.json, "transformers", dump.where),
      json_get<std::string>(dump.json, "dtype", dump.where));
  if (student.parameter_count() == expected) {
    return {"against", true, fmt::format("{}: {} parameters", source, expected), ""};
  }
  return {"against", false,
          fmt::format("differs: found {} parameters, expected {} ({})", student.parameter_count(),
                      expected, source),
          "the dump must be of this very folder"};
}

Check compare_texts(const student::Student& student, const Dump& dump) {
  Tally tally("token ids", "texts");
  for (const Json& row : dump.rows("texts")) {
    const auto text = json_get<std::string>(row, "text", dump.where);
    const auto expected = json_get<Ids>(row, "ids", dump.where);
    const Ids found = student.tokenize(text, /*add_special_tokens=*/true);
    found == expected ? tally.equal()
                      : tally.differs(shortened(text) + " at " + difference(found, expected));
  }
  return tally.check();
}

// A conversation that the template refuses has nothing to compare.
Check compare_chats(const student::Student& student, const Dump& dump) {
  Tally tally("chat template", "conversations");
  for (const Json& row : dump.rows("chats")) {
    if (!row.contains("ids")) continue;
    const Messages messages =
        messages_from_json(json_member(row, "messages", dump.where).dump(), dump.where);
    const auto expected = json_get<Ids>(row, "ids", dump.where);
    const Ids found = student.tokenize_chat(messages);
    found == expected
        ? tally.equal()
        : tally.differs(shortened(messages.front().content) + " at " + difference(found, expected));
  }
  return tally.check();
}

Check compare_logprobs(const student::Student& student, const Dump& dump) {
  Tally tally("logits", "texts");
  double worst = 0;
  for (const Json& row : dump.rows("logprobs")) {
    const auto completion = json_get<std::string>(row, "completion", dump.where);
    const auto tokens = json_get<Ids>(row, "tokens", dump.where);
    const auto expected = json_get<std::vector<double>>(row, "logprobs", dump.where);
    const student::TokenLosses found =
        student.completion_losses(json_get<std::string>(row, "prompt", dump.where), completion);
    if (found.tokens != tokens || expected.size() != tokens.size()) {
      tally.differs(shortened(completion) + ": other tokens");
      continue;
    }
    double here = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double distance = std::abs(static_cast<double>(found.logprobs[i]) - expected[i]);
      here = std::isnan(distance) ? HUGE_VAL : std::max(here, distance);
    }
    worst = std::max(worst, here);
    here <= dump.tolerance ? tally.equal()
                           : tally.differs(fmt::format("{} by {:.2g} in a log-probability",
                                                       shortened(completion), here));
  }
  return tally.check(
      fmt::format(" within {:.1g} (largest difference {:.2g})", dump.tolerance, worst));
}

student::Generation continue_greedily(const student::Student& student, const Json& row,
                                      const std::string& where) {
  const student::GenerateRequest request{"0", {}, json_get<std::string>(row, "prompt", where)};
  student::GenerateOptions options;
  options.sampling.max_new_tokens = json_get<int>(row, "max_new_tokens", where);
  options.slots = 1;
  student::Generation found;
  student.generate({&request, 1}, options, [&](student::Generation g) { found = std::move(g); },
                   {});
  return found;
}

// Two continuations may part where the best two tokens are as good as equal; what comes after that
// is not compared.
Check compare_greedy(const student::Student& student, const Dump& dump) {
  Tally tally("greedy text", "continuations");
  std::string ties;
  for (const Json& row : dump.rows("greedy")) {
    const auto expected = json_get<Ids>(row, "tokens", dump.where);
    const auto margins = json_get<std::vector<double>>(row, "margins", dump.where);
    const student::Generation found = continue_greedily(student, row, dump.where);
    const auto parted = static_cast<std::size_t>(
        std::mismatch(found.tokens.begin(), found.tokens.end(), expected.begin(), expected.end())
            .first -
        found.tokens.begin());
    const auto text = json_get<std::string>(row, "text", dump.where);
    const std::string prompt = shortened(json_get<std::string>(row, "prompt", dump.where));
    if (found.tokens == expected && found.text == text) {
      tally.equal();
    } else if (found.tokens != expected && parted < margins.size() &&
               margins[parted] < 2 * dump.tolerance) {
      tally.equal();
      ties += fmt::format("{} after {} at token {} (margin {:.2g})",
                          ties.empty() ? "; parted at a near tie:" : ",", prompt, parted,
                          margins[parted]);
    } else {
      tally.differs(fmt::format("after {} at {}: found {}, expected {}", prompt,
                                difference(found.tokens, expected), shortened(found.text),
                                shortened(text)));
    }
  }
  return tally.check(ties);
}

}  // namespace

std::vector<Check> compare_with_dump(const student::Student& student,
                                     const std::filesystem::path& dump_file) {
  const Dump dump = read_dump(dump_file);
  return {compare_size(student, dump), compare_texts(student, dump), compare_chats(student, dump),
          compare_logprobs(student, dump), compare_greedy(student, dump)};
}

}  // namespace tapir::pipeline
