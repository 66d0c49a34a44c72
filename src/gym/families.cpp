#include "gym/families/families.h"

namespace tapir::gym {

const std::vector<const Family*>& families() {
  static const std::vector<const Family*> all = {
      &add_family(),       &modsum_family(),      &boolean_family(),    &shuffle_family(),
      &synth_family(),     &debug_token_family(), &trace_family(),      &base_add_family(),
      &dyck_family(),      &kb_family(),          &layered_family(),    &counterfactual_family(),
      &translate_family(), &grammar_family(),     &paraphrase_family(), &persona_family(),
  };
  return all;
}

const Family* find_family(std::string_view name) {
  for (const Family* family : families()) {
    if (family->name() == name) return family;
  }
  return nullptr;
}

const Family* recognise(std::string_view prompt) {
  for (const Family* family : families()) {
    if (family->accepts(prompt)) return family;
  }
  return nullptr;
}

std::optional<Verdict> judge_text(std::string_view prompt, std::string_view response) {
  const Family* family = recognise(prompt);
  if (family == nullptr) return std::nullopt;
  return family->judge(prompt, response);
}

}  // namespace tapir::gym
