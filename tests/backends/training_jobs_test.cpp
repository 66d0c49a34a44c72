// Trainings that another program does. The program is a few lines of shell here, and the engine
// knows its students by a number in their folder; tests/e2e has real ones.
#include "backends/training_jobs.h"

#include <cstdlib>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../error_of.h"
#include "../test_data.h"
#include "backends/job_files.h"
#include "backends/python_packages.h"
#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"

namespace tapir::backends {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A folder's file `loss`: what each token of this student costs, but for the last of a row, which
// costs what `end` says.
class NumberedStudent final : public student::Student {
 public:
  explicit NumberedStudent(const std::filesystem::path& folder)
      : loss_(number(folder / "loss")), end_(number(folder / "end")) {}
  std::int64_t parameter_count() const override { return 1; }
  int context_length() const override { return 100; }
  void generate(std::span<const student::GenerateRequest>, const student::GenerateOptions&,
                const student::GenerationSink&, std::stop_token) const override {}
  std::vector<student::TokenLosses> token_losses(std::span<const Example> examples) const override {
    std::vector<student::TokenLosses> losses;
    for (const Example& example : examples) {
      student::TokenLosses row;
      row.id = example.id;
      row.logprobs = {-loss_, -loss_, -end_};
      losses.push_back(row);
    }
    return losses;
  }
  student::TokenLosses completion_losses(const std::string&, const std::string&) const override {
    return {};
  }
  std::vector<std::int32_t> tokenize(const std::string&, bool) const override { return {}; }
  std::vector<std::int32_t> tokenize_chat(const Messages&) const override { return {}; }

 private:
  static float number(const std::filesystem::path& file) { return std::stof(read_file(file)); }
  float loss_;
  float end_;
};

class NumberedEngine final : public student::StudentEngine {
 public:
  std::shared_ptr<const student::Student> load(const std::filesystem::path& f) const override {
    return std::make_shared<NumberedStudent>(f);
  }
  student::Preflight preflight(const student::TrainJob&) const override { return {}; }
  student::TrainResult train(const student::TrainJob&, ProgressSink&,
                             std::stop_token) const override {
    throw Error(ErrorKind::bug, "trained here");
  }
  std::string version() const override { return "numbered"; }
  student::TrainSteps steps(const student::TrainJob& job,
                            const std::filesystem::path&) const override {
    student::TrainSteps steps;
    steps.rows = {{"a", {{Role::user, "q"}, {Role::assistant, "a"}}, {1, 2, 3}, {0, 1, 1}},
                  {"b", {{Role::user, "q"}, {Role::assistant, "b"}}, {4, 5}, {0, 1}}};
    steps.steps = {{{0, 1}, 0.1}, {{1}, 0.05}};
    steps.tokens = 7;
    steps.supervised_tokens = 4;
    steps.row_count = 3;
    steps.start = steps.base = job.model_dir;
    steps.digest = "digest of " + std::to_string(job.options.seed);
    return steps;
  }
  std::optional<student::TrainResult> finished(const student::TrainJob& job) const override {
    if (!std::filesystem::exists(job.output_dir)) return std::nullopt;
    return student::TrainResult{};
  }
  void take_over(const student::TrainJob& job, const student::TrainedElsewhere& trained,
                 const std::function<void(const std::filesystem::path&)>& look) const override {
    look(trained.folder);
    last = trained;
    std::filesystem::copy(trained.folder, job.output_dir);
  }
  mutable student::TrainedElsewhere last;
};

class Told final : public ProgressSink {
 public:
  void update(const ProgressUpdate& update) override { steps.push_back(update.done); }
  void message(std::string_view line) override { text += std::string(line) + "\n"; }
  std::vector<std::uint64_t> steps;
  std::string text;
};

constexpr const char* kStep = R"(echo '{"step": 1, "loss": 2.0, "rows": 2}' >> progress.jsonl; )";
constexpr const char* kResult =
    R"(echo '{"digest": "digest of 42", "steps": 2, "tokens": 7, "supervised_tokens": 4, "rows": 3, "versions": {"it": "1"}}' > result.json; )";

// A folder that holds a student, as far as its files are looked at.
std::string student_lines(const std::string& folder, const std::string& loss,
                          const std::string& end) {
  return "mkdir -p " + folder + "; echo '{}' > " + folder + "/config.json; echo w > " + folder +
         "/model.safetensors; echo " + loss + " > " + folder + "/loss; echo " + end + " > " +
         folder + "/end; ";
}

class TrainingJobs : public ::testing::Test {
 protected:
  TrainingJobs() {
    job_.model_dir = folder_.path() / "base";
    job_.output_dir = folder_.path() / "out";
    job_.io.stage = "round";
    job_.examples = {{"a", {}}, {"b", {}}};
    std::filesystem::create_directories(job_.model_dir);
    write_file(job_.model_dir / "loss", "2.0");
    write_file(job_.model_dir / "end", "1.0");
    options_.backend = "trl";
  }
  std::filesystem::path work() const { return folder_.path() / "out.job"; }
  // `lines` run in the job's folder.
  std::shared_ptr<const student::StudentEngine> engine(const std::string& lines) {
    write_file(folder_.path() / "program", "cd \"$1\"\n" + lines);
    options_.launch = "sh " + (folder_.path() / "program").string() + " {job}";
    return hand_over_training(engine_, options_);
  }
  student::TrainResult train(const std::string& lines) {
    return engine(lines)->train(job_, told_, {});
  }
  std::string complaint(ErrorKind kind, const std::string& lines) {
    const std::string words = tapir::testing::complaint_of(kind, [&] { return train(lines); });
    EXPECT_FALSE(std::filesystem::exists(job_.output_dir));
    return words;
  }

