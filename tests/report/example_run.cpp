#include "report/example_run.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "pipeline/evaluation_sets.h"
#include "pipeline/forgetting_figures.h"

namespace tapir::testing {
namespace {

constexpr int kRounds = 3;
constexpr int kCorpus = 1200;
const std::vector<std::string> kArms = {"tapir", "plain", "random_fresh",
                                        "refined"};  // as the pipeline lists them

struct Family {
  const char* name;
  const char* task;
  double share;   // of D
  double s0;      // accuracy of S_0 at level 1
  double gained;  // by the main arm
};
const std::vector<Family> kFamilies = {{"add", "Math", 0.22, 0.75, 0.2},
                                       {"modsum", "Math", 0.12, 0.3, 0.6},
                                       {"boolean", "Reasoning", 0.14, 0.45, 0.4},
                                       {"shuffle", "Reasoning", 0.09, 0.35, 0.55},
                                       {"synth", "Code Generation", 0.1, 0.5, 0.2},
                                       {"debug_token", "Code Debug", 0.09, 0.8, 0.1},
                                       {"dyck", "Complex Format", 0.08, 0.7, 0.1},
                                       {"counterfactual", "Counterfactual", 0.06, 0.1, 0.5},
                                       {"translate", "Multilingual", 0.06, 0.6, -0.1},
                                       {"persona", "Roleplay", 0.04, 0.55, 0.15}};

std::string numbered(const std::string& prefix, int number) {
  return std::string(prefix).append(std::to_string(number));
}

const Family& family_of(int row) {
  double place = (row * 37 % 100) / 100.0;
  for (const Family& family : kFamilies) {
    if (place < family.share) return family;
    place -= family.share;
  }
  return kFamilies.back();
}

int level_of(int row) {
  return 1 + (row * 13 % 11 > 5) + (row * 17 % 13 > 8) + (row % 9 > 6) + (row % 23 == 0);
}

class Writer {
 public:
  Writer(const std::filesystem::path& folder, ExampleRun kind)
      : folder_(folder),
        kind_(kind),
        store_(store::RunStore::open(folder / "run.db", store::OpenMode::create)) {}

  std::unique_ptr<store::RunStore> write() {
    write_facts();
    if (kind_ != ExampleRun::empty) {
      write_corpus();
      write_difficulty();
      write_arms();
      if (kind_ == ExampleRun::complete) write_training_and_exams();
    }
    store_->flush();
    return std::move(store_);
  }

 private:
  void stage(const std::string& name, Ledger ledger, double seconds, const std::string& info = {}) {
    store_->begin_stage(name, "f");
    if (ledger.in == 0) ledger.in = ledger.done + ledger.failed_total() + ledger.filtered_total();
    store_->finish_stage(name, ledger, seconds, info);
  }

  void write_facts() {
    std::vector<std::string> plan = {"data",       "tasks",      "s0/train",
                                     "s0/answers", "difficulty", "select"};
    for (const std::string& arm : kArms) {
      for (int round = 1; round <= kRounds; ++round) {
        for (const char* step : {"/expand", "/mix", "/refine"})
          plan.push_back(numbered(arm + "/round-", round) + step);
      }
    }
    plan.emplace_back("exam/s0");
    for (const std::string& arm : kArms) {
      for (int round = 1; round <= kRounds; ++round) {
        plan.push_back(numbered(arm + "/round-", round) + "/train");
        plan.push_back("exam/" + numbered(arm + "/round-", round));
      }
    }
    Json stages = Json::object();
    for (const std::string& name : plan)
      stages[name] = {{"seconds", 4.0}, {"calls", 300}, {"tokens", 90000}};
    store_->set_meta("recipe", "name: example\nseed: 1\nteacher: {kind: gym}\n# <not a tag>\n");
    store_->set_meta("fingerprint", "3f9c1b7a90d2e4f65a77");
    store_->set_meta("version", "0.1.0");
    store_->set_meta("command", "tapir run recipes/quickstart.yaml --run-dir runs/example");
    store_->set_meta("machine", "x86-64-v4, torch 2.11.0");
    store_->set_meta("seed", "1");
    store_->set_meta("arms", Json(kArms).dump());
    store_->set_meta("rounds", std::to_string(kRounds));
    store_->set_meta("plan", Json(plan).dump());
    store_->set_meta("estimate", Json{{"stages", stages}, {"seconds", 150}}.dump());
  }

