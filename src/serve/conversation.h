// A conversation with a model, turn by turn.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "llm/chat_model.h"
#include "records/message.h"

namespace tapir::serve {

// Use it from one thread.
class Conversation {
 public:
  // `model` must outlive it. Every turn draws anew, in a way that the seed decides.
  Conversation(llm::StreamingChatModel& model, llm::Sampling sampling);

  // Asks, shows the answer's text as it comes (on_text: on a thread of the model's) and returns the
  // whole. The turn becomes part of the conversation; an answer that was stopped, as far as it
  // came. A turn that failed does not. `stop` ends the answer.
  llm::ChatReply ask(const std::string& text, const std::function<void(std::string_view)>& on_text,
                     std::stop_token stop);
  void reset();                              // forgets all turns; the system message stays
  void set_system(const std::string& text);  // empty: none; forgets all turns
  const Messages& messages() const { return messages_; }

 private:
  llm::StreamingChatModel& model_;
  llm::Sampling sampling_;
  std::string system_;
  Messages messages_;
  int turn_ = 0;
};

}  // namespace tapir::serve