  // Whether Python reads it; what it imports is not looked for.
  static bool is_python(const std::filesystem::path& file) {
    const std::string command = "python3 -m py_compile '" + file.string() + "'";
    return std::system(command.c_str()) == 0;
  }

  tapir::testing::TemporaryFolder folder_;
  std::shared_ptr<NumberedEngine> engine_ = std::make_shared<NumberedEngine>();
  TrainingOptions options_;
  student::TrainJob job_;
  Told told_;
};

const std::string kGood = kStep + student_lines("output", "0.5", "0.1") + kResult;

TEST_F(TrainingJobs, AStudentComesBack) {
  const student::TrainResult result = train(kGood);
  EXPECT_EQ(result.steps, 2);
  EXPECT_EQ(result.supervised_tokens, 4);
  EXPECT_EQ(result.first_loss, 2.0);
  EXPECT_EQ(engine_->last.version, "trl (it 1)");
  ASSERT_EQ(engine_->last.steps.size(), 1U);
  EXPECT_EQ(engine_->last.steps[0].rows, 2);
  EXPECT_TRUE(std::filesystem::exists(job_.output_dir));
  EXPECT_FALSE(std::filesystem::exists(work() / "output"));
  EXPECT_THAT(told_.text, HasSubstr("loss on a probe"));
}

TEST_F(TrainingJobs, TheFolderStandsForItself) {
  train(kGood);
  std::vector<Json> rows;
  for_each_jsonl(work() / "data.jsonl",
                 [&](const Json& row, const std::string&) { rows.push_back(row); });
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].at("input_ids"), Json({1, 2, 3}));
  EXPECT_EQ(rows[0].at("completion_mask"), Json({0, 1, 1}));
  EXPECT_EQ(rows[0].at("messages").at(1).at("content"), "a");
  const Json steps = read_json_object(work() / "steps.json");
  EXPECT_EQ(steps.at("rows"), Json::parse("[[0, 1], [1]]"));
  EXPECT_EQ(steps.at("learning_rate"), Json({0.1, 0.05}));
  EXPECT_THAT(read_file(work() / "requirements.txt"), HasSubstr("trl==0.24.0\n"));
  EXPECT_THAT(read_file(work() / "launch.sh"), HasSubstr("train.py"));
  EXPECT_TRUE(is_python(work() / "train.py"));
}

TEST_F(TrainingJobs, LlamaFactoryFindsItsFiles) {
  options_.backend = "llamafactory";
  options_.processes = 2;
  job_.options.lr_scheduler_type = "constant";
  train(kGood);
  const std::string yaml = read_file(work() / "train.yaml");
  // A bare "no" is false in YAML.
  EXPECT_THAT(yaml, AllOf(HasSubstr("save_strategy: \"no\"\n"),
                          HasSubstr("lr_scheduler_type: constant_with_warmup\n"),
                          HasSubstr("gradient_accumulation_steps: 1\n"),
                          HasSubstr("tokenized_path: tokenized\n")));
  EXPECT_THAT(read_file(work() / "launch.sh"), HasSubstr("NPROC_PER_NODE=2 llamafactory-cli"));
  EXPECT_TRUE(is_python(work() / "job.py"));
  const Json info = read_json_object(work() / "data" / "dataset_info.json");
  EXPECT_TRUE(std::filesystem::exists(work() / "data" /
                                      info.at("tapir").at("file_name").get<std::string>()));
}

