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

constexpr const char* kOwnRows =
    "student: {model_name_or_path: base}\n"
    "data: {instructions: [data/math.jsonl, words.jsonl], held_out: 20}\n"
    "teacher: {kind: recorded}\nteach: {expand: false, refine: none}\n"
    "judge: {kind: overlap, by_source: [\"math.jsonl: answer_match\"]}\n"
    "tasks: {classifier: given}\n";

TEST(Recipe, ARecordedTeacherIsNeverAsked) {
  using ::testing::HasSubstr;
  EXPECT_EQ(parse(kOwnRows).data.held_out, 20);
  EXPECT_THAT(complaint(kOwnRows, {"teach.expand=true"}), HasSubstr("cannot expand or refine"));
  EXPECT_THAT(complaint(kOwnRows, {"data.responses=missing"}), HasSubstr("cannot answer"));
  EXPECT_THAT(complaint(kOwnRows, {"arms.plain.select=random", "train.batch_tokens=64"}),
              ::testing::AllOf(HasSubstr("arm plain"), HasSubstr("arms.plain")));
  EXPECT_THAT(complaint(kOwnRows, {"tasks.classifier=light"}), HasSubstr("tasks.labelled: FILE"));
  EXPECT_EQ(parse(kOwnRows, {"tasks.classifier=light", "tasks.labelled=rows.jsonl"}).tasks.labelled,
            "rows.jsonl");
  EXPECT_THAT(complaint(kOwnRows, {"tasks.labelled=rows.jsonl"}),
              HasSubstr("tasks.classifier is given"));
}

TEST(Recipe, RowsThatAreHeldOutNeedAJudgeThatKnowsThem) {
  using ::testing::HasSubstr;
  EXPECT_THAT(complaint(kOwnRows, {"judge.kind=gym"}), HasSubstr("gym's items only"));
  EXPECT_THAT(complaint(kOwnRows, {"difficulty.held_out_rows=21"}),
              HasSubstr("data.held_out is 20"));
  EXPECT_THAT(complaint(kMinimal, {"data.held_out=5"}), HasSubstr("the rows are the gym's"));
}

