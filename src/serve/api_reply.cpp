#include "serve/api_reply.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <span>

#include <fmt/format.h>

#include "base/strings.h"

namespace tapir::serve {
namespace {

using Ranks = std::vector<std::vector<llm::TokenLogprob>>;

constexpr double kLowest = -9999;  // JSON has no infinity

double finite(double logprob) { return std::max(logprob, kLowest); }

std::string_view finish_name(FinishReason reason) {
  return reason == FinishReason::filter ? "content_filter" : to_string(reason);
}

OrderedJson bytes_of(const std::string& token) {
  OrderedJson bytes = OrderedJson::array();
  for (const char c : token) bytes.push_back(static_cast<unsigned char>(c));
  return bytes;
}

OrderedJson chat_token(const llm::TokenLogprob& token) {
  return {{"token", valid_utf8(token.token)},
          {"logprob", finite(token.logprob)},
          {"bytes", bytes_of(token.token)}};
}

OrderedJson chat_logprobs(std::span<const llm::TokenLogprob> tokens, const Ranks& ranks) {
  OrderedJson content = OrderedJson::array();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    OrderedJson token = chat_token(tokens[i]);
    token["top_logprobs"] = OrderedJson::array();
    for (const llm::TokenLogprob& likely : ranks[i]) {
      token["top_logprobs"].push_back(chat_token(likely));
    }
    content.push_back(std::move(token));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

OrderedJson completion_logprobs(std::span<const llm::TokenLogprob> tokens, const Ranks& ranks,
                                std::size_t offset) {
  OrderedJson texts = OrderedJson::array();
  OrderedJson logprobs = texts, tops = texts, offsets = texts;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    texts.push_back(valid_utf8(tokens[i].token));
    logprobs.push_back(finite(tokens[i].logprob));
    OrderedJson top = OrderedJson::object();
    for (const llm::TokenLogprob& likely : ranks[i]) {
      top[valid_utf8(likely.token)] = finite(likely.logprob);
    }
    tops.push_back(std::move(top));
    offsets.push_back(offset);
    offset += tokens[i].token.size();
  }
  return {{"tokens", texts},
          {"token_logprobs", logprobs},
          {"top_logprobs", tops},
          {"text_offset", offsets}};
}

OrderedJson usage_json(const llm::Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens}};
}

OrderedJson object(const ReplyHead& head, const char* kind) {
  return {{"id", head.id}, {"object", kind}, {"created", head.created}, {"model", head.model}};
}

OrderedJson choice_json(const ReplyHead& head, std::size_t index, const llm::ChatReply& reply) {
  OrderedJson choice = {{"index", index}};
  if (head.chat) {
    choice["message"] = {{"role", "assistant"}, {"content", reply.text}, {"refusal", nullptr}};
  } else {
    choice["text"] = reply.text;
  }
  choice["logprobs"] = nullptr;
  if (head.logprobs) {
    choice["logprobs"] = head.chat ? chat_logprobs(reply.logprobs, reply.top_logprobs)
                                   : completion_logprobs(reply.logprobs, reply.top_logprobs, 0);
  }
  choice["finish_reason"] = finish_name(reply.finish_reason);
  return choice;
}

OrderedJson chunk(const ReplyHead& head, OrderedJson choice) {
  OrderedJson made = object(head, head.chat ? "chat.completion.chunk" : "text_completion");
  made["choices"] = OrderedJson::array({std::move(choice)});
  if (head.include_usage) made["usage"] = nullptr;
  return made;
}

// A choice of a chunk; with text, or with the end.
OrderedJson piece(const ReplyHead& head, std::size_t index, const std::string& text) {
  OrderedJson made = {{"index", index}};
  if (!head.chat) {
    made["text"] = text;
  } else if (text.empty()) {
    made["delta"] = OrderedJson::object();
  } else {
    made["delta"] = {{"content", text}};
  }
  made["logprobs"] = nullptr;
  made["finish_reason"] = nullptr;
  return made;
}

}  // namespace

ReplyHead make_head(const ApiRequest& request, const std::string& served_model) {
  std::random_device device;
  ReplyHead head;
  head.chat = request.chat;
  head.id = fmt::format("{}-{:08x}{:08x}{:08x}", request.chat ? "chatcmpl" : "cmpl", device(),
                        device(), device());
  head.created = std::chrono::duration_cast<std::chrono::seconds>(
                     std::chrono::system_clock::now().time_since_epoch())
                     .count();
  head.model = served_model;
  head.logprobs = request.logprobs;
  head.include_usage = request.include_usage;
  return head;
}

llm::Usage total_usage(const std::vector<llm::ChatReply>& replies, std::size_t prompts) {
  const std::size_t each =
      std::max<std::size_t>(replies.size() / std::max<std::size_t>(prompts, 1), 1);
  llm::Usage total;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    total.completion_tokens += replies[i].usage.completion_tokens;
    if (i % each == 0) total.prompt_tokens += replies[i].usage.prompt_tokens;
  }
  return total;
}

OrderedJson whole_reply(const ReplyHead& head, const std::vector<llm::ChatReply>& replies,
                        std::size_t prompts) {
  OrderedJson made = object(head, head.chat ? "chat.completion" : "text_completion");
  made["choices"] = OrderedJson::array();
  for (std::size_t i = 0; i < replies.size(); ++i) {
    made["choices"].push_back(choice_json(head, i, replies[i]));
  }
  made["usage"] = usage_json(total_usage(replies, prompts));
  return made;
}

OrderedJson first_chunk(const ReplyHead& head, std::size_t choice) {
  OrderedJson made = piece(head, choice, "");
  made["delta"] = {{"role", "assistant"}, {"content", ""}};
  return chunk(head, std::move(made));
}

OrderedJson delta_chunk(const ReplyHead& head, std::size_t choice, const llm::ChatDelta& delta,
                        std::size_t text_offset) {
  OrderedJson made = piece(head, choice, delta.text);
  if (head.chat && delta.text.empty()) made["delta"] = {{"content", ""}};
  if (head.logprobs) {
    made["logprobs"] = head.chat
                           ? chat_logprobs(delta.logprobs, delta.top_logprobs)
                           : completion_logprobs(delta.logprobs, delta.top_logprobs, text_offset);
  }
  return chunk(head, std::move(made));
}

OrderedJson last_chunk(const ReplyHead& head, std::size_t choice, FinishReason reason) {
  OrderedJson made = piece(head, choice, "");
  made["finish_reason"] = finish_name(reason);
  return chunk(head, std::move(made));
}

OrderedJson usage_chunk(const ReplyHead& head, const llm::Usage& usage) {
  OrderedJson made = object(head, head.chat ? "chat.completion.chunk" : "text_completion");
  made["choices"] = OrderedJson::array();
  made["usage"] = usage_json(usage);
  return made;
}

}  // namespace tapir::serve
