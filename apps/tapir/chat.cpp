// tapir chat
#include <mutex>
#include <optional>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "base/error.h"
#include "command.h"
#include "serve/conversation.h"
#include "signals.h"
#include "student/student_chat_model.h"

namespace tapir::cli {
namespace {

constexpr const char* kHelp =
    "/reset        forget the conversation\n"
    "/system TEXT  a system message, and forget the conversation; without TEXT: none\n"
    "/help         this\n"
    "/exit         leave; Ctrl-D does too. Ctrl-C stops an answer\n";

struct ChatArguments {
  std::string model;
  std::string device;
  std::string dtype;
  std::string system;
  llm::Sampling sampling;
};

// Lines of standard input. Unlike std::getline it ends when stop is requested.
class InputLines {
 public:
  explicit InputLines(std::stop_token stop) : stop_(std::move(stop)) {}

  // Nothing at the end of input, or when stop was requested.
  std::optional<std::string> next() {
    while (true) {
      if (const auto end = held_.find('\n'); end != std::string::npos) {
        std::string line = held_.substr(0, end);
        held_.erase(0, end + 1);
        return line;
      }
      if (!read_more()) {
        if (held_.empty() || stop_.stop_requested()) return std::nullopt;
        return std::exchange(held_, {});
      }
    }
  }

 private:
  bool read_more() {
    constexpr int kGlanceMs = 100;
    pollfd polled{STDIN_FILENO, POLLIN, 0};
    int ready = 0;
    while (!stop_.stop_requested() && (ready = ::poll(&polled, 1, kGlanceMs)) == 0) {
    }
    if (ready <= 0) return false;
    char buffer[4096];
    const ssize_t got = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (got <= 0) return false;
    held_.append(buffer, static_cast<std::size_t>(got));
    return true;
  }

  std::stop_token stop_;
  std::string held_;
};

// Control characters of an answer could do things to a terminal.
void show(std::string_view text) {
  std::string clean;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') clean += c;
  }
  fmt::print("{}", clean);
  std::fflush(stdout);
}

class ChatSession {
 public:
  ChatSession(llm::StreamingChatModel& model, const ChatArguments& arguments, Context& context)
      : conversation_(model, arguments.sampling),
        context_(context),
        terminal_(::isatty(STDIN_FILENO) == 1) {
    if (!arguments.system.empty()) conversation_.set_system(arguments.system);
    on_interrupt([this] { return stop_answer(); });
  }
  ~ChatSession() { on_interrupt({}); }
  ChatSession(const ChatSession&) = delete;
  ChatSession& operator=(const ChatSession&) = delete;

  void run() {
    if (terminal_) fmt::print("/help lists the commands; Ctrl-D leaves\n");
    InputLines lines(context_.stop);
    while (true) {
      if (terminal_) show("> ");
      const std::optional<std::string> line = lines.next();
      if (!line) break;
      if (line->empty()) continue;
      if (line->starts_with('/')) {
        if (!command(*line)) return;
      } else {
        ask(*line);
      }
    }
    if (terminal_) fmt::print("\n");
  }

 private:
  // False: leave.
  bool command(const std::string& line) {
    if (line == "/exit" || line == "/quit") return false;
    if (line == "/reset") {
      conversation_.reset();
    } else if (line == "/system" || line.starts_with("/system ")) {
      conversation_.set_system(line.size() > 8 ? line.substr(8) : std::string());
    } else if (line == "/help") {
      show(kHelp);
    } else {
      context_.progress->message("no such command: " + line + "; /help lists them");
    }
    return true;
  }

  void ask(const std::string& text) {
    {
      const std::lock_guard lock(mutex_);
      answer_stop_ = std::stop_source();
      answering_ = true;
    }
    const std::stop_callback with_program(context_.stop, [this] { answer_stop_.request_stop(); });
    const llm::ChatReply reply = conversation_.ask(
        text, [](std::string_view piece) { show(piece); }, answer_stop_.get_token());
    {
      const std::lock_guard lock(mutex_);
      answering_ = false;
    }
    fmt::print("\n");
    if (!reply.ok() && reply.failure != llm::Failure::stopped) {
      context_.progress->message(reply.error +
                                 (reply.error_code.empty() ? "" : "; /reset begins anew"));
      if (!terminal_) context_.exit_code = exit_code(ErrorKind::incomplete);
    } else if (terminal_ && reply.finish_reason == FinishReason::length) {
      context_.progress->message("(cut at the limit of tokens)");
    }
  }

  bool stop_answer() {
    const std::lock_guard lock(mutex_);
    if (answering_) answer_stop_.request_stop();
    return answering_;
  }

  serve::Conversation conversation_;
  Context& context_;
  const bool terminal_;
  std::mutex mutex_;
  std::stop_source answer_stop_;
  bool answering_ = false;
};

void chat(const ChatArguments& arguments, Context& context) {
  student::StudentChatOptions options;
  options.device = arguments.device;
  options.dtype = arguments.dtype;
  options.slots = 1;
  const auto model = student::make_student_chat_model(arguments.model, options);
  ChatSession(*model, arguments, context).run();
}

}  // namespace

void add_chat(CLI::App& app, Context& context) {
  const auto a = std::make_shared<ChatArguments>();
  CLI::App* verb = app.add_subcommand(
      "chat",
      "talk to a student. On a terminal: /help lists the commands, Ctrl-C stops an answer.\n"
      "Otherwise every line of standard input is a turn, and the answers go to standard output:\n"
      "  echo 'How are you?' | tapir chat --model students/final");
  verb->add_option("--model", a->model, "student folder (Hugging Face layout)")->required();
  add_device_option(verb, a->device);
  add_dtype_option(verb, a->dtype);
  verb->add_option("--system", a->system, "system message");
  verb->add_option("--temperature", a->sampling.temperature, "0: greedy")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--top-p", a->sampling.top_p, "nucleus sampling")->check(CLI::Range(0.0, 1.0));
  verb->add_option("--top-k", a->sampling.top_k, "0: off")->check(CLI::NonNegativeNumber);
  verb->add_option("--max-new-tokens", a->sampling.max_tokens, "longest answer")
      ->check(CLI::PositiveNumber);
  a->sampling.seed = 0;
  verb->add_option("--seed", a->sampling.seed, "of sampling");
  verb->callback([a, &context] { chat(*a, context); });
}

}  // namespace tapir::cli
