// A local student that answers chat requests: continuous batching. No torch here.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include "llm/chat_model.h"

namespace tapir::student {

// All of this but device and dtype changes speed and memory only, no reply.
struct StudentChatOptions {
  std::string device = "cpu";  // as of make_student_engine()
  std::string dtype = "auto";  // likewise
  int workers = 0;  // batches that are decoded side by side; 0: as many as leave no core idle
  // Of one worker. 0: one; where `workers` is 0 too and the weights are large enough for it, all
  // threads belong to the workers that have something to do.
  int threads = 0;
  int slots = 0;  // rows of one worker's batch; 0: 16 for each of the threads that it has for sure
  // Requests that may wait for a slot; above it submit() blocks.
  std::size_t max_waiting = 1024;
  // Tokens of prompts that a worker takes in between two tokens of the rows it is decoding: what
  // those rows have to wait for.
  int prefill_tokens = 512;
  // The identity's. It says nothing of the weights: replies are not to be kept under it.
  std::string name;  // empty: the folder's
};

class StudentChatModel : public llm::StreamingChatModel {
 public:
  virtual int parallel() const = 0;  // answers in work at once: all slots of all workers
};

// What a request draws by: (seed, "generate", draw_id). Conversation or prompt, and the attempt;
// not what only cuts an answer or reports on it, so that a stop string takes nothing else away.
std::string draw_id(const llm::ChatRequest& request);

// kind "student". Requests join and leave the running batch at every token. The same request with
// the same seed is answered with the same bits as by Student::generate() of a row whose id is its
// draw_id(), whatever else runs. Without a seed it is 0: the same request gives the same answer;
// another `attempt` gives another one.
//   messages go through the folder's chat format; a prompt is raw text (begin of text as the
//   tokenizer has it). max_tokens that do not fit are cut to the end of the context.
// Failure::invalid_request: a conversation the format does not know, sampling that is impossible,
// json_mode, and a prompt that leaves no room (error_code "context_length_exceeded").
// Failure::length is never given: an answer cut at its limit is an answer (finish_reason length).
// Log-probabilities are those of the model before temperature, top_p and top_k. Error{data} when
// the folder is not a student.
std::shared_ptr<StudentChatModel> make_student_chat_model(const std::filesystem::path& folder,
                                                          const StudentChatOptions& options = {});

}  // namespace tapir::student
