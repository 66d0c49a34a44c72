// What an engine that trains nothing for others says.
#include "base/error.h"
#include "student/student.h"

namespace tapir::student {
namespace {

[[noreturn]] void hands_nothing_over() {
  throw Error(ErrorKind::usage, "this engine cannot hand a training over to another program",
              "set train.backend: native");
}

}  // namespace

TrainSteps StudentEngine::steps(const TrainJob&, const std::filesystem::path&) const {
  hands_nothing_over();
}

std::optional<TrainResult> StudentEngine::finished(const TrainJob&) const { hands_nothing_over(); }

void StudentEngine::take_over(const TrainJob&, const TrainedElsewhere&,
                              const std::function<void(const std::filesystem::path&)>&) const {
  hands_nothing_over();
}

}  // namespace tapir::student
