// A run's store that a test fills itself, and what the report makes of it.
#pragma once

#include <memory>

#include "report/gather.h"
#include "report/report.h"
#include "store/run_store.h"
#include "test_data.h"

namespace tapir::report {

// A store with nothing in it; its folder goes away with the object.
struct EmptyStore {
  tapir::testing::TemporaryFolder folder;
  std::unique_ptr<store::RunStore> store =
      store::RunStore::open(folder.path() / "run.db", store::OpenMode::create);

  store::RunStore* operator->() { return store.get(); }
  ReportData gathered() {
    store->flush();
    return gather(*store, {.run_dir = folder.path()});
  }
};

// What the judge said of a row's first student, in so many `words`.
inline Judgment judged(const std::string& id, Order order, int attempt, double teacher,
                       double student) {
  return {id, "student/s0", order, attempt, teacher, student, "", "words"};
}

}  // namespace tapir::report