  void write_corpus() {
    store_->begin_stage("data", "f");
    for (int i = 0; i < kCorpus; ++i) {
      const Family& family = family_of(i);
      Instruction row{
          numbered("d", 10000 + i), {{Role::user, prompt_of(i)}}, "", "pool.json", "", 0};
      store_->put_instruction("data", row);
      store_->put_response("data", {row.id, "data", numbered("answer ", i * 7 % 100)});
      store_->set_task("tasks", row.id, family.task, 0.9);
    }
    Ledger read{.in = kCorpus + 14, .done = kCorpus, .filtered = {{"duplicate", 14}}};
    store_->finish_stage("data", read, 0.4, "");
    stage("tasks", {.done = kCorpus}, 1.2,
          R"({"classifier":"light","taxonomy":"gym","agreement":{"rows":200,"accuracy":0.955}})");
  }

  static std::string prompt_of(int i) {
    if (i == 4) return kHostile;
    return family_of(i).name + numbered(": what comes out of item ", i) + " when level is " +
           std::to_string(level_of(i)) + "?\nAnswer with the result.";
  }

  double gap_of(int i) const {
    RandomStream stream(3, "gap", std::to_string(i));
    const double right = family_of(i).s0 - 0.12 * (level_of(i) - 1);
    return stream.chance(right) ? std::max(-1.0, 0.3 * stream.normal())
                                : 4.2 + 1.9 * stream.normal();
  }

  void write_difficulty() {
    stage("s0/train", {.done = kCorpus}, 14.2);
    store_->put_training("s0/train", {"s0", 812, 400000, 122000, kCorpus * 4, kCorpus, 2.31, 0.84,
                                      13.8, "students/s0", "ab"});
    write_metrics("s0", 0, 2.3, 0.8);
    store_->begin_stage("s0/answers", "f");
    for (int i = 0; i < kCorpus; ++i) {
      store_->put_response("s0/answers", {numbered("d", 10000 + i), "student/s0",
                                          i == 4 ? kHostile : numbered("guess ", i)});
    }
    store_->finish_stage("s0/answers", {.in = kCorpus, .done = kCorpus}, 3.1, "");
    store_->begin_stage("difficulty", "f");
    for (int i = 0; i < kCorpus; ++i) judge(i);
    const Ledger judged{.in = kCorpus, .done = kCorpus - 3, .failed = {{"unreadable", 3}}};
    store_->finish_stage(
        "difficulty", judged, 5.4,
        R"({"threshold":2.0,"strict":true,"band":0.8,"one_order":900,"two_orders":300,"flip_rate":0.01,"judge":{"replies":1500,"read_strict":1480,"read_tolerant":14,"unreadable":6,"parse_rate":0.996,"both_orders":300,"position_consistency":0.91,"position_bias":0.12,"teacher_scores":{"9":400,"10":1097},"student_scores":{"3":500,"6":400,"9":597},"warnings":["<b>odd</b> figures"]}})");
    replies("difficulty", "judge", "gym-judge", 40, 2);
    stage("select", {.done = 300, .filtered = {{"easy", 900}}}, 0.1);
  }

  void judge(int i) {
    const std::string id = numbered("d", 10000 + i);
    if (i < 3) {
      store_->put_judgment(
          "difficulty",
          {id, "student/s0", Order::teacher_first, 2, {}, {}, "unreadable", "no idea"});
      return;
    }
    const double gap = std::clamp(std::round(2 * gap_of(i)) / 2, -9.0, 9.0);
    const double teacher = std::min(10.0, 10 + std::min(0.0, gap));
    const std::string words =
        i == 4 ? kHostile : "The second answer leaves a step out.\n" + std::to_string(teacher);
    store_->put_judgment("difficulty", {id, "student/s0", Order::teacher_first, 0, teacher,
                                        teacher - gap, "", words});
    const bool both = i % 4 == 0;
    RandomStream stream(4, "order", id);
    const double other = std::clamp(gap + std::round(stream.normal()) / 2, -9.0, 9.0);
    if (both) {
      store_->put_judgment("difficulty", {id, "student/s0", Order::student_first, 0, teacher,
                                          teacher - other, "", words});
    }
    store_->put_fit("difficulty",
                    {id, "student/s0", teacher, teacher - (both ? (gap + other) / 2 : gap),
                     both ? 2 : 1, i % 50 == 0});
  }