TEST_F(TrainingJobs, WhatIsFinishedIsNotStartedAgain) {
  train(kGood);
  train("exit 9");
  std::filesystem::remove_all(job_.output_dir);
  std::filesystem::create_directories(work());
  // Killed between the job's end and the taking over: the job is not run again.
  student::TrainResult result;
  {
    const auto again = engine("cd \"$1\"; exit 9");
    write_file(work() / "result.json", read_file(work() / "result.json"));
    std::filesystem::create_directories(work() / "output");
    for (const auto& [name, text] :
         {std::pair{"config.json", "{}"}, std::pair{"model.safetensors", "w"},
          std::pair{"loss", "0.5"}, std::pair{"end", "0.1"}})
      write_file(work() / "output" / name, text);
    result = again->train(job_, told_, {});
  }
  EXPECT_EQ(result.steps, 2);
}

TEST_F(TrainingJobs, AFolderOfAnotherJobIsCleared) {
  train(kStep + student_lines("output", "0.5", "0.1") + kResult);
  std::filesystem::remove_all(job_.output_dir);
  job_.options.seed = 43;
  EXPECT_THAT(complaint(ErrorKind::endpoint, "test ! -e progress.jsonl && exit 3; exit 4"),
              HasSubstr("exit status 3"));
}

TEST_F(TrainingJobs, OneThatGotFurtherIsStartedAgain) {
  const std::string lines =
      "if [ ! -e once ]; then touch once; " + std::string(kStep) + " kill -9 $$; fi; " + kGood;
  train(lines);
  EXPECT_THAT(told_.text, AllOf(HasSubstr("after step 1 of 2"), HasSubstr("started again")));
}

TEST_F(TrainingJobs, OneThatFailsSaysItsLastWords) {
  const std::string words = complaint(ErrorKind::endpoint, "echo out of memory >&2; exit 5");
  EXPECT_THAT(words, AllOf(HasSubstr("round"), HasSubstr("exit status 5"),
                           HasSubstr("out of memory"), HasSubstr("out.job")));
}

TEST_F(TrainingJobs, RestartsAreCounted) {
  options_.max_restarts = 2;
  const std::string lines =
      "n=$(cat n 2>/dev/null || echo 0); n=$((n + 1)); echo $n > n; "
      "echo \"{\\\"step\\\": $n, \\\"loss\\\": 1}\" >> progress.jsonl; exit 5";
  EXPECT_THAT(complaint(ErrorKind::endpoint, lines), HasSubstr("exit status 5"));
  EXPECT_EQ(std::string(trim(read_file(work() / "n"))), "3");
}

TEST_F(TrainingJobs, AnEndWithoutAModelIsNoSuccess) {
  EXPECT_THAT(complaint(ErrorKind::data, "exit 0"),
              AllOf(HasSubstr("exit status 0"), HasSubstr("result.json")));
  EXPECT_THAT(complaint(ErrorKind::data, kResult), HasSubstr("there is no student in it"));
}

TEST_F(TrainingJobs, CountsMustAgreeToTheToken) {
  std::string lines = kGood;
  lines.replace(lines.find("\"supervised_tokens\": 4"), 22, "\"supervised_tokens\": 3");
  EXPECT_THAT(complaint(ErrorKind::data, lines),
              HasSubstr("trained on 3 supervised tokens, tapir asked for 4"));
}

TEST_F(TrainingJobs, AStudentThatGotWorseIsRefused) {
  EXPECT_THAT(complaint(ErrorKind::data, student_lines("output", "3.0", "0.1") + kResult),
              HasSubstr("rose from"));
}

TEST_F(TrainingJobs, AStudentThatEndsNoAnswerIsRefused) {
  EXPECT_THAT(complaint(ErrorKind::data, student_lines("output", "0.1", "3.0") + kResult),
              HasSubstr("the token that ends it was not trained"));
}

TEST_F(TrainingJobs, AStudentWithoutAFiniteLossIsRefused) {
  EXPECT_THAT(complaint(ErrorKind::data, student_lines("output", "nan", "0.1") + kResult),
              HasSubstr("not finite"));
}

