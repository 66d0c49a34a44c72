#include "pipeline/alpaca_score_files.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/error.h"
#include "base/file.h"
#include "base/strings.h"
#include "evaluate/alpaca_judge.h"
#include "pipeline/alpaca_data.h"
#include "stats/intervals.h"

namespace tapir::pipeline {
namespace {

// Of the leaderboard: what figures must have in common with it to be compared.
constexpr std::string_view kBoardJudge = "weighted_alpaca_eval_gpt4_turbo";
constexpr std::string_view kBoardBaseline = "gpt4_1106_preview";
constexpr std::size_t kBoardRows = 805;

// What the files say, before any model is scored.
struct Inputs {
  std::vector<evaluate::Annotation> annotations;
  std::map<std::string, double> recomputed;  // largest difference, by model
  std::vector<std::string> instructions;
  bool official_order = false;
  std::vector<double> difficulties;  // by place; empty: none
  std::vector<evaluate::RegularizationRow> regularization;
  evaluate::WeightTable weights;
  std::map<std::string, evaluate::LeaderboardRow> leaderboard;
};

// Preferences by the judges' recorded replies; how far each is from the one in the file.
void recompute(Inputs& in) {
  for (evaluate::Annotation& row : in.annotations) {
    const bool equal = row.output_1 == row.output_2;
    if (!equal && row.first_tokens.empty() && row.reply.empty()) continue;
    std::optional<double> preference = 1.5;
    if (!equal) {
      preference = row.first_tokens.empty() ? evaluate::preference_of_letter(row.reply)
                                            : evaluate::preference_of_tokens(row.first_tokens);
      if (preference)
        preference = evaluate::unswitched(*preference, evaluate::is_switched(row.instruction));
    }
    if (preference && row.preference) {
      double& largest = in.recomputed[row.generator_2];
      largest = std::max(largest, std::abs(*preference - *row.preference));
    }
    row.preference = preference;
  }
}

std::string path_or(const std::string& named, const std::filesystem::path& data_dir,
                    AlpacaFile file) {
  return named.empty() ? alpaca_file(data_dir, file).string() : named;
}

// The set's order, and what is known of its instructions by place.
void read_set(const AlpacaScoreOptions& options, Inputs& in) {
  const auto text = [&](const std::string& path) { return read_text(path, "utf-8"); };
  const std::string set = path_or(options.instructions, options.data_dir, AlpacaFile::baseline);
  in.official_order = !set.empty();
  in.instructions = in.official_order
                        ? evaluate::read_instruction_list(read_text(set, options.encoding), set)
                        : evaluate::instructions_of(in.annotations);
  const std::string rows =
      path_or(options.regularization, options.data_dir, AlpacaFile::regularization);
  const std::string difficulty =
      path_or(options.difficulty, options.data_dir, AlpacaFile::difficulty);
  if (!rows.empty()) in.regularization = evaluate::read_regularization(text(rows), rows);
  if (!difficulty.empty()) {
    in.difficulties = evaluate::read_difficulties(text(difficulty), difficulty);
  } else if (!rows.empty()) {
    in.difficulties = evaluate::difficulties_of_regularization(text(rows), rows);
  }
}

Inputs read_inputs(const AlpacaScoreOptions& options) {
  Inputs in;
  for (const std::string& file : options.annotations) {
    const auto rows = evaluate::read_annotations(read_text(file, options.encoding), file);
    in.annotations.insert(in.annotations.end(), rows.begin(), rows.end());
  }
  if (options.recompute) recompute(in);
  read_set(options, in);
  if (!options.weights.empty()) {
    in.weights = evaluate::read_weights(read_text(options.weights, "utf-8"), options.weights);
  }
  const std::string board = path_or(options.leaderboard, options.data_dir, AlpacaFile::leaderboard);
  if (!board.empty()) {
    for (auto& row : evaluate::read_leaderboard(read_text(board, "utf-8"), board))
      in.leaderboard[row.name] = row;
  }
  return in;
}

// ---- faults: named and counted, decided by a flag ----

std::string fault_text(const evaluate::JoinedModel& model, const evaluate::Fault& fault,
                       std::string_view what) {
  return fmt::format("{}: {} {}: {}{}", model.model, fault.count, what, join(fault.examples, "; "),
                     fault.count > static_cast<std::int64_t>(fault.examples.size()) ? "; ..." : "");
}

void check_order(const AlpacaScoreOptions& options, const Inputs& in,
                 const std::vector<evaluate::JoinedModel>& models) {
  if (in.difficulties.empty()) return;
  if (in.instructions.size() != in.difficulties.size()) {
    throw Error(in.official_order ? ErrorKind::data : ErrorKind::usage,
                fmt::format("{} instructions but {} difficulties: they are told apart by their "
                            "place in the set's order",
                            in.instructions.size(), in.difficulties.size()),
                "name the set with --instructions: its rows in the order of the difficulties (the "
                "baseline's outputs as upstream keeps them)");
  }
  if (in.official_order) return;
  for (const evaluate::JoinedModel& model : models) {
    if (model.in_order) continue;
    throw Error(ErrorKind::usage,
                "the rows of " + model.model + " stand in another order than those of " +
                    options.annotations.front(),
                "difficulties go by the place in the set: name it with --instructions");
  }
}

// Throws where a flag would have to decide; notes what flags did decide.
void decide_faults(const AlpacaScoreOptions& options,
                   const std::vector<evaluate::JoinedModel>& models, AlpacaScores& scores) {
  std::vector<std::string> refused;
  std::set<std::string> hints;
  for (const evaluate::JoinedModel& m : models) {
    if (m.duplicates.count > 0) {
      const std::string text =
          fault_text(m, m.duplicates, "rows on an instruction that came before");
      const bool refuse = options.duplicates == evaluate::Duplicates::error;
      (refuse ? refused : scores.notes).push_back(text);
      if (refuse) hints.insert("--duplicates first|last|average");
    }
    if (m.unknown.count > 0) {
      const std::string text = fault_text(m, m.unknown, "rows whose instruction is not in the set");
      (options.drop_unknown ? scores.notes : refused).push_back(text);
      if (!options.drop_unknown) hints.insert("--drop-unknown");
    }
    if (m.missing.count > 0)
      scores.notes.push_back(fault_text(m, m.missing, "instructions of the set without a row"));
    if (m.no_preference.count > 0)
      scores.notes.push_back(fault_text(m, m.no_preference, "rows without a preference"));
    if (m.out_of_range.count > 0)
      scores.notes.push_back(fault_text(m, m.out_of_range, "preferences outside 1 to 2"));
    if (!m.in_order)
      scores.notes.push_back(m.model + ": rows in another order, joined by their instruction");
    scores.complete = scores.complete && (m.complete() || options.allow_missing);
  }
  if (refused.empty()) return;
  throw Error(ErrorKind::data, join(refused, "\n"),
              "decide with " + join({hints.begin(), hints.end()}, " and ") + ", or mend the file");
}

// Those that are asked for; the names of the others go to left_out.
std::vector<evaluate::JoinedModel> wanted_models(const AlpacaScoreOptions& options,
                                                 std::vector<evaluate::JoinedModel> models,
                                                 std::vector<std::string>& left_out) {
  std::set<std::string> asked(options.models.begin(), options.models.end());
  std::vector<evaluate::JoinedModel> wanted;
  for (evaluate::JoinedModel& model : models) {
    if (options.models.empty() || asked.erase(model.model) > 0) {
      wanted.push_back(std::move(model));
    } else {
      left_out.push_back(model.model);
    }
  }
  if (!asked.empty())
    throw Error(ErrorKind::usage, "no row is of the model \"" + *asked.begin() + "\"");
  if (options.joint && wanted.size() < 2) {
    throw Error(ErrorKind::usage, "--joint needs at least two models",
                "difficulty is what several models have in common; give more annotations");
  }
  return wanted;
}

void check_options(const AlpacaScoreOptions& options) {
  const auto& files = options.annotations;
  if (options.output.empty() || std::find(files.begin(), files.end(), "-") == files.end()) return;
  throw Error(ErrorKind::usage, "--output reads the annotations twice: name a file instead of -");
}

// ---- one model ----

std::vector<double> joint_difficulties(const std::vector<evaluate::JoinedModel>& models,
                                       std::size_t instructions) {
  std::vector<evaluate::JointRow> rows;
  for (std::size_t m = 0; m < models.size(); ++m) {
    std::vector<double> deltas;
    for (const evaluate::JoinedRow& row : models[m].rows) deltas.push_back(row.delta_length);
    const double sd = stats::sample_sd(deltas);
    for (const evaluate::JoinedRow& row : models[m].rows) {
      if (!row.preference) continue;
      rows.push_back({m, row.place, sd > 0 ? row.delta_length / sd : 0, *row.preference - 1});
    }
  }
  return evaluate::joint_difficulty(rows, models.size(), instructions);
}

LcMethod method_of(const AlpacaScoreOptions& options, const Inputs& in) {
  if (options.joint) return LcMethod::joint;
  if (!in.weights.empty()) return LcMethod::published;
  if (in.difficulties.empty()) return LcMethod::minimal;
  return in.regularization.empty() ? LcMethod::noreg : LcMethod::full;
}

// Fits, or looks the coefficients up.
void weigh(const AlpacaScoreOptions& options, const Inputs& in, AlpacaModelScore& score,
           const std::vector<double>& difficulties) {
  if (score.joined.model == score.baseline) {
    score.weights = evaluate::LengthControlWeights{};  // against itself
    return;
  }
  if (score.method == LcMethod::published) {
    const auto found = in.weights.find(score.joined.model);
    if (found == in.weights.end()) {
      throw Error(ErrorKind::data,
                  options.weights + " has no coefficients of \"" + score.joined.model + "\"",
                  "leave --weights out: they are fitted then");
    }
    score.weights = found->second;
    return;
  }
  std::vector<evaluate::LengthRow> rows;
  for (const evaluate::JoinedRow& row : score.joined.rows) {
    std::optional<double> share;
    if (row.preference) share = *row.preference - 1;
    rows.push_back({row.delta_length, difficulties[row.place], share});
  }
  evaluate::LengthControlOptions fitting;
  fitting.use_difficulty = score.method != LcMethod::minimal;
  fitting.c = options.c;
  const bool full = score.method == LcMethod::full;
  const auto start = std::chrono::steady_clock::now();
  score.fit = evaluate::fit_length_control(
      rows, full ? in.regularization : std::vector<evaluate::RegularizationRow>(), fitting);
  if (score.fit) score.weights = score.fit->weights;
  score.fit_seconds = seconds_since(start);
}

std::string why_not_comparable(const AlpacaModelScore& score, const Inputs& in) {
  if (score.annotator != kBoardJudge)
    return fmt::format("the judge is {}", score.annotator.empty() ? "not named" : score.annotator);
  if (score.baseline != kBoardBaseline) return "the baseline is " + score.baseline;
  if (in.instructions.size() != kBoardRows) return "the set is not upstream's 805 instructions";
  if (!score.joined.complete()) return "rows are missing";
  if (score.method != LcMethod::full && score.method != LcMethod::published)
    return fmt::format("the length control is {}", to_string(score.method));
  return {};
}

AlpacaModelScore score_model(const AlpacaScoreOptions& options, const Inputs& in,
                             evaluate::JoinedModel joined,
                             const std::vector<double>& difficulties) {
  AlpacaModelScore score;
  score.joined = std::move(joined);
  score.baseline = score.joined.baseline;
  score.annotator = score.joined.annotator;
  score.method = method_of(options, in);
  std::vector<std::optional<double>> preferences;
  std::vector<std::vector<double>> repeats;
  std::int64_t length = 0;
  for (const evaluate::JoinedRow& row : score.joined.rows) {
    preferences.push_back(row.preference);
    repeats.push_back(row.repeats);
    score.places.push_back(row.place);
    length += row.length_2;
  }
  score.row.name = score.joined.model;
  score.row.rates = evaluate::win_rates(preferences);
  score.repeated = evaluate::win_rates_by_repeat(repeats, preferences);
  score.repeated_interval = stats::student_t_interval(score.repeated);
  if (!preferences.empty())
    score.row.avg_length = length / static_cast<std::int64_t>(preferences.size());
  weigh(options, in, score, difficulties);
  if (const auto found = in.recomputed.find(score.row.name); found != in.recomputed.end())
    score.largest_recomputed_difference = found->second;
  if (const auto found = in.leaderboard.find(score.row.name); found != in.leaderboard.end())
    score.published = found->second;
  score.not_comparable = why_not_comparable(score, in);
  return score;
}

// ---- LC win rates, from the coefficients ----

// Of the model that rates are against.
evaluate::LengthControlWeights baseline_weights(const AlpacaScoreOptions& options,
                                                const AlpacaScores& scores) {
  if (options.baseline.empty()) return {};
  for (const AlpacaModelScore& score : scores.models) {
    if (score.baseline == options.baseline) return {};
    if (score.row.name == options.baseline && score.weights) return *score.weights;
  }
  const auto found = scores.published.find(options.baseline);
  if (found != scores.published.end()) return found->second;
  throw Error(ErrorKind::usage,
              "--baseline " + options.baseline + " is neither scored here nor in --weights",
              "give its annotations too, or published coefficients with --weights");
}

void rate(const evaluate::LengthControlWeights& against, const std::vector<double>& difficulties,
          AlpacaModelScore& score) {
  if (!score.weights) return;
  std::vector<double> here;
  for (const std::size_t place : score.places) here.push_back(difficulties[place]);
  score.shares = evaluate::length_controlled_shares(*score.weights, against, here);
  const evaluate::PercentMean mean = evaluate::percent_mean(score.shares);
  score.row.length_controlled_winrate = mean.mean;
  score.row.lc_standard_error = mean.standard_error;
}

// ---- files out ----

void write_scores(const AlpacaScoreOptions& options, const AlpacaScores& scores, const Inputs& in) {
  const std::filesystem::path folder = options.output;
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) {
    throw Error(ErrorKind::data,
                "cannot make the folder " + folder.string() + ": " + failure.message());
  }
  std::vector<evaluate::LeaderboardRow> board;
  evaluate::WeightTable weights;
  std::map<std::pair<std::string, std::string>, double> shares;  // by model and instruction
  for (const AlpacaModelScore& score : scores.models) {
    board.push_back(score.row);
    if (score.weights) weights[score.row.name] = *score.weights;
    for (std::size_t i = 0; i < score.shares.size(); ++i)
      shares[{score.row.name, in.instructions[score.places[i]]}] = score.shares[i];
  }
  write_file(folder / "leaderboard.csv", evaluate::leaderboard_csv(board));
  write_file(folder / "weights.csv", evaluate::weights_csv(weights));
  std::vector<OrderedJson> rows;
  for (const std::string& file : options.annotations) {
    for (OrderedJson& row :
         evaluate::read_rows_as_written(read_text(file, options.encoding), file)) {
      const evaluate::Annotation& read = in.annotations.at(rows.size());  // in the same order
      const auto found = shares.find({read.generator_2, read.instruction});
      row["glm_preference"] =
          found == shares.end() ? OrderedJson(nullptr) : OrderedJson(found->second);
      rows.push_back(std::move(row));
    }
  }
  write_file(folder / "annotations.json", evaluate::json_array_text(rows));
}

}  // namespace

