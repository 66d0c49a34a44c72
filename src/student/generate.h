// Batched decoding with a key-value cache, by workers side by side. Internal to student/.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "student/row_decoder.h"
#include "student/student.h"
#include "text/chat_format.h"
#include "text/tokenizer.h"

namespace tapir::student {

// What turns a request into tokens and tokens into text. References outlive the call.
struct GenerationContext {
  std::shared_ptr<const DecodeEngine> engine;
  const text::Tokenizer& tokenizer;
  const text::ChatFormat& format;
};

// Threads of one worker that pay for a student of so many bytes.
int threads_for(std::int64_t bytes, int cores);

// The tokens that end an answer: of the chat format and of the model's config.
std::vector<std::int32_t> end_tokens(const ModelConfig& config, const text::ChatFormat& format);

// As Student::generate(); where the engine's rows are independent, their bits do not even depend on
// `slots`. A failure is "too_long", or "empty" for a prompt of no token at all. After stop, rows
// in work are left out. Exceptions of workers and of the sink reach the caller, when all workers
// have ended. Ends a row at end_tokens().
void generate(const GenerationContext& context, std::span<const GenerateRequest> requests,
              const GenerateOptions& options, const GenerationSink& sink, std::stop_token stop);

}  // namespace tapir::student
