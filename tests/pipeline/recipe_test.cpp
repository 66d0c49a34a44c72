#include "pipeline/recipe.h"

#include <set>

#include <gmock/gmock.h>

#include "base/error.h"
#include "error_of.h"
#include "pipeline/plan.h"

namespace tapir::pipeline {
namespace {

constexpr const char* kMinimal = "student: {model_name_or_path: base}\ndata: {gym: {rows: 10}}\n";

Recipe parse(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
  return parse_recipe(yaml, "recipe.yaml", "/tmp", overrides);
}

// The words of the error that parsing ends with.
std::string complaint(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
  return testing::complaint_of(ErrorKind::usage, [&] { parse(yaml, overrides); });
}

TEST(Recipe, UnknownKeyNamesLineAndNearest) {
  EXPECT_THAT(complaint(std::string(kMinimal) + "train:\n  learning_rat: 1\n"),
              ::testing::AllOf(::testing::HasSubstr("recipe.yaml:4"),
                               ::testing::HasSubstr("train.learning_rat"),
                               ::testing::HasSubstr("did you mean train.learning_rate?")));
}

TEST(Recipe, WrongTypeSaysWhatWasExpectedAndFound) {
  EXPECT_THAT(complaint(std::string(kMinimal) + "curriculum: {rounds: many}\n"),
              ::testing::AllOf(::testing::HasSubstr("curriculum.rounds"),
                               ::testing::HasSubstr("whole"), ::testing::HasSubstr("many")));
}

TEST(Recipe, ImpossibleValues) {
  EXPECT_THAT(complaint(std::string(kMinimal) + "curriculum: {rounds: 0}\n"),
              ::testing::HasSubstr("curriculum.rounds"));
  EXPECT_THAT(complaint(std::string(kMinimal) + "curriculum: {alpha: 1.5}\n"),
              ::testing::HasSubstr("from 0 to 1"));
  EXPECT_THAT(complaint(std::string(kMinimal) + "train: {learning_rate: .nan}\n"),
              ::testing::HasSubstr("learning_rate"));
  EXPECT_THAT(complaint("data: {gym: {rows: 10}}\n"),
              ::testing::HasSubstr("student.model_name_or_path"));
  EXPECT_THAT(complaint("student: {model_name_or_path: x}\n"),
              ::testing::HasSubstr("no instructions"));
  EXPECT_THAT(complaint(std::string(kMinimal) + "arms: {plain: {}}\n"),
              ::testing::HasSubstr("batch_tokens"));
  EXPECT_THAT(complaint(std::string(kMinimal) + "arms: {tapir: {}}\n"),
              ::testing::HasSubstr("main arm"));
  EXPECT_THAT(complaint(std::string(kMinimal) + "seed: 1\nseed: 2\n"),
              ::testing::HasSubstr("twice"));
  EXPECT_THAT(complaint("student: [1, 2\n"), ::testing::HasSubstr("not valid YAML"));
}

TEST(Recipe, TemplatesAreThoseOfTheTable) {
  EXPECT_EQ(parse(kMinimal, {"student.template=llama3"}).student.chat_format, "llama3");
  EXPECT_THAT(complaint(kMinimal, {"student.template=chatlm"}),
              ::testing::AllOf(::testing::HasSubstr("student.template"),
                               ::testing::HasSubstr("did you mean chatml?"),
                               ::testing::HasSubstr("mistral-v3")));
  EXPECT_THAT(complaint(kMinimal, {"student.template=plain", "student.s0=as_is"}),
              ::testing::HasSubstr("needs student.s0: train"));
}

TEST(Recipe, OverridesWinAndAreChecked) {
  EXPECT_EQ(parse(kMinimal, {"train.learning_rate=1e-5"}).train.learning_rate, 1e-5);
  EXPECT_EQ(parse(kMinimal, {"arms.plain.select=random", "train.batch_tokens=512"})
                .arms.at("plain")
                .select,
            "random");
  EXPECT_THAT(complaint(kMinimal, {"train.nothing=1"}),
              ::testing::HasSubstr("unknown key train.nothing"));
  EXPECT_THAT(complaint(kMinimal, {"nonsense"}), ::testing::HasSubstr("key=value"));
}

TEST(Recipe, EnvironmentIsExpanded) {
  ::setenv("TAPIR_TEST_FOLDER", "models/x", 1);
  EXPECT_EQ(
      parse("student: {model_name_or_path: \"${TAPIR_TEST_FOLDER}/y\"}\ndata: {gym: {rows: 1}}\n")
          .student.model_name_or_path,
      "models/x/y");
  EXPECT_THAT(complaint("student: {model_name_or_path: \"${TAPIR_NO_SUCH_NAME}\"}\n"),
              ::testing::HasSubstr("TAPIR_NO_SUCH_NAME"));
}

TEST(Recipe, TheResolvedRecipeReadsBackTheSame) {
  const Recipe recipe = parse(std::string(kMinimal) +
                              "arms: {plain: {select: random}}\ntrain: {batch_tokens: 64}\n"
                              "difficulty: {max_gap: 7.5}\nname: \"a b\"\n");
  const std::string yaml = to_yaml(recipe);
  EXPECT_EQ(to_yaml(parse(yaml)), yaml);
  EXPECT_THAT(yaml, ::testing::HasSubstr("max_gap: 7.5"));
}

TEST(Recipe, EveryKeyIsThereOnceAndHasHelp) {
  std::set<std::string> paths;
  for (const KeyInfo& key : recipe_keys()) {
    EXPECT_TRUE(paths.insert(key.path).second) << key.path;
    EXPECT_FALSE(key.help.empty()) << key.path;
  }
}

// ---- plan ----

std::map<std::string, std::string> fingerprints(const Recipe& recipe) {
  std::map<std::string, std::string> out;
  for (const PlannedStage& stage : make_plan(recipe, {})) out[stage.name] = stage.fingerprint;
  return out;
}

std::set<std::string> touched(const std::string& change) {
  const std::string yaml = std::string(kMinimal) +
                           "arms: {plain: {select: random, expand: false}}\n"
                           "train: {batch_tokens: 64}\ncurriculum: {rounds: 2}\n";
  const auto before = fingerprints(parse(yaml));
  std::set<std::string> out;
  for (const auto& [name, fingerprint] : fingerprints(parse(yaml, {change}))) {
    if (before.at(name) != fingerprint) out.insert(name);
  }
  return out;
}

TEST(Plan, AChangedKeyTouchesOnlyTheStagesThatReadIt) {
  EXPECT_THAT(touched("teacher.max_concurrent_requests=7"), ::testing::IsEmpty());
  EXPECT_THAT(touched("train.save_steps=7"), ::testing::IsEmpty());
  EXPECT_THAT(touched("evaluate.exam.pool=7"),
              ::testing::UnorderedElementsAre("exam/s0", "exam/tapir/round-1", "exam/tapir/round-2",
                                              "exam/plain/round-1", "exam/plain/round-2"));
  const auto threshold = touched("difficulty.threshold=3");
  EXPECT_TRUE(threshold.contains("select"));
  EXPECT_TRUE(threshold.contains("tapir/round-1/expand"));
  EXPECT_FALSE(threshold.contains("s0/train"));
  EXPECT_FALSE(threshold.contains("s0/answers"));
  EXPECT_TRUE(touched("student.template=plain").contains("s0/train"));
  EXPECT_FALSE(touched("student.template=plain").contains("tasks"));
  EXPECT_TRUE(touched("train.save_dtype=float32").contains("tapir/round-1/train"));
  const auto refine = touched("teach.refine=hard");
  EXPECT_TRUE(refine.contains("tapir/round-1/mix"));
  EXPECT_FALSE(refine.contains("plain/round-1/mix"));
}

TEST(Plan, TeachingComesBeforeTrainingUnlessRejudged) {
  const auto order = [](const std::string& rejudge) {
    std::vector<std::string> names;
    for (const PlannedStage& s : make_plan(parse(kMinimal, {"curriculum.rejudge=" + rejudge}), {}))
      names.push_back(s.name);
    const auto at = [&](const std::string& name) {
      return std::find(names.begin(), names.end(), name) - names.begin();
    };
    return at("tapir/round-3/refine") < at("tapir/round-1/train");
  };
  EXPECT_TRUE(order("false"));
  EXPECT_FALSE(order("true"));
}

TEST(Plan, FoldersOfStudents) {
  EXPECT_EQ(student_folder("s0"), "students/s0");
  EXPECT_EQ(student_folder("tapir/round-2"), "students/round-2");
  EXPECT_EQ(student_folder("plain/round-1"), "arms/plain/students/round-1");
}

}  // namespace
}  // namespace tapir::pipeline
