#include "base/progress.h"

namespace tapir {
namespace {

class SilentProgress final : public ProgressSink {
 public:
  void update(const ProgressUpdate&) override {}
  void message(std::string_view) override {}
};

}  // namespace

ProgressSink& silent_progress() {
  static SilentProgress sink;
  return sink;
}

}  // namespace tapir
