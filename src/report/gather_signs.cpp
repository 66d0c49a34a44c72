// Signs that figures fool us, as the stages left them.
#include <fmt/format.h>

#include "report/gather.h"

namespace tapir::report {
namespace {

std::string text(const Json& figures, const char* name) {
  const auto found = figures.find(name);
  return found != figures.end() && found->is_string() ? found->get<std::string>() : "";
}

OutputsRow outputs_of(const Json& figures) {
  OutputsRow row;
  row.who = text(figures, "who");
  row.asked = figure(figures, "asked", row.asked);
  row.answers = figure(figures, "answers", row.answers);
  row.blank = figure(figures, "blank", row.blank);
  row.duplicate_share = figure(figures, "duplicate_share", row.duplicate_share);
  row.commonest_share = figure(figures, "commonest_share", row.commonest_share);
  row.commonest_text = text(figures, "commonest_text");
  row.median_length = figure(figures, "median_length", row.median_length);
  const auto reference = figures.find("reference");
  if (reference != figures.end() && reference->is_object()) {
    row.right = OutputsRow::Right{figure(*reference, "duplicate_share", 0.0),
                                  figure(*reference, "commonest_share", 0.0),
                                  figure(*reference, "median_length", 0.0)};
  }
  return row;
}

void read_stage(const Json& info, Signs& signs) {
  if (!info.is_object()) return;
  if (info.contains("outputs") && info["outputs"].is_object())
    signs.outputs.push_back(outputs_of(info["outputs"]));
  if (info.contains("near_copies") && info["near_copies"].is_number_integer())
    signs.near_copies = signs.near_copies.value_or(0) + info["near_copies"].get<std::int64_t>();
  if (!info.contains("signs") || !info["signs"].is_array()) return;
  for (const Json& sign : info["signs"]) {
    if (sign.is_string()) signs.warnings.push_back(sign.get<std::string>());
  }
}

}  // namespace

Signs gather_signs(const store::RunStore& store) {
  Signs signs;
  for (const store::StageRecord& stage : store.stages()) {
    read_stage(read_info(stage.info), signs);
    const std::uint64_t failed = stage.ledger.failed_total();
    if (!stage.finished || failed == 0) continue;
    signs.warnings.push_back(fmt::format("{}: {} of {} rows failed and are missing", stage.name,
                                         failed, stage.ledger.in));
  }
  return signs;
}

}  // namespace tapir::report
