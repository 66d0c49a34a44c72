// Upstream's files of AlpacaEval 2.0 in a folder of the user: their names, and where upstream keeps
// them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace tapir::pipeline {

enum class AlpacaFile { baseline, difficulty, regularization, template_text, weights, leaderboard };

struct AlpacaFileInfo {
  AlpacaFile file;
  std::string_view name;     // as upstream calls it
  std::string_view purpose;  // what cannot be done without it
  std::string_view source;   // where upstream keeps it
};
const std::vector<AlpacaFileInfo>& alpaca_files();

// Where it lies in the folder (as it is, or .gz); empty when it does not, or no folder is named.
std::filesystem::path alpaca_file(const std::filesystem::path& data_dir, AlpacaFile file);

// One line a file: is it there, can it be read, and does it fit with the others.
struct AlpacaFileCheck {
  std::string name;
  bool there = false;
  bool ok = false;
  std::string words;  // what it holds, what is wrong, or where upstream keeps it
};
std::vector<AlpacaFileCheck> check_alpaca_files(const std::filesystem::path& data_dir);
Json alpaca_checks_json(const std::vector<AlpacaFileCheck>& checks);
std::string alpaca_checks_text(const std::vector<AlpacaFileCheck>& checks);

}  // namespace tapir::pipeline
