// tapir gym serve
#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "command.h"
#include "gym/models.h"
#include "serve/server.h"
#include "waiting.h"

namespace tapir::cli {
namespace {

struct GymServeArguments {
  gym::TeacherOptions teacher;
  gym::JudgeOptions judge;
  serve::ServeOptions options;
  serve::FaultOptions faults;
  std::vector<std::string> shares;  // "throttle=0.1"
  double rate = 0;
  double slow_by = 0.5;
  bool json = false;
};

// `rate` in equal parts over what a client that asks again gets over; single shares over that.
void read_faults(GymServeArguments& a) {
  constexpr std::array kPassing = {serve::Fault::throttle, serve::Fault::error,
                                   serve::Fault::cut,      serve::Fault::slow,
                                   serve::Fault::half,     serve::Fault::garble};
  for (const serve::Fault fault : kPassing) a.faults.share(fault) = a.rate / kPassing.size();
  const std::vector<std::string> names(serve::kFaultNames.begin(), serve::kFaultNames.end());
  for (const std::string& text : a.shares) {
    const std::string name = text.substr(0, text.find('='));
    const auto known = std::find(names.begin(), names.end(), name);
    double share = 0;
    const bool has_share =
        text.size() > name.size() && CLI::detail::lexical_cast(text.substr(name.size() + 1), share);
    if (known == names.end() || !has_share) {
      throw Error(ErrorKind::usage, "--fault " + text + ": expected KIND=SHARE",
                  "kinds: " + join(names, ", "));
    }
    a.faults.shares[static_cast<std::size_t>(known - names.begin())] = share;
  }
  a.faults.slow_by = milliseconds_of(a.slow_by);
  a.faults.garbled_model = "gym-judge";
}

void serve_gym(GymServeArguments& a, Context& context) {
  read_faults(a);
  a.judge.seed = a.teacher.seed;
  const auto teacher = gym::make_teacher(a.teacher);
  const auto judge = gym::make_judge(a.judge);
  a.options.faults = a.faults;
  a.options.api.draw_seeds = false;
  a.options.api.max_queue = 4096;
  serve::Server server({{teacher->identity().model, *teacher}, {judge->identity().model, *judge}},
                       a.options);
  if (a.json) {
    print(Json{{"url", server.url()},
               {"port", server.port()},
               {"models", {teacher->identity().model, judge->identity().model}}});
    std::fflush(stdout);
  } else {
    context.progress->message(
        fmt::format("gym-teacher and gym-judge are served at {}/v1; Ctrl-C stops", server.url()));
  }
  wait_for_stop(context.stop);
  server.stop(std::chrono::seconds(5));
}

void add_knobs(CLI::App* verb, GymServeArguments& a) {
  verb->add_option("--seed", a.teacher.seed, "of teacher and judge: the recipe's seed")
      ->capture_default_str();
  verb->add_option("--error-rate", a.teacher.error_rate, "as teacher.gym.error_rate")
      ->capture_default_str();
  verb->add_option("--evolve-share", a.teacher.evolve_share, "as teacher.gym.evolve_share")
      ->capture_default_str();
  verb->add_option("--mutate-share", a.teacher.mutate_share, "as teacher.gym.mutate_share")
      ->capture_default_str();
  verb->add_option("--noise", a.judge.noise, "as judge.gym.noise")->capture_default_str();
  verb->add_option("--position-bias", a.judge.position_bias, "as judge.gym.position_bias")
      ->capture_default_str();
  verb->add_option("--length-bias", a.judge.length_bias, "as judge.gym.length_bias")
      ->capture_default_str();
  verb->add_option("--malformed-rate", a.judge.malformed_rate, "as judge.gym.malformed_rate")
      ->capture_default_str();
}

}  // namespace

void add_gym_serve(CLI::App* group, Context& context) {
  const auto a = std::make_shared<GymServeArguments>();
  CLI::App* verb = group->add_subcommand(
      "serve",
      "the gym's teacher and judge as models of an OpenAI-compatible server (gym-teacher, "
      "gym-judge),\n"
      "with faults on purpose\n"
      "  tapir gym serve --port 8001 --seed 1 --fault-rate 0.3\n"
      "GET /metrics counts requests, sends and faults");
  a->options.http.port = 8001;
  verb->add_option("--port", a->options.http.port, "0: any that is free")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  add_knobs(verb, *a);
  verb->add_option("--fault-rate", a->rate,
                   "share of requests that meet a fault: throttle, error, cut, slow, half and, for "
                   "the judge, garble in equal parts")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  verb->add_option("--fault", a->shares,
                   "KIND=SHARE, may be given more than once: " +
                       join({serve::kFaultNames.begin(), serve::kFaultNames.end()}, " | "));
  verb->add_option("--fault-seed", a->faults.seed, "of the faults")->capture_default_str();
  verb->add_option("--retry-after", a->faults.retry_after, "seconds that a throttled client waits")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  verb->add_option("--slow-by", a->slow_by, "seconds that a slow reply takes")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  verb->add_flag("--json", a->json, "the address as JSON on standard output");
  verb->callback([a, &context] { serve_gym(*a, context); });
}

}  // namespace tapir::cli
