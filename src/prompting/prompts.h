// Each prompt template beside the reader of its replies. Templates are files under prompts/, built
// in, and overridable by a folder of the user; their digest is the prompt version that enters ids
// and the fingerprint. Every payload stands in a named fence (<instruction> ... </instruction>); a
// payload that contains a fence's end is escaped, so that text of users can never close it. The gym
// reads the fences only.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "records/instruction.h"

namespace tapir::prompting {

// Task types with their descriptions, in the order shown.
using LabelledTasks = std::vector<std::pair<std::string, std::string>>;

// Requirements to be judged: their names and what each asks for, in the order shown.
using Requirements = std::vector<std::pair<std::string, std::string>>;

// A conversation of one or two turns of which the last one is graded.
struct GradedTurns {
  std::vector<std::string> questions;
  std::vector<std::string> references;  // reference answers, as many; or none
};

// The names under prompts/: judge_pair, judge_pair_again, judge_components, judge_components_again,
// expand, refine, answer, classify, classify_again, mt_single, mt_single_reference, mt_pair,
// mt_pair_reference (.md, first "system" part, then "user").
class PromptSet {
 public:
  // folder: the user's own templates, taken instead of the built-in ones where a file of that name
  // exists; may be empty. Error{usage} names the file, the line and the fence that is missing or
  // unknown.
  static PromptSet load(const std::filesystem::path& folder);

  // Judge: instruction and two answers, A and B; asks for an explanation, then the two labelled
  // last lines.
  Messages judge_pair(const Messages& instruction, std::string_view answer_a,
                      std::string_view answer_b) const;
  // The same once more, with what was wrong with the last reply.
  Messages judge_pair_again(const Messages& instruction, std::string_view answer_a,
                            std::string_view answer_b, std::string_view last_reply,
                            std::string_view complaint) const;
  // Judge: whether an answer meets each of the requirements; asks for reasons, then a line for
  // each.
  Messages judge_components(const Messages& instruction, std::string_view answer,
                            const Requirements& requirements) const;
  // The same once more, with what was wrong with the last reply.
  Messages judge_components_again(const Messages& instruction, std::string_view answer,
                                  const Requirements& requirements, std::string_view last_reply,
                                  std::string_view complaint) const;
  // Teacher: one new instruction of the same task, similar length and difficulty, other content.
  // seed may be empty: then the task's description is the start.
  Messages expand(std::string_view task, std::string_view task_description,
                  std::string_view seed_instruction) const;
  // The same, and the new instruction also asks for each requirement (a sentence a line).
  Messages expand_layered(std::string_view task, std::string_view task_description,
                          std::string_view seed_instruction, std::string_view requirements) const;
  // Teacher: answer again in the style (its name and its guidance are given).
  Messages refine(const Messages& instruction, std::string_view current_answer,
                  std::string_view task, std::string_view style,
                  std::string_view style_guidance) const;
  // Teacher: answer directly in the style.
  Messages answer(const Messages& instruction, std::string_view task, std::string_view style,
                  std::string_view style_guidance) const;
  // Classification: one label of the list between <answer> tags.
  Messages classify(const Messages& instruction, const LabelledTasks& tasks) const;
  // The same after a reply that named none; complaint: what was wrong with it.
  Messages classify_again(const Messages& instruction, const LabelledTasks& tasks,
                          std::string_view last_reply, std::string_view complaint) const;

  // MT-Bench's judge: a rating of the last answer, [[1]] to [[10]], or a comparison of two
  // assistants' last answers, [[A]], [[B]] or [[C]]. REQUIRES: as many answers as questions.
  Messages mt_single(const GradedTurns& turns, const std::vector<std::string>& answers) const;
  Messages mt_pair(const GradedTurns& turns, const std::vector<std::string>& answers_a,
                   const std::vector<std::string>& answers_b) const;

  // Digest of one template's text; "" when there is no such name.
  std::string version(std::string_view name) const;
  // Digest over all of them.
  std::string fingerprint() const;

 private:
  struct Template {
    std::string name;
    std::string system;
    std::string user;
    std::string version;
  };
  const Template& find(std::string_view name) const;
  std::vector<Template> templates_;
};

// What is asked, as one text: the message where there is one, else turn by turn with the speakers'
// names. System messages are left out: they are of the whole data set rather than of this question.
std::string question_text(const Messages& instruction);

// ---- fences ----
std::string fenced(std::string_view name, std::string_view payload);
// The payload of the first fence of that name, unescaped; nothing when it is not there or not
// closed.
std::optional<std::string> read_fence(std::string_view text, std::string_view name);

// ---- readers of replies: total, never throw ----
struct PairScores {
  std::optional<double> a;
  std::optional<double> b;
  std::string failure;   // "unreadable", "out_of_range"; empty when both scores are there
  bool dressed = false;  // the strict reader could not read them, the tolerant one could
  bool ok() const { return failure.empty(); }
};
// Strict first (two labelled last lines, or two numbers alone on the first line), then tolerant of
// dress (bold, "/10", fullwidth colon). Labels that do not speak of scores ("A: 3", "Answer A: 3")
// count in the last lines only. Never "the first number in the text". Scores outside 1-10 are
// "out_of_range".
PairScores read_pair_scores(std::string_view reply);

struct ComponentVerdicts {
  std::map<std::string, bool> met;  // by name; all of them, or none
  std::string failure;              // "unreadable"; empty when every name has its verdict
  bool dressed = false;             // the strict reader could not read them, the tolerant one could
  bool ok() const { return failure.empty(); }
};
// names: of the requirements, distinct, one or more. A name that is missing, or that has two
// different verdicts, makes all of them unreadable.
ComponentVerdicts read_component_verdicts(std::string_view reply,
                                          const std::vector<std::string>& names);

struct ReadText {
  std::string text;
  std::string failure;  // "empty", "unreadable", ...; empty when read
  bool ok() const { return failure.empty(); }
};
ReadText read_expansion(std::string_view reply);  // the new instruction, without dress around it
ReadText read_answer(std::string_view reply);     // an answer or refinement, trimmed
// As the list spells it; else by letters and digits alone, in whatever case, where that is one
// label only. "unknown_label" when what stands between the answer tags is none.
ReadText read_label(std::string_view reply, const std::vector<std::string>& labels);

}  // namespace tapir::prompting