TEST_F(TrainingJobs, StopsWhenAsked) {
  std::stop_source stop;
  class Stopper final : public ProgressSink {
   public:
    explicit Stopper(std::stop_source& source) : source_(source) {}
    void update(const ProgressUpdate&) override { source_.request_stop(); }
    void message(std::string_view) override {}

   private:
    std::stop_source& source_;
  } stopper(stop);
  const std::string lines =
      std::string(kStep) + "while [ ! -e stop ]; do sleep 0.05; done; touch ended; exit 0";
  const student::TrainResult result = engine(lines)->train(job_, stopper, stop.get_token());
  EXPECT_FALSE(result.finished);
  EXPECT_TRUE(std::filesystem::exists(work() / "ended"));
}

TEST_F(TrainingJobs, NoneWaitsAndSaysWhatToTrain) {
  options_.backend = "none";
  const auto engine = hand_over_training(engine_, options_);
  const std::string words = tapir::testing::complaint_of(
      ErrorKind::waiting, [&] { return engine->train(job_, told_, {}); });
  EXPECT_THAT(words, AllOf(HasSubstr("data.jsonl"), HasSubstr("2 rows"), HasSubstr("--student")));
}

TEST_F(TrainingJobs, NoneTakesOneStudent) {
  options_.backend = "none";
  options_.student = folder_.path() / "mine";
  std::filesystem::create_directories(options_.student);
  for (const auto& [name, text] :
       {std::pair{"config.json", "{}"}, std::pair{"model.safetensors", "w"},
        std::pair{"loss", "0.5"}, std::pair{"end", "0.1"}})
    write_file(options_.student / name, text);
  const auto engine = hand_over_training(engine_, options_);
  EXPECT_EQ(engine->train(job_, told_, {}).supervised_tokens, 4);
  job_.output_dir = folder_.path() / "next";
  EXPECT_EQ(tapir::testing::error_of([&] { return engine->train(job_, told_, {}); }).kind(),
            ErrorKind::waiting);
}

TEST_F(TrainingJobs, WhatABackendCannotDoIsRefused) {
  job_.options.optim_state_dtype = "bfloat16";
  EXPECT_THAT(complaint(ErrorKind::usage, kGood), HasSubstr("train.optim_state_dtype"));
  job_.options.optim_state_dtype = "float32";
  job_.options.schedule_total_steps = 10;
  options_.backend = "llamafactory";
  EXPECT_THAT(complaint(ErrorKind::usage, kGood), HasSubstr("train.schedule_scope"));
  options_.backend = "trl";
  options_.sharding = "fsdp";
  EXPECT_THAT(complaint(ErrorKind::usage, kGood), HasSubstr("train.sharding: fsdp"));
}

TEST_F(TrainingJobs, WhatIsNotInstalledIsNamed) {
  options_.python = "no-such-python";
  EXPECT_THAT(tapir::testing::complaint_of(ErrorKind::usage,
                                           [&] { return hand_over_training(engine_, options_); }),
              HasSubstr("there is no program no-such-python"));
  options_.python = "false";
  EXPECT_THAT(tapir::testing::complaint_of(ErrorKind::usage,
                                           [&] { return hand_over_training(engine_, options_); }),
              HasSubstr("printed nothing"));
  EXPECT_THAT(
      tapir::testing::complaint_of(
          ErrorKind::usage,
          [] {
            check_packages("it", "python3", {{"no-such-package", "1.2.0", "1.2."}});
          }),
      AllOf(HasSubstr("no-such-package is not installed"), HasSubstr("no-such-package==1.2.0")));
}

TEST_F(TrainingJobs, AVersionThatIsNotTestedIsNamed) {
  const std::filesystem::path python = folder_.path() / "python";
  write_file(python, "#!/bin/sh\necho '{\"it\": \"0.25.1\"}'\n");
  std::filesystem::permissions(python, std::filesystem::perms(0755));
  EXPECT_THAT(tapir::testing::complaint_of(
                  ErrorKind::usage,
                  [&] {
                    check_packages("it", python.string(), {{"it", "0.24.0", "0.24."}});
                  }),
              AllOf(HasSubstr("it is 0.25.1, tested are 0.24.*"), HasSubstr("it==0.24.0")));
  check_packages("it", python.string(), {{"it", "0.25.0", "0.25."}});
}

TEST(LaunchCommand, NeedsTheJob) {
  check_launch_command("sbatch --wait {job}/launch.sh", "train.launch");
  for (const char* command : {"sbatch launch.sh", "sbatch {jobs}/launch.sh {job}"}) {
    EXPECT_THAT(tapir::testing::complaint_of(
                    ErrorKind::usage, [&] { check_launch_command(command, "train.launch"); }),
                HasSubstr("train.launch"));
  }
}

}  // namespace
}  // namespace tapir::backends
