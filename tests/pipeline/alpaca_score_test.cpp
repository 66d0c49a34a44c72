// `tapir eval alpaca score` on files: the published figures, and what is wrong with a file.
#include <algorithm>

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/strings.h"
#include "error_of.h"
#include "evaluate/alpaca_data.h"
#include "pipeline/alpaca_data.h"
#include "pipeline/alpaca_score_files.h"

namespace tapir::pipeline {
namespace {

using testing::complaint_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Folders and files in upstream's form.
class AlpacaScore : public ::testing::Test {
 protected:
  // The real rows of a model, as alpaca_eval writes them.
  std::string real(const std::string& model) {
    return written(model, testing::alpaca_annotations(model));
  }

  std::string written(const std::string& name, const std::vector<evaluate::Annotation>& rows) {
    std::vector<OrderedJson> json;
    for (const evaluate::Annotation& row : rows) json.push_back(to_json(row));
    return text(name + ".json", evaluate::json_array_text(json));
  }

  std::string text(const std::string& name, const std::string& content) {
    const std::filesystem::path path = folder.path() / name;
    write_file(path, content);
    return path.string();
  }

  static AlpacaScoreOptions official(const std::vector<std::string>& files) {
    AlpacaScoreOptions options;
    options.annotations = files;
    const std::filesystem::path data = testing::alpaca_folder();
    options.instructions = (data / "outputs" / "gpt4_1106_preview.json.gz").string();
    options.difficulty = (data / "instruction_difficulty_reconstructed.csv").string();
    options.regularization = (data / "df_gamed_reconstructed.csv").string();
    options.c = 21.54;
    return options;
  }

