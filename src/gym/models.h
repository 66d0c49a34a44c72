// The gym's teacher and judge as ChatModels: they get the same rendered prompts as an LLM would and
// read only the payload fences. In process they answer on a small pool of threads.
#pragma once

#include <cstdint>
#include <memory>

#include "llm/chat_model.h"

namespace tapir::gym {

// Knobs; all change results and enter the identity.
struct TeacherOptions {
  double error_rate = 0;      // share of answers that are wrong
  double evolve_share = 0.3;  // of expansions: one knob up; the rest are siblings
  double mutate_share = 0;    // other family of the same task
  std::uint64_t seed = 0;
};
struct JudgeOptions {
  double noise = 0;           // standard deviation added to each score before rounding
  double position_bias = 0;   // added to the answer that is shown first
  double length_bias = 0;     // added per 100 characters
  double malformed_rate = 0;  // share of replies in an unreadable form
  std::uint64_t seed = 0;
};

// Answers expand, refine, answer and classify prompts; text that is no prompt of ours gets a plain
// answer when the last user message is an item of the gym, else a typed failure
// (Failure::invalid_request).
std::unique_ptr<llm::ChatModel> make_teacher(const TeacherOptions& options);
// Answers judge_pair prompts: an explanation, then the labelled scores (whole numbers); and
// MT-Bench's prompts, with references or without, of the last turn: an explanation, then "Rating:
// [[x]]", or [[A]], [[B]] or [[C]].
std::unique_ptr<llm::ChatModel> make_judge(const JudgeOptions& options);

}  // namespace tapir::gym
