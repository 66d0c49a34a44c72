// The student of a build without libtorch.
#include "base/error.h"
#include "student/student.h"

namespace tapir::student {

std::shared_ptr<const StudentEngine> make_student_engine() {
  throw Error(ErrorKind::usage, "this tapir was built without the student (TAPIR_WITH_STUDENT=OFF)",
              "build it with -DTAPIR_WITH_STUDENT=ON after ./dev setup");
}

}  // namespace tapir::student
