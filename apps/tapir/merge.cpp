// tapir merge
#include "student/merge.h"

#include "command.h"
#include "pipeline/export_model.h"

namespace tapir::cli {
namespace {

struct Arguments {
  std::string model;
  std::string output;
  std::string save_dtype = "auto";
  pipeline::StopCheck check;
  bool json = false;
};

}  // namespace

void add_merge(CLI::App& app, Context& context) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb = app.add_subcommand(
      "merge",
      "a LoRA adapter into its base: a whole student, for tools that take no adapters\n\n"
      "  tapir train --model BASE --data rows.jsonl --finetuning-type lora --output ADAPTER\n"
      "  tapir merge --model ADAPTER --output DIR\n\n"
      "The base is found by base_model_name_or_path in ADAPTER/adapter_config.json.");
  verb->add_option("--model", a->model, "adapter folder (PEFT layout)")->required();
  verb->add_option("--output", a->output, "folder of the whole student")->required();
  add_save_dtype(verb, a->save_dtype);
  add_stop_check(verb, a->check);
  verb->add_flag("--json", a->json, "the summary as JSON on standard output");
  verb->callback([a, &context] {
    student::merge_student(a->model, a->output, a->save_dtype);
    pipeline::check_stops(*student::make_student_engine(), a->output, a->check, a->output);
    if (a->json) {
      print(Json{{"model", a->model}, {"output", a->output}});
    } else {
      context.progress->message("merged " + a->model + " into " + a->output);
    }
  });
}

}  // namespace tapir::cli
