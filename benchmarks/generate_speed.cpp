// Generation speed of our side of benchmarks/generate_bench.py: batched decoding, without reading
// and writing rows.
//   generate_speed MODEL_DIR PROMPTS_FILE NEW_TOKENS SLOTS WORKERS
// PROMPTS_FILE: a JSON array of texts. Prints one JSON object: tok_s (generated tokens per second,
// prompts read and answers decoded within that time) and the texts.
#include <chrono>
#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "student/generate.h"
#include "student/load_weights.h"

namespace {

using namespace tapir::student;

int run(const std::vector<std::string>& arguments) {
  const auto tokenizer = tapir::text::load_tokenizer(arguments[0]);
  const auto format = tapir::text::load_chat_format(arguments[0], tokenizer);
  const GenerationContext context{load_decode_engine(arguments[0], {}), *tokenizer, *format};
  std::vector<GenerateRequest> requests;
  for (const tapir::Json& prompt :
       tapir::parse_json(tapir::read_file(arguments[1]), arguments[1])) {
    requests.push_back({std::to_string(requests.size()), {}, prompt.get<std::string>()});
  }
  GenerateOptions options;
  options.sampling.max_new_tokens = std::stoi(arguments[2]);
  options.slots = std::stoi(arguments[3]);
  options.workers = std::stoi(arguments[4]);
  const std::vector<GenerateRequest> warm_up(requests.begin(), requests.begin() + 1);
  generate(context, warm_up, options, [](const Generation&) {}, {});

  std::vector<std::string> texts(requests.size());
  std::int64_t tokens = 0;
  const auto begin = std::chrono::steady_clock::now();
  const auto sink = [&](Generation g) {
    tokens += g.completion_tokens;
    texts[std::stoul(g.id)] = std::move(g.text);
  };
  generate(context, requests, options, sink, {});
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  const tapir::Json result = {{"tok_s", static_cast<double>(tokens) / seconds.count()},
                              {"tokens", tokens},
                              {"texts", texts}};
  std::puts(result.dump().c_str());
  return 0;
}

}  // namespace

int main(int count, char** values) {
  if (count != 6) {
    std::fputs("usage: generate_speed MODEL_DIR PROMPTS_FILE NEW_TOKENS SLOTS WORKERS\n", stderr);
    return 2;
  }
  try {
    return run({values + 1, values + count});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "generate_speed: %s\n", e.what());
    return 1;
  }
}