  testing::TemporaryFolder folder;
};

// A small set of one's own: five instructions, a model that answers them all.
std::vector<evaluate::Annotation> own_rows(const std::string& model = "mine") {
  std::vector<evaluate::Annotation> rows;
  for (int i = 0; i < 5; ++i) {
    evaluate::Annotation row;
    row.instruction = "question " + std::to_string(i);
    row.output_1 = std::string(static_cast<std::size_t>(10 + i), 'a');
    row.output_2 = std::string(static_cast<std::size_t>(20 - 3 * i), 'b');
    row.generator_1 = "base";
    row.generator_2 = model;
    row.annotator = "judge";
    row.preference = 1 + 0.2 * i;
    rows.push_back(row);
  }
  return rows;
}

TEST_F(AlpacaScore, PublishedModelsHaveTheirPublishedFigures) {
  TAPIR_NEEDS_TEST_DATA("alpaca_eval/annotations");
  AlpacaScoreOptions options = official({real("vicuna-7b"), real("claude-2"), real("phi-2")});
  options.allow_missing = true;
  options.leaderboard = (testing::alpaca_folder() / "leaderboard.csv").string();
  const Json json = alpaca_scores_json(score_alpaca(options));
  ASSERT_EQ(json.at("models").size(), 3U);
  const auto leaderboard = testing::alpaca_leaderboard();
  for (const Json& model : json.at("models")) {
    const auto& published = leaderboard.at(model.at("name"));
    EXPECT_NEAR(model.at("win_rate"), published.rates.win_rate, 1e-9);
    EXPECT_NEAR(model.at("standard_error"), published.rates.standard_error, 1e-9);
    EXPECT_EQ(model.at("n_total"), published.rates.n_total);
    EXPECT_EQ(model.at("comparable"), model.at("name") != "phi-2");
    if (model.at("name") == "phi-2") continue;
    EXPECT_NEAR(model.at("length_controlled_winrate"), *published.length_controlled_winrate, 0.11);
    EXPECT_EQ(model.at("avg_length"), published.avg_length);
  }
  EXPECT_EQ(json.at("models")[2].at("missing_rows"), 2);
}

TEST_F(AlpacaScore, RecordedRepliesGiveThePreferencesAgain) {
  TAPIR_NEEDS_TEST_DATA("alpaca_eval/annotations");
  AlpacaScoreOptions options =
      official({(testing::alpaca_folder() / "annotations" / "alpaca-7b.raw.json.gz").string()});
  options.recompute = true;
  const AlpacaScores scores = score_alpaca(options);
  EXPECT_LT(scores.models[0].largest_recomputed_difference, 1e-9);
  EXPECT_GT(scores.models[0].largest_recomputed_difference, 0);
  EXPECT_NEAR(scores.models[0].row.rates.win_rate, 2.591450540223603, 1e-9);
}

TEST_F(AlpacaScore, AnotherOrderOfRowsChangesNothing) {
  TAPIR_NEEDS_TEST_DATA("alpaca_eval/annotations");
  std::vector<evaluate::Annotation> rows = testing::alpaca_annotations("wizardlm-13b");
  const auto plain = score_alpaca(official({written("plain", rows)})).models[0];
  std::reverse(rows.begin(), rows.end());
  const AlpacaScores turned = score_alpaca(official({written("turned", rows)}));
  EXPECT_NEAR(*turned.models[0].row.length_controlled_winrate, *plain.row.length_controlled_winrate,
              1e-12);
  EXPECT_THAT(join(turned.notes, "\n"), HasSubstr("another order"));
}

TEST_F(AlpacaScore, ARowThatIsMissingShiftsNobodyElse) {
  TAPIR_NEEDS_TEST_DATA("alpaca_eval/annotations");
  std::vector<evaluate::Annotation> rows = testing::alpaca_annotations("claude-2");
  const auto whole = score_alpaca(official({written("whole", rows)})).models[0];
  rows.erase(rows.begin() + 100);
  const AlpacaScores scores = score_alpaca(official({written("less", rows)}));
  EXPECT_FALSE(scores.complete);
  const AlpacaModelScore& less = scores.models[0];
  EXPECT_EQ(less.row.rates.n_total, 804);
  EXPECT_THAT(join(scores.notes, "\n"),
              HasSubstr("1 instructions of the set without a row: number 101"));
  EXPECT_NEAR(less.weights->difficulty, whole.weights->difficulty, 0.01);
  AlpacaScoreOptions allowed = official({written("less", rows)});
  allowed.allow_missing = true;
  EXPECT_TRUE(score_alpaca(allowed).complete);
}

TEST_F(AlpacaScore, WithoutTheOfficialOrderMissingRowsAreRefused) {
  TAPIR_NEEDS_TEST_DATA("alpaca_eval/annotations");
  std::vector<evaluate::Annotation> rows = testing::alpaca_annotations("claude-2");
  rows.erase(rows.begin() + 100);
  AlpacaScoreOptions options = official({written("less", rows)});
  options.instructions.clear();
  EXPECT_THAT(complaint_of(ErrorKind::usage, [&] { return score_alpaca(options); }),
              HasSubstr("804 instructions but 805 difficulties"));
}

TEST_F(AlpacaScore, ASetOfOnesOwnIsScoredMinimally) {
  AlpacaScoreOptions options;
  options.annotations = {written("own", own_rows())};
  const Json model = alpaca_scores_json(score_alpaca(options)).at("models")[0];
  EXPECT_NEAR(model.at("win_rate"), 40, 1e-9);
  EXPECT_EQ(model.at("lc").at("method"), "minimal");
  EXPECT_EQ(model.at("lc").at("c_by"), "cross-validation");
  EXPECT_TRUE(model.at("length_controlled_winrate").is_number());
  EXPECT_THAT(model.at("not_comparable").get<std::string>(), HasSubstr("judge"));
}

TEST_F(AlpacaScore, DuplicatesWaitForADecision) {
  std::vector<evaluate::Annotation> rows = own_rows();
  rows.push_back(rows[1]);
  rows.back().preference = 2;
  AlpacaScoreOptions options;
  options.annotations = {written("own", rows)};
  const std::string words = complaint_of(ErrorKind::data, [&] { return score_alpaca(options); });
  EXPECT_THAT(words, HasSubstr("mine: 1 rows on an instruction that came before"));
  EXPECT_THAT(words, HasSubstr("row 6"));
  EXPECT_THAT(words, HasSubstr("--duplicates"));
  options.duplicates = evaluate::Duplicates::last;
  EXPECT_NEAR(score_alpaca(options).models[0].row.rates.win_rate, 40 + 0.8 * 20, 1e-9);
}

TEST_F(AlpacaScore, UnknownInstructionsWaitForADecision) {
  AlpacaScoreOptions options;
  std::vector<evaluate::Annotation> rows = own_rows();
  rows[4].instruction = "something else";
  options.annotations = {written("own", rows)};
  options.instructions = written("set", own_rows());
  options.allow_missing = true;
  EXPECT_THAT(complaint_of(ErrorKind::data, [&] { return score_alpaca(options); }),
              HasSubstr("1 rows whose instruction is not in the set"));
  options.drop_unknown = true;
  const AlpacaScores scores = score_alpaca(options);
  EXPECT_EQ(scores.models[0].row.rates.n_total, 4);
  EXPECT_THAT(join(scores.notes, "\n"), HasSubstr("something else"));
}

TEST_F(AlpacaScore, PreferencesThatAreNotThereAreCounted) {
  std::vector<evaluate::Annotation> rows = own_rows();
  rows[0].preference.reset();
  AlpacaScoreOptions options;
  options.annotations = {written("own", rows)};
  const AlpacaScores scores = score_alpaca(options);
  EXPECT_FALSE(scores.complete);
  const Json model = alpaca_scores_json(scores).at("models")[0];
  EXPECT_EQ(model.at("missing_preferences"), 1);
  EXPECT_EQ(model.at("n_total"), 4);
}

TEST_F(AlpacaScore, OnlyTheModelsThatAreAskedFor) {
  AlpacaScoreOptions options;
  options.annotations = {written("a", own_rows("a")), written("b", own_rows("b"))};
  options.models = {"b"};
  const AlpacaScores scores = score_alpaca(options);
  ASSERT_EQ(scores.models.size(), 1U);
  EXPECT_EQ(scores.models[0].row.name, "b");
  EXPECT_THAT(scores.left_out, ElementsAre("a"));
  options.models = {"c"};
  complaint_of(ErrorKind::usage, [&] { return score_alpaca(options); });
}

TEST_F(AlpacaScore, AnotherEncodingIsNamedAndRead) {
  const std::string utf8 =
      replace_all(evaluate::json_array_text({to_json(own_rows()[0]), to_json(own_rows()[1])}),
                  "question", "caf\u00e9");
  AlpacaScoreOptions options;
  options.annotations = {text("latin.json", replace_all(utf8, "\u00e9", "\xE9"))};
  EXPECT_THAT(complaint_of(ErrorKind::data, [&] { return score_alpaca(options); }),
              HasSubstr("is not in utf-8"));
  options.encoding = "latin1";
  EXPECT_EQ(score_alpaca(options).models[0].row.rates.n_total, 2);
}

TEST_F(AlpacaScore, JointDifficultyNeedsSeveralModels) {
  AlpacaScoreOptions options;
  options.annotations = {written("a", own_rows("a"))};
  options.joint = true;
  complaint_of(ErrorKind::usage, [&] { return score_alpaca(options); });
  options.annotations.push_back(written("b", own_rows("b")));
  const AlpacaScores scores = score_alpaca(options);
  EXPECT_EQ(scores.models[0].method, LcMethod::joint);
  // Both win more on later questions.
  EXPECT_GT(scores.difficulties.back(), scores.difficulties.front());
}

TEST_F(AlpacaScore, HeadToHeadAndAnotherBaseline) {
  std::vector<evaluate::Annotation> better = own_rows("better");
  for (evaluate::Annotation& row : better) *row.preference += 0.15;
  AlpacaScoreOptions options;
  options.annotations = {written("a", own_rows("a")), written("b", better)};
  options.c = 10;
  const Json table = alpaca_head_to_head(score_alpaca(options));
  EXPECT_THAT(table.at("models"), ElementsAre("a", "better", "base"));
  const auto rates = table.at("win_rate").get<std::vector<std::vector<double>>>();
  EXPECT_NEAR(rates[0][1] + rates[1][0], 100, 1e-9);
  EXPECT_GT(rates[1][0], 50);
  options.baseline = "a";
  const AlpacaScores against = score_alpaca(options);
  EXPECT_NEAR(*against.models[0].row.length_controlled_winrate, 50, 1e-9);
  EXPECT_NEAR(*against.models[1].row.length_controlled_winrate, rates[1][0], 1e-9);
  options.baseline = "nobody";
  complaint_of(ErrorKind::usage, [&] { return score_alpaca(options); });
}

TEST_F(AlpacaScore, FilesComeOutInUpstreamsForm) {
  AlpacaScoreOptions options;
  options.annotations = {written("own", own_rows())};
  options.output = (folder.path() / "out").string();
  const AlpacaScores scores = score_alpaca(options);
  const auto read = [&](const std::string& name) {
    return read_file(folder.path() / "out" / name);
  };
  const auto board = evaluate::read_leaderboard(read("leaderboard.csv"), "l");
  EXPECT_EQ(board[0].rates.win_rate, scores.models[0].row.rates.win_rate);
  EXPECT_EQ(board[0].length_controlled_winrate, scores.models[0].row.length_controlled_winrate);
  EXPECT_EQ(evaluate::read_weights(read("weights.csv"), "w").size(), 1U);
  const Json rows = parse_json(read("annotations.json"), "a");
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_EQ(rows[2].at("glm_preference"), scores.models[0].shares[2]);
  EXPECT_EQ(rows[2].at("preference"), 1.4);
}

TEST_F(AlpacaScore, AFolderOfUpstreamsFilesIsLookedInto) {
  const std::vector<AlpacaFileCheck> checks = check_alpaca_files(folder.path());
  EXPECT_EQ(checks.size(), 6U);
  for (const AlpacaFileCheck& check : checks) {
    EXPECT_FALSE(check.there) << check.name;
    EXPECT_THAT(check.words, HasSubstr("upstream keeps it at https://"));
  }
  text("instruction_difficulty.csv", "index,instruction_difficulty\n0,1\n1,x\n");
  text("df_gamed.csv",
       "index,std_delta_len,instruction_difficulty,preference,not_gamed_baseline\n0,1,1,0.5,"
       "False\n");
  std::map<std::string, AlpacaFileCheck> found;
  for (const AlpacaFileCheck& check : check_alpaca_files(folder.path())) found[check.name] = check;
  EXPECT_FALSE(found.at("instruction_difficulty.csv").ok);
  EXPECT_THAT(found.at("instruction_difficulty.csv").words, HasSubstr(":3: column"));
  EXPECT_TRUE(found.at("df_gamed.csv").ok);
  complaint_of(ErrorKind::data, [&] { return check_alpaca_files(folder.path() / "none"); });
}

}  // namespace
}  // namespace tapir::pipeline
