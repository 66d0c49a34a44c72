// Recipe keys as the options of the stages that read them. Internal to the pipeline.
#pragma once

#include "llm/chat_model.h"
#include "pipeline/recipe.h"
#include "prompting/prompts.h"
#include "student/student.h"
#include "tasks/taxonomy.h"

namespace tapir::pipeline {

llm::Sampling sampling_of(const ModelPart& part);
// Requests that a stage hands out at a time. Of endpoints twice as many as may be sent, so that
// those that wait for their retry take nobody's place.
std::size_t in_flight(const ModelPart& part);

// How the student answers the rows of D.
student::GenerateOptions generate_options(const Recipe& recipe);
// How it sits exams: the same, but always greedy.
student::GenerateOptions exam_options(const Recipe& recipe);

// Built-in ones, or those that the recipe's paths name.
tasks::Taxonomy taxonomy_of(const Recipe& recipe);
prompting::PromptSet prompts_of(const Recipe& recipe);

}  // namespace tapir::pipeline
