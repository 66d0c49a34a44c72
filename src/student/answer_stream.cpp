#include "student/answer_stream.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace tapir::student {

AnswerStream::AnswerStream(const text::Tokenizer& tokenizer, const text::ChatFormat* format,
                           std::vector<std::string> stop)
    : decoder_(tokenizer), format_(format), stop_(std::move(stop)) {
  std::erase_if(stop_, [](const std::string& s) { return s.empty(); });
  for (const std::string& s : stop_) longest_stop_ = std::max(longest_stop_, s.size());
}

void AnswerStream::push(text::TokenId token) {
  if (!stopped_) append(decoder_.push(token));
}

void AnswerStream::finish() {
  if (!stopped_) append(decoder_.finish());
  finished_ = true;
}

void AnswerStream::append(const std::string& piece) {
  // A stop string may begin in what was there before.
  const std::size_t from = decoded_.size() - std::min(decoded_.size(), longest_stop_);
  decoded_ += piece;
  std::size_t cut = std::string::npos;
  for (const std::string& s : stop_) cut = std::min(cut, decoded_.find(s, from));
  if (cut == std::string::npos) return;
  decoded_.resize(cut);
  stopped_ = true;
}

// How much of decoded_ no later token can change.
std::size_t AnswerStream::certain() const {
  if (stopped_ || finished_) return decoded_.size();
  const std::string_view all = decoded_;
  std::size_t held = 0;
  for (const std::string& s : stop_) {
    for (std::size_t n = std::min(s.size() - 1, all.size()); n > held; --n) {
      if (all.ends_with(std::string_view(s).substr(0, n))) held = n;
    }
  }
  std::size_t size = all.size() - held;
  if (format_ == nullptr) return size;
  const std::size_t last = all.substr(0, size).find_last_not_of(" \t\r\n");
  return last == std::string_view::npos ? 0 : last + 1;
}

std::string AnswerStream::take() {
  const std::string_view text = std::string_view(decoded_).substr(0, certain());
  const bool complete = stopped_ || finished_;
  if (format_ != nullptr && complete) {
    taken_ = text.size();
    const std::string answer = format_->answer_text(text);
    if (answer.size() <= given_) return {};
    return answer.substr(std::exchange(given_, answer.size()));
  }
  if (format_ != nullptr && given_ == 0) begin_ = format_->answer_begin(text);
  if (text.size() <= begin_ + given_) return {};
  taken_ = text.size();
  const std::string_view piece = text.substr(begin_ + given_);
  given_ += piece.size();
  return std::string(piece);
}

}  // namespace tapir::student