TEST(Recipe, JudgesBySourceAreRulesForFilesOfTheData) {
  using ::testing::AllOf;
  using ::testing::HasSubstr;
  const auto of = [](const std::string& entry) {
    return complaint(kOwnRows, {"judge.by_source=[\"" + entry + "\"]"});
  };
  EXPECT_THAT(of("maths.jsonl: overlap"),
              AllOf(HasSubstr("maths.jsonl is no file"), HasSubstr("math.jsonl, words.jsonl")));
  EXPECT_THAT(of("math.jsonl: openai"), HasSubstr("no judge by rule"));
  EXPECT_THAT(of("math.jsonl"), AllOf(HasSubstr("judge.by_source"), HasSubstr("FILE: ...")));
  EXPECT_EQ(to_yaml(parse(to_yaml(parse(kOwnRows)))), to_yaml(parse(kOwnRows)));
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

constexpr const char* kRemote =
    "student: {model_name_or_path: base}\ndata: {gym: {rows: 10}}\n"
    "judge:\n  kind: openai\n  model: m\n"
    "  endpoints: [{base_url: \"http://localhost:8000/v1/\", api_key_env: JUDGE_API_KEY},\n"
    "              {base_url: \"https://api.example.com/v1\", requests_per_minute: 500}]\n";

TEST(Recipe, EndpointsAreReadAndShown) {
  const Recipe recipe = parse(kRemote);
  ASSERT_EQ(recipe.judge.endpoints.size(), 2U);
  EXPECT_EQ(recipe.judge.endpoints[0].base_url, "http://localhost:8000/v1");
  EXPECT_EQ(recipe.judge.endpoints[0].api_key_env, "JUDGE_API_KEY");
  EXPECT_EQ(recipe.judge.endpoints[0].requests_per_minute, -1);
  EXPECT_EQ(recipe.judge.endpoints[1].requests_per_minute, 500);
  const Recipe again = parse(to_yaml(recipe));
  EXPECT_EQ(to_yaml(again), to_yaml(recipe));
  EXPECT_EQ(again.judge.endpoints[1].base_url, "https://api.example.com/v1");
}

TEST(Recipe, EndpointsChangeNoResult) {
  const std::string before = fingerprint_text(parse(kRemote), {"judge"});
  const auto with = [&](const std::string& setting) {
    return fingerprint_text(parse(kRemote, {setting}), {"judge"});
  };
  EXPECT_EQ(with("judge.endpoints=[{base_url: http://other/v1}]"), before);
  EXPECT_EQ(with("judge.max_retries=3"), before);
  EXPECT_NE(with("judge.model=other"), before);
  EXPECT_NE(with("judge.revision=2024-05"), before);
  EXPECT_NE(with("judge.extra_body={reasoning_effort: low}"), before);
}

TEST(Recipe, EndpointsThatCannotBe) {
  using ::testing::AllOf;
  using ::testing::HasSubstr;
  const auto of = [](const std::string& judge) { return complaint(std::string(kMinimal) + judge); };
  EXPECT_THAT(of("judge: {kind: openai, model: m}\n"), HasSubstr("judge.endpoints is not set"));
  EXPECT_THAT(of("judge: {kind: openai, endpoints: [{base_url: \"http://h/v1\"}]}\n"),
              HasSubstr("judge.model is not set"));
  EXPECT_THAT(of("judge: {endpoints: [{base_url: \"http://h/v1\"}]}\n"),
              HasSubstr("judge.kind: openai"));
  EXPECT_THAT(of("judge: {endpoints: [{url: x}]}\n"),
              AllOf(HasSubstr("judge.endpoints[0].url"), HasSubstr("base_url, api_key_env")));
  EXPECT_THAT(of("judge: {endpoints: [{base_url: \"ftp://h\"}]}\n"), HasSubstr("http or https"));
  EXPECT_THAT(complaint(kRemote, {"budget.max_usd=5"}),
              AllOf(HasSubstr("judge has no price"), HasSubstr("price_per_million")));
  EXPECT_THAT(complaint(kRemote, {"judge.price_per_million.input=5"}),
              HasSubstr("only one of input and output"));
  EXPECT_THAT(complaint(kRemote, {"judge.price=5"}), HasSubstr("judge.price"));
  EXPECT_THAT(complaint(kRemote, {"judge.price_per_million=5"}), HasSubstr("section of keys"));
  EXPECT_THAT(complaint(kRemote, {"judge.extra_body={model: x}"}), HasSubstr("set by the program"));
}

// A key where its name, or an address, belongs: it is refused without being repeated.
TEST(Recipe, KeysAreNotRepeated) {
  for (const std::string judge :
       {"endpoints: [{base_url: \"http://h/v1\", api_key_env: sk-planted}]",
        "endpoints: [{base_url: \"http://u:sk-planted@h/v1\"}]",
        "endpoints: [{base_url: \"http://h/v1?key=sk-planted\"}]",
        "endpoints: \"http://u:sk-planted@h/v1\"", "endpoints: [\"http://u:sk-planted@h/v1\"]",
        "endpoints: [{base_url: [\"sk-planted\"]}]"}) {
    const std::string said = complaint(std::string(kMinimal) + "judge: {" + judge + "}\n");
    EXPECT_THAT(said, ::testing::HasSubstr("judge.endpoints")) << judge;
    EXPECT_THAT(said, ::testing::Not(::testing::HasSubstr("sk-planted"))) << judge;
  }
}

TEST(Recipe, ExtraBodyIsASectionOrJson) {
  const std::string section = "judge: {extra_body: {a: 1, b: [true, null, x], c: \"1\", d: 0.5}}\n";
  const std::string json = R"({"a":1,"b":[true,null,"x"],"c":"1","d":0.5})";
  EXPECT_EQ(parse(std::string(kMinimal) + section).judge.extra_body, json);
  EXPECT_EQ(parse(std::string(kMinimal) + "judge: {extra_body: '" + json + "'}\n").judge.extra_body,
            json);
  EXPECT_EQ(parse(to_yaml(parse(std::string(kMinimal) + section))).judge.extra_body, json);
}

TEST(Recipe, EnvironmentIsExpandedInsideOfLists) {
  ::setenv("TAPIR_TEST_HOST", "gpu7", 1);
  const Recipe recipe =
      parse(kRemote, {"judge.endpoints=[{base_url: \"http://${TAPIR_TEST_HOST}:1/v1\"}]"});
  EXPECT_EQ(recipe.judge.endpoints.at(0).base_url, "http://gpu7:1/v1");
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

TEST(Plan, BenchmarksTouchNoStageButTheirOwn) {
  const std::vector<std::string> judged = {"auditor.kind=openai", "auditor.model=m",
                                           "auditor.endpoints=[{base_url: \"http://a/v1\"}]",
                                           "evaluate.judge=auditor"};
  std::vector<std::string> with = judged;
  with.insert(with.end(), {"evaluate.mt_bench={data_dir: mt}", "evaluate.students=[final]"});
  const auto before = make_plan(parse(kMinimal, judged), {});
  const auto after = make_plan(parse(kMinimal, with), {});
  ASSERT_EQ(after.size(), before.size() + 2);
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_EQ(after[i].fingerprint, before[i].fingerprint) << before[i].name;
  EXPECT_EQ(after.back().name, "mt_bench/final");
  with.emplace_back("curriculum.forgetting_gate=stop");
  const auto gated = make_plan(parse(kMinimal, with), {});
  const auto& answers = gated[gated.size() - 2];
  EXPECT_THAT(answers.upstream, ::testing::Contains("exam/tapir/round-1"))
      << "which student is the final one hangs on every exam";
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
