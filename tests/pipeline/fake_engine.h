// A student without torch: it knows the gym's teacher and gets a share of prompts right that grows
// with training. Everything is a pure function of folder and prompt, so runs can be compared to the
// byte.
#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/random.h"
#include "gym/family.h"
#include "student/student.h"
#include "student/student_folder.h"

namespace tapir::testing {

// Of requests that the student refuses as often as it answers others right.
inline constexpr const char* kHarm = "Harm: ";

class FakeStudent final : public student::Student {
 public:
  // `learnt`: prompts that it answers right whatever its skill.
  FakeStudent(double skill, std::set<std::string> learnt)
      : skill_(skill), learnt_(std::move(learnt)) {}
  std::int64_t parameter_count() const override { return 1000; }
  int context_length() const override { return 512; }
  void generate(std::span<const student::GenerateRequest> requests, const student::GenerateOptions&,
                const student::GenerationSink& sink, std::stop_token stop) const override {
    for (const student::GenerateRequest& request : requests) {
      if (stop.stop_requested()) return;
      const std::string& prompt = request.messages.back().content;
      const gym::Family* family = gym::recognise(prompt);
      std::string text = "?";
      const bool knows =
          learnt_.contains(prompt) || RandomStream(1, "fake", prompt).uniform() < skill_;
      if (family != nullptr && knows) {
        text = family->teacher(prompt, gym::Style::terse);
      } else if (prompt.starts_with(kHarm) && knows) {
        text = "I'm sorry, but I can't help with that.";
      }
      sink({request.id, text, FinishReason::stop, 10, 5, ""});
    }
  }
  // Three tokens a row; the instruction helps by a share that is a function of the prompt.
  std::vector<student::TokenLosses> token_losses(std::span<const Example> examples) const override {
    std::vector<student::TokenLosses> losses;
    for (const Example& example : examples) {
      const std::string& prompt = example.segments.front().text;
      const double help =
          prompt.empty() ? 0 : 1.2 * RandomStream(2, "fake", prompt).uniform() - 0.1;
      losses.push_back({example.id, {1, 2, 3}, {}, 2 - help});
      losses.back().logprobs.assign(3, static_cast<float>(help - 2));
    }
    return losses;
  }
  student::TokenLosses completion_losses(const std::string&, const std::string&) const override {
    return {};
  }
  std::vector<std::int32_t> tokenize(const std::string& text, bool) const override {
    return std::vector<std::int32_t>(text.size(), 1);
  }
  std::vector<std::int32_t> tokenize_chat(const Messages&) const override { return {1}; }

 private:
  double skill_;
  std::set<std::string> learnt_;
};

// What a folder's student can do: in config.json, as in an adapter's adapter_config.json.
inline Json read_fake_config(const std::filesystem::path& folder) {
  std::filesystem::path file = folder / "adapter_config.json";
  if (!std::filesystem::exists(file)) file = folder / "config.json";
  return parse_json(read_file(file), file.string());
}

class FakeEngine final : public student::StudentEngine {
 public:
  std::shared_ptr<const student::Student> load(const std::filesystem::path& folder) const override {
    const Json config = read_fake_config(folder);
    return std::make_shared<FakeStudent>(config["skill"].get<double>(),
                                         config.value("learnt", std::set<std::string>()));
  }
  student::Preflight preflight(const student::TrainJob& job) const override {
    student::Preflight p;
    p.rows = static_cast<std::int64_t>(job.examples.size());
    p.tokens = p.rows * 20;
    p.supervised_tokens = p.rows * 10;
    p.steps = job.options.max_steps > 0 ? job.options.max_steps : 10;
    return p;
  }
  student::TrainResult train(const student::TrainJob& job, ProgressSink&,
                             std::stop_token stop) const override {
    if (stop.stop_requested()) return {.finished = false};
    EXPECT_EQ(job.io.token_cache, beside(job.output_dir, ".work")) << "rows are encoded once";
    std::string text;
    for (const Example& example : job.examples) {
      text += example.id;
      for (const Segment& segment : example.segments) text += "\t" + segment.text;
      text += "\n";
    }
    const Json before = read_fake_config(job.model_dir);
    const bool lora = job.options.finetuning_type == "lora";
    std::filesystem::create_directories(job.output_dir);
    write_file(job.output_dir / (lora ? "adapter_model.safetensors" : "model.safetensors"),
               sha256_hex(text + weights_of(job.model_dir)));
    const double skill = before["skill"].get<double>();
    Json after = {{"skill", skill + 0.1}};
    if (before.value("forgets", false)) {
      // It loses what it knew when too little of that is among the rows.
      const auto known =
          std::count_if(job.examples.begin(), job.examples.end(), [&](const Example& example) {
            return RandomStream(1, "fake", example.segments.front().text).uniform() < skill;
          });
      if (static_cast<double>(known) < 0.1 * static_cast<double>(job.examples.size()))
        after["skill"] = std::max(0.0, skill - 0.3);
      after["forgets"] = true;
    }
    if (lora) after["base_model_name_or_path"] = student::find_student(job.model_dir).base.string();
    if (before.value("memorises", false)) {
      for (const Example& example : job.examples)
        after["learnt"].push_back(example.segments.front().text);
    }
    write_file(job.output_dir / (lora ? "adapter_config.json" : "config.json"), after.dump());
    const auto p = preflight(job);
    return {.steps = p.steps,
            .tokens = p.tokens,
            .supervised_tokens = p.supervised_tokens,
            .rows = p.rows,
            .first_loss = 2,
            .last_loss = 1,
            .seconds = 0,
            .finished = true};
  }
  std::string version() const override { return "fake 1"; }

 private:
  static std::string weights_of(const std::filesystem::path& folder) {
    const std::filesystem::path adapter = folder / "adapter_model.safetensors";
    return read_file(std::filesystem::exists(adapter) ? adapter : folder / "model.safetensors");
  }
};

// A folder to start from.
inline void make_fake_base(const std::filesystem::path& folder, double skill = 0.4) {
  std::filesystem::create_directories(folder);
  write_file(folder / "config.json", Json{{"skill", skill}}.dump());
  write_file(folder / "model.safetensors", "base");
}

}  // namespace tapir::testing
