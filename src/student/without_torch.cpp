// The student of a build without libtorch.
#include "base/error.h"
#include "student/gguf_export.h"
#include "student/merge.h"
#include "student/new_student.h"
#include "student/rank_launch.h"
#include "student/student.h"
#include "student/student_chat_model.h"
#include "student/student_from_config.h"
#include "student/torch_device.h"

namespace tapir::student {
namespace {

[[noreturn]] void not_built() {
  throw Error(ErrorKind::usage, "this tapir was built without the student (TAPIR_WITH_STUDENT=OFF)",
              "build it with -DTAPIR_WITH_STUDENT=ON after ./dev setup");
}

}  // namespace

std::shared_ptr<const StudentEngine> make_student_engine(const std::string&, const std::string&) {
  not_built();
}

std::string describe_gpus() { return "no GPU: this tapir was built without the student"; }

void release_gpu_reserve() {}

void merge_student(const std::filesystem::path&, const std::filesystem::path&, const std::string&) {
  not_built();
}

void make_new_student(const NewStudent&, const std::filesystem::path&) { not_built(); }

GgufExportResult export_gguf(const std::filesystem::path&, const std::filesystem::path&,
                             const GgufExportOptions&) {
  not_built();
}

std::vector<std::string> gguf_outtypes() { return {"f32", "f16", "bf16", "q8_0"}; }

StudentFromConfigSummary make_student_from_config(const StudentFromConfig&,
                                                  const std::filesystem::path&) {
  not_built();
}

std::shared_ptr<Collective> ranks_of_environment(int) { not_built(); }

StartedRanks start_ranks(const RankLaunch&) { not_built(); }

std::string draw_id(const llm::ChatRequest&) { not_built(); }

std::shared_ptr<StudentChatModel> make_student_chat_model(const std::filesystem::path&,
                                                          const StudentChatOptions&) {
  not_built();
}

}  // namespace tapir::student