  void replies(const std::string& of_stage, const std::string& role, const std::string& model,
               int ok, int failed) {
    for (int i = 0; i < ok + failed; ++i) {
      store::ReplyRecord reply;
      reply.key = of_stage + numbered("/", i);
      reply.row_id = numbered("r", i);
      reply.stage = of_stage;
      reply.role = role;
      reply.model = model;
      reply.status = i < ok ? "ok" : "server_error";
      reply.prompt_tokens = 320 + i % 40;
      reply.completion_tokens = 60 + i % 9;
      reply.usd = 0.0004;
      reply.seconds = 0.02;
      reply.sends = 1;
      store_->put_reply(reply);
    }
  }

  void write_arms() {
    for (const std::string& arm : kArms) {
      for (int round = 1; round <= (kind_ == ExampleRun::complete ? kRounds : 1); ++round) {
        expand(arm, round);
        if (kind_ == ExampleRun::complete) mix(arm, round);
      }
      if (kind_ != ExampleRun::complete) return;
    }
  }

  void expand(const std::string& arm, int round) {
    const std::string name = numbered(arm + "/round-", round) + "/expand";
    store_->begin_stage(name, "f");
    Ledger ledger;
    const int made = arm == "tapir" || arm == "random_fresh" ? 90 : 0;
    for (int i = 0; i < made; ++i) {
      const Family& family = kFamilies[static_cast<std::size_t>(i) % kFamilies.size()];
      const std::string id = numbered(numbered(arm + "-", round) + "-", i);
      const std::string outcome =
          i % 11 == 3 ? "near_duplicate" : (i % 29 == 5 ? "held_out" : "kept");
      store_->put_teach_row(name, {arm, round, id, family.task, outcome, numbered("d", 10000 + i),
                                   outcome == "kept" ? "" : "again"});
      if (outcome == "kept") {
        store_->put_instruction(name, {id,
                                       {{Role::user, "new " + id}},
                                       family.task,
                                       "expanded",
                                       numbered("d", 10000 + i),
                                       round});
        ++ledger.done;
      } else {
        ++ledger.filtered[outcome];
      }
    }
    ledger.in = static_cast<std::uint64_t>(made);
    store_->finish_stage(name, ledger, 2.0, "");
    if (made > 0) replies(name, "teacher", "gym-teacher", 20, 0);
  }

  void mix(const std::string& arm, int round) {
    const std::string name = numbered(arm + "/round-", round) + "/mix";
    const bool balanced = arm == "tapir";
    std::vector<MixtureRow> rows;
    for (int i = 0; i < 240; ++i) {
      const int row = (i * 7 + round * 240 + (balanced ? 0 : 3)) % kCorpus;
      const Family& family =
          balanced ? kFamilies[static_cast<std::size_t>(i) % kFamilies.size()] : family_of(row);
      rows.push_back({numbered("d", 10000 + row), "data",
                      i % 10 < 1 + 2 * round ? Stratum::hard : Stratum::easy, family.task,
                      balanced && i % 40 == 7 ? 1 : 0});
    }
    store_->begin_stage(name, "f");
    store_->put_mixture(name, arm, round, rows);
    Json shares = Json::object();
    for (const Family& family : kFamilies)
      shares[family.task] = {balanced ? Json(1.0 / 8) : Json(nullptr), 0.1};
    Json info = {{"alpha", 0.1 + 0.2 * round},
                 {"rows", 240},
                 {"shares", shares},
                 {"relaxed", Json::array()}};
    if (balanced && round == 3)
      info["relaxed"].push_back("easy share 28.0 % instead of 30.0 %: short of <easy> rows");
    store_->finish_stage(name, {.in = 240, .done = 240}, 0.1, info.dump());
    stage(numbered(arm + "/round-", round) + "/refine", {.done = 200, .failed = {{"length", 2}}},
          1.5);
  }

  void write_metrics(const std::string& file, int seed, double first, double last) {
    std::filesystem::create_directories(folder_ / "metrics");
    RandomStream stream(5, "metrics", file);
    std::string text;
    for (int step = 10; step <= 600; step += 10) {
      const double loss = last + (first - last) * std::exp(-step / 120.0) + 0.03 * stream.normal();
      text += Json{{"stage", file},
                   {"step", step},
                   {"loss", loss},
                   {"lr", 1e-3},
                   {"tokens", step * 500 + seed}}
                  .dump() +
              "\n";
    }
    text += "{\"step\": 610, \"lo";  // what a kill leaves
    write_file(folder_ / "metrics" / (file + ".jsonl"), text);
  }

