#include "rubric/compose.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/error.h"
#include "base/random.h"
#include "base/strings.h"

namespace tapir::rubric {
namespace {

enum class Count { none, at_least, at_most, exactly };

// A requirement that can be drawn. {} in the sentence is the count, or the value where there is no
// count.
struct Layer {
  std::string_view kind;
  Count count = Count::none;
  std::array<std::int64_t, 3> counts = {};  // one of them is drawn
  std::vector<std::string> values;          // one of them is drawn; empty: the kind takes none
  std::string_view sentence;
};

const std::vector<Layer>& layers() {
  static const std::vector<Layer> all = {
      {"words", Count::at_most, {60, 100, 150}, {}, "The answer has at most {} words."},
      {"sentences", Count::exactly, {4, 5, 6}, {}, "The answer has exactly {} sentences."},
      {"paragraphs",
       Count::exactly,
       {2, 3, 4},
       {},
       "The answer has exactly {} paragraphs, with an empty line between them."},
      {"bullets",
       Count::exactly,
       {3, 4, 5},
       {},
       "The answer contains exactly {} bullet points, each on a line that begins with \"* \"."},
      {"highlights",
       Count::at_least,
       {2, 3, 4},
       {},
       "At least {} passages of the answer are highlighted with asterisks, as in *this*."},
      {"placeholders",
       Count::at_least,
       {1, 2, 3},
       {},
       "The answer contains at least {} placeholders in square brackets, such as [name]."},
      {"sections",
       Count::at_least,
       {2, 3, 4},
       {"Section"},
       "The answer has at least {} sections, headed \"Section 1\", \"Section 2\" and so on."},
      {"capital_words",
       Count::at_least,
       {2, 3, 5},
       {},
       "At least {} words of the answer are written in capitals only."},
      {"title",
       Count::none,
       {},
       {},
       "The answer has a title in double angular brackets, as in <<title>>."},
      {"avoid", Count::none, {}, {","}, "The answer contains no commas."},
      {"case", Count::none, {}, {"lower"}, "All letters of the answer are small ones."},
      {"quotation", Count::none, {}, {}, "The whole answer stands in double quotation marks."},
      {"postscript",
       Count::none,
       {},
       {"P.S."},
       "The answer has a postscript that begins with \"{}\"."},
      {"starts_with",
       Count::none,
       {},
       {"Here is what I think", "In a nutshell, it is this", "To begin with"},
       "The answer begins with the words \"{}\"."},
      {"ends_with",
       Count::none,
       {},
       {"That is all there is to it.", "What do you think?", "So much for that."},
       "The answer ends with the words \"{}\"."},
  };
  return all;
}

Bounds bounds_of(Count count, std::int64_t number) {
  Bounds bounds;
  if (count == Count::at_least || count == Count::exactly) bounds.at_least = number;
  if (count == Count::at_most || count == Count::exactly) bounds.at_most = number;
  return bounds;
}

Component drawn(const Layer& layer, RandomStream& stream) {
  Component component;
  component.kind = layer.kind;
  if (layer.count != Count::none) {
    component.bounds = bounds_of(layer.count, layer.counts[stream.below(layer.counts.size())]);
  }
  if (!layer.values.empty()) component.values = {stream.choose(layer.values)};
  return component;
}

std::string sentence_of(const Component& component) {
  for (const Layer& layer : layers()) {
    if (layer.kind != component.kind) continue;
    const std::string shown = layer.count != Count::none
                                  ? std::to_string(component.bounds.at_least.value_or(
                                        component.bounds.at_most.value_or(0)))
                              : component.values.empty() ? ""
                                                         : component.values.front();
    return replace_all(std::string(layer.sentence), "{}", shown);
  }
  throw Error(ErrorKind::bug, "no sentence for a requirement of kind " + component.kind);
}

}  // namespace

Rubric compose(std::uint64_t seed, std::string_view name, int layers_wanted) {
  check(layers_wanted >= 1 && layers_wanted <= kMostLayers, "compose: so many layers");
  RandomStream stream(seed, "compose", name);
  std::vector<const Layer*> order;
  for (const Layer& layer : layers()) order.push_back(&layer);
  stream.shuffle(order);
  // A conflict costs the later one its place; the kinds that go with everything are enough to fill
  // all places.
  Rubric rubric;
  for (const Layer* layer : order) {
    if (static_cast<int>(rubric.size()) == layers_wanted) break;
    rubric.push_back(drawn(*layer, stream));
    rubric.back().id = std::string(layer->kind);
    if (!conflicts_of(rubric).empty()) rubric.pop_back();
  }
  check(static_cast<int>(rubric.size()) == layers_wanted,
        "compose: enough layers without conflict");
  return rubric;
}

std::string requirement_sentences(const Rubric& rubric) {
  std::vector<std::string> sentences;
  for (const Component& component : rubric) sentences.push_back(sentence_of(component));
  return join(sentences, "\n");
}

}  // namespace tapir::rubric
