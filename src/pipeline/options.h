// Recipe keys as the options of the stages that read them. Internal to the pipeline.
#pragma once

#include "difficulty/difficulty.h"
#include "llm/chat_model.h"
#include "pipeline/recipe.h"
#include "prompting/prompts.h"
#include "rubric/component.h"
#include "student/student.h"
#include "tasks/taxonomy.h"
#include "teach/teach.h"

namespace tapir::pipeline {

llm::Sampling sampling_of(const ModelPart& part);
// Requests that a stage hands out at a time. Of endpoints twice as many as may be sent, so that
// those that wait for their retry take nobody's place.
std::size_t in_flight(const ModelPart& part);

difficulty::JudgeOptions judge_options(const Recipe& recipe);
// Of asking who confirms requirements (judge.rubric.role).
difficulty::JudgeOptions confirming_options(const Recipe& recipe);
difficulty::SelectOptions select_options(const Recipe& recipe);
// Under whom a student's answers are booked: "student/s0".
std::string author_of(const std::string& student);

// How the student answers the rows of D.
student::GenerateOptions generate_options(const Recipe& recipe);
// How it sits exams: the same, but always greedy.
student::GenerateOptions exam_options(const Recipe& recipe);

teach::ExpandOptions expand_options(const Recipe& recipe, const std::string& arm, int round);
// What the new instruction of a request has to ask for (teach.layers above 0).
rubric::Rubric requirements_of(const Recipe& recipe, const std::string& request);

// Built-in ones, or those that the recipe's paths name.
tasks::Taxonomy taxonomy_of(const Recipe& recipe);
prompting::PromptSet prompts_of(const Recipe& recipe);

}  // namespace tapir::pipeline
