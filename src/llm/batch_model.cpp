#include "llm/batch_model.h"

#include <utility>

#include "llm/openai_api.h"

namespace tapir::llm {

BatchModel::BatchModel(OpenAiOptions options)
    : options_(std::move(options)), identity_(identity_of(options_)) {}

void BatchModel::submit(ChatRequest request, Completion done, std::stop_token) {
  ChatReply reply;
  reply.row_id = request.row_id;
  reply.key = reply_key(identity_, request);
  reply.failure = Failure::waiting;
  reply.text = api_call(options_.model, request, options_.extra_body).body;
  ++waiting_;
  thread_.post([reply = std::move(reply), done = std::move(done)] { done(reply); });
}

}  // namespace tapir::llm
