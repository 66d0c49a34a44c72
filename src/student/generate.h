// Batched decoding with a key-value cache. Internal to student/ (ATen).
#pragma once

#include <span>
#include <stop_token>

#include "student/model.h"
#include "student/student.h"
#include "text/chat_format.h"
#include "text/tokenizer.h"

namespace tapir::student {

// What turns a request into tokens and tokens into text. References outlive the call.
struct GenerationContext {
  const Model& model;
  const text::Tokenizer& tokenizer;
  const text::ChatFormat& format;
};

// As Student::generate(). Ends a row at the format's stop tokens and at config.eos_token_ids.
void generate(const GenerationContext& context, std::span<const GenerateRequest> requests,
              const GenerateOptions& options, const GenerationSink& sink, std::stop_token stop);

}  // namespace tapir::student