  void write_training_and_exams() {
    exam("s0", 0, 0);
    for (const std::string& arm : kArms) {
      const double strength =
          arm == "tapir" ? 1.0 : (arm == "random_fresh" ? 0.75 : (arm == "refined" ? 0.6 : 0.12));
      for (int round = 1; round <= kRounds; ++round) {
        const std::string student = numbered(arm + "/round-", round);
        stage(student + "/train", {.done = 240}, 11.5);
        store_->put_training(student + "/train",
                             {student, 667, 333000, arm == "plain" ? 98000 : 161000, 2400, 240,
                              1.2 / round, 0.7 / round, 11.1, "arms/" + student, "cd"});
        write_metrics(numbered(arm + "-round-", round), round, 1.3 / round,
                      (arm == "plain" ? 0.75 : 0.4) / round);
        exam(student, strength * round / kRounds, round);
      }
    }
  }

  void exam(const std::string& student, double strength, int round) {
    const std::string name = "exam/" + student;
    store_->begin_stage(name, "f");
    std::uint64_t rows = 0;
    for (const Family& family : kFamilies) {
      for (int level = 1; level <= 7; ++level) {
        for (int i = 0; i < 12; ++i) {
          const std::string id = numbered(numbered(std::string(family.name) + "-", level) + "-", i);
          if (round == 0 && i < 8) exam_text(name, id, family);
          exam_row(name, student, {id, level > 5 ? "beyond" : "uniform"}, family, level, strength,
                   round);
          if (level < 6 && i < 4)
            exam_row(name, student, {id, "pool"}, family, level, strength, round);
          rows += level < 6 && i < 4 ? 2 : 1;
        }
      }
    }
    store_->finish_stage(name, {.in = rows, .done = rows}, 2.2, forgetting_info(student, round));
  }

  // As the pipeline makes it.
  std::string forgetting_info(const std::string& student, int round) {
    if (round == 0) return "";
    const std::string arm = student.substr(0, student.find('/'));
    std::vector<std::string> students = {"s0"};
    for (int r = 1; r <= round; ++r) students.push_back(numbered(arm + "/round-", r));
    std::vector<evaluate::Sitting> sittings;
    for (const std::string& who : students)
      sittings.push_back(pipeline::sitting_of(store_->exam_rows(who), {}));
    const auto forgetting = evaluate::forgetting(sittings, 1);
    return Json{
        {pipeline::kForgettingFigures, pipeline::forgetting_json(forgetting, arm, students)}}
        .dump();
  }

  // What the pipeline keeps of an exam item; the report does without for the items that lack it.
  void exam_text(const std::string& name, const std::string& id, const Family& family) {
    store_->put_instruction(
        name,
        {id, {{Role::user, "Exam " + id + ": what comes out?"}}, family.task, "exam", "", -1});
    store_->put_response(name, {id, "teacher/steps", "3+4=7\n7+5=2\nso the result is 2"});
    store_->put_judgment(name, {id, "exam/s0", Order::teacher_first, 0, 10, 4, "",
                                "The second answer has no steps."});
  }

  struct Item {
    std::string id, set;
  };
  void exam_row(const std::string& name, const std::string& student, const Item& item,
                const Family& family, int level, double strength, int round) {
    const double ability = RandomStream(6, "item", item.id).uniform();
    const double p =
        family.s0 - 0.11 * (level - 1) + strength * family.gained - (level > 5 ? 0.08 : 0);
    const bool correct = ability + 0.15 * RandomStream(7, item.id, student).normal() < p;
    store_->put_exam_row(
        name, {student, item.id, item.set, family.name, level,
               round == 0 ? "I think it is 4" : (ability > 0.97 ? kHostile : "3+4=7 7+5=2 so 2"),
               correct, correct ? 10.0 : 1.0 + std::floor(4 * ability)});
  }

  std::filesystem::path folder_;
  ExampleRun kind_;
  std::unique_ptr<store::RunStore> store_;
};

}  // namespace

std::unique_ptr<store::RunStore> make_example_run(const std::filesystem::path& folder,
                                                  ExampleRun kind) {
  return Writer(folder, kind).write();
}

}  // namespace tapir::testing
