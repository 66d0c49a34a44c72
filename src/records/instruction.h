// The nouns of the method, as plain data. Words: design page "Words"; symbols: paper, section 3.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "records/message.h"

namespace tapir {

// x_i: messages up to the answer.
struct Instruction {
  std::string id;         // instruction_id() or the id that the user's file brings
  Messages messages;      // the last one is the user's
  std::string task;       // name of the taxonomy; empty: not classified yet
  std::string source;     // file name, "gym", or "expanded"
  std::string parent_id;  // of an expanded instruction; else empty
  int round = 0;          // 0: the corpus D; r: made for round r
  bool operator==(const Instruction&) const = default;

  // The text of the last user message: what the gym, novelty checks and classifiers look at.
  const std::string& prompt() const { return messages.back().content; }
};

// Of the teacher's answers in no style; a style of any name is "teacher/<style>".
inline constexpr const char* kTeacherAuthor = "teacher";

// y_i or S(x_i): one answer by one author.
struct Response {
  std::string instruction_id;
  std::string author;  // "data", kTeacherAuthor, "teacher/<style>", "student/<name>"
  std::string text;
  FinishReason finish_reason = FinishReason::stop;
  std::int64_t tokens = 0;  // of the answer, by its author's tokenizer; 0: unknown
  std::string reply_key;    // the reply it was read from; empty when local
  bool operator==(const Response&) const = default;
};

// In which order a judge saw the two answers.
enum class Order { teacher_first, student_first };
std::string_view to_string(Order order);

// One reading of one reply of the judge. Either both scores are there, or `failure` says why not.
struct Judgment {
  std::string instruction_id;
  std::string author;  // of the student's response
  Order order = Order::teacher_first;
  int attempt = 0;
  std::optional<double> teacher_score;  // 1-10
  std::optional<double> student_score;  // 1-10
  std::string failure;                  // "unreadable", "out_of_range", ...; empty when read
  std::string text;                     // the judge's words
  std::string reply_key;
  bool operator==(const Judgment&) const = default;
};

// How an instruction fits a student. Judged (the paper's MFD, with our sign): gap = teacher -
// student; high = hard. Or by the student's losses: ifd, and then there are no scores.
struct Fit {
  std::string instruction_id;
  std::string author;
  double teacher_score = 0;  // mean over the orders judged
  double student_score = 0;
  int orders = 0;          // 1 or 2; 0: not judged
  bool truncated = false;  // the student's answer was cut at the limit
  // Instruction-Following Difficulty: loss with over loss without the instruction.
  std::optional<double> ifd = std::nullopt;
  double gap() const { return teacher_score - student_score; }
  double difficulty() const { return ifd ? *ifd : gap(); }  // high = hard, by either method
  bool operator==(const Fit&) const = default;
};

enum class Stratum { hard, easy };  // P_r and D \ D_S
std::string_view to_string(Stratum stratum);

// A row to train on: role-tagged segments, in order; only segments with loss = true are learnt.
struct Segment {
  Role role = Role::user;
  std::string text;
  bool loss = false;
  bool operator==(const Segment&) const = default;
};

struct Example {
  std::string id;  // instruction id; unique within a mixture unless the row is repeated (then
                   // "<id>#2", ...)
  std::vector<Segment> segments;
  bool operator==(const Example&) const = default;
};

// Messages that are read, not learnt.
std::vector<Segment> segments_of(const Messages& messages);
// Instruction and its answer as an example: loss on the answer only.
Example make_example(const Instruction& instruction, std::string_view response);

// One row of a round's mixture.
struct MixtureRow {
  std::string instruction_id;
  std::string author;  // whose response is learnt
  Stratum stratum = Stratum::easy;
  std::string task;
  int repeat = 0;  // 0: first use in the run; k: the k-th repetition
  bool operator==(const MixtureRow&) const = default;
};

// Ids: a hash of (source or parent id, stage, prompt version, index).
std::string instruction_id(std::string_view source_or_parent, std::string_view stage,
                           std::string_view prompt_version, std::uint64_t index);
// For finding duplicates only: digest of the messages, white space folded.
std::string text_hash(const Messages& messages);

// Messages as a JSON array [{"role","content"}], and back.
std::string messages_to_json(const Messages& messages);
Messages messages_from_json(std::string_view json, std::string_view where);

}  // namespace tapir