std::string_view to_string(LcMethod method) {
  switch (method) {
    case LcMethod::full:
      return "full";
    case LcMethod::noreg:
      return "noreg";
    case LcMethod::minimal:
      return "minimal";
    case LcMethod::joint:
      return "joint";
    case LcMethod::published:
      return "published";
  }
  return "";
}

AlpacaScores score_alpaca(const AlpacaScoreOptions& options) {
  check_options(options);
  const Inputs in = read_inputs(options);
  AlpacaScores scores;
  scores.published = in.weights;
  std::vector<evaluate::JoinedModel> wanted = wanted_models(
      options, evaluate::join_annotations(in.annotations, in.instructions, options.duplicates),
      scores.left_out);
  decide_faults(options, wanted, scores);
  check_order(options, in, wanted);
  scores.difficulties =
      options.joint ? joint_difficulties(wanted, in.instructions.size()) : in.difficulties;
  scores.difficulties.resize(in.instructions.size(), 0);
  for (evaluate::JoinedModel& model : wanted)
    scores.models.push_back(score_model(options, in, std::move(model), scores.difficulties));
  const evaluate::LengthControlWeights against = baseline_weights(options, scores);
  for (AlpacaModelScore& score : scores.models) {
    rate(against, scores.difficulties, score);
    if (!options.baseline.empty() && options.baseline != score.baseline)
      score.not_comparable = "the rates are against " + options.baseline;
  }
  if (!options.output.empty()) write_scores(options, scores, in);
  return scores;
}

}  // namespace tapir::pipeline
