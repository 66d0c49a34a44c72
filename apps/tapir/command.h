// What the files of the verbs share. Each verb's file has one function that adds it to the program.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/json.h"
#include "base/progress.h"
#include "student/student.h"

namespace tapir::store {
class RunStore;
}
namespace tapir::pipeline {
struct Recipe;
struct StopCheck;
}  // namespace tapir::pipeline

namespace tapir::cli {

struct Context {
  std::shared_ptr<ProgressSink> progress;  // to standard error
  std::stop_token stop;                    // Ctrl-C
  std::string command_line;                // as typed
  std::vector<std::string> arguments;      // likewise, without the program
  int exit_code = 0;                       // a verb may set it; errors are exceptions
};

void add_run(CLI::App& app, Context& context);        // run, retry
void add_batch(CLI::App& app, Context& context);      // batch export, import
void add_inspect(CLI::App& app, Context& context);    // status, report, inspect
void add_data(CLI::App& app, Context& context);       // data stats, clean
void add_export(CLI::App& app, Context& context);     // export data, gguf
void add_train(CLI::App& app, Context& context);      // train
void add_files(CLI::App& app, Context& context);      // generate, logprobs, tokenize
void add_tokenizer(CLI::App& app, Context& context);  // tokenizer train
void add_merge(CLI::App& app, Context& context);      // merge
void add_judge(CLI::App& app, Context& context);      // judge, judge read, judge orders
void add_stages(CLI::App& app, Context& context);     // classify, balance, select, expand, refine
void add_eval(CLI::App& app, Context& context);       // eval
void add_eval_alpaca(CLI::App* group, Context& context);         // eval alpaca
void add_eval_alpaca_asking(CLI::App* group, Context& context);  // its answer, judge, all
void add_eval_compliance(CLI::App* group, Context& context);     // eval compliance
void add_eval_mtbench(CLI::App* group, Context& context);  // eval mtbench answer, judge, score, all
void add_eval_order(CLI::App* group, Context& context);    // eval order
void add_gym(CLI::App& app, Context& context);             // gym items, exam, judge, base, serve
void add_gym_serve(CLI::App* group, Context& context);     // gym serve
void add_serve(CLI::App& app, Context& context);           // serve
void add_chat(CLI::App& app, Context& context);            // chat
void add_checks(CLI::App& app, Context& context);          // estimate, validate, doctor
void add_student(CLI::App& app, Context& context);         // student new

// The folder that is named, else runs/<name of the recipe>.
std::filesystem::path run_dir_of(const pipeline::Recipe& recipe, const std::string& named);
// The store of a run folder, to read. Error{data} when it is none.
std::unique_ptr<store::RunStore> open_run(const std::filesystem::path& run_dir);
// --device: where a student computes; auto unless it is named.
void add_device_option(CLI::App* verb, std::string& device);
// --dtype, of what answers.
void add_dtype_option(CLI::App* verb, std::string& dtype);
// --check-prompts and --prompts, of a verb that writes a student.
void add_stop_check(CLI::App* verb, pipeline::StopCheck& check);
// --save-dtype, likewise.
void add_save_dtype(CLI::App* verb, std::string& save_dtype);
// Options of `tapir train` beyond the first ones: LoRA, memory, evaluation, precision.
void add_training_options(CLI::App* verb, student::TrainJob& job);

// Standard output: JSON on one line, or text.
void print(const Json& value);
void print(const std::string& text);

}  // namespace tapir::cli
