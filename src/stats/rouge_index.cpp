#include "stats/rouge_index.h"

#include <algorithm>
#include <bit>

#include "base/error.h"
#include "stats/lcs.h"
#include "stats/rouge_l.h"

namespace tapir::stats {
namespace {

constexpr std::uint32_t kUnknown = 0xFFFFFFFFU;  // in no text of the index
constexpr int kOccurrenceBits = 32;

// The smallest overlap that a text of so many tokens can reach the threshold with, whatever the
// other's length: with one that is all overlap.
std::size_t least_overlap(double threshold, std::size_t tokens) {
  std::size_t low = 1;
  std::size_t high = tokens;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (rouge_l_f1(middle, tokens, middle) >= threshold) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

// The bit of an element: the top 6 bits of its spread number.
std::uint64_t bit_of(std::uint32_t element) { return 1ULL << ((element * 2654435761U) >> 26); }

std::uint16_t at_most(std::size_t value, std::uint16_t most) {
  return static_cast<std::uint16_t>(std::min<std::size_t>(value, most));
}

}  // namespace

struct RougeIndex::Query {
  std::vector<std::uint32_t> tokens;  // ids, or kUnknown
  std::vector<Element> prefix;        // the rarest elements, or kUnknown
  std::uint64_t bitmap = 0;
  std::size_t shortest = 0;          // texts outside these lengths cannot reach the threshold
  std::vector<std::uint32_t> needs;  // overlap with a text of length shortest + i
};

// Put in order when a ninth is not: so often that the rest stays short, so seldom that a posting is
// moved some ten times in all.
void RougeIndex::Postings::add(const Posting& posting) {
  all.push_back(posting);
  if (all.size() - in_order <= 64 + in_order / 8) return;
  const auto before = [](const Posting& a, const Posting& b) {
    return a.length != b.length ? a.length < b.length : a.place < b.place;
  };
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(in_order);
  std::sort(middle, all.end(), before);
  std::inplace_merge(all.begin(), middle, all.end(), before);
  in_order = all.size();
}

RougeIndex::RougeIndex(double threshold) : threshold_(threshold) {
  check(threshold > 0 && threshold <= 1, "RougeIndex: the threshold lies in (0, 1]");
}

std::uint32_t RougeIndex::token_id(std::uint64_t token) {
  return token_ids_.emplace(token, static_cast<std::uint32_t>(token_ids_.size())).first->second;
}

std::span<const std::uint32_t> RougeIndex::tokens_of(std::size_t number) const {
  return std::span(tokens_).subspan(begin_[number], begin_[number + 1] - begin_[number]);
}

// element(key) names an element by token and occurrence.
template <typename FindElement>
std::vector<RougeIndex::Element> RougeIndex::elements_of(std::span<const std::uint32_t> tokens,
                                                         FindElement&& element) {
  std::vector<std::uint32_t> sorted(tokens.begin(), tokens.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<Element> elements;
  elements.reserve(sorted.size());
  std::uint64_t occurrence = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    occurrence = i > 0 && sorted[i] == sorted[i - 1] ? occurrence + 1 : 0;
    elements.push_back(sorted[i] == kUnknown
                           ? kUnknown
                           : element(std::uint64_t{sorted[i]} << kOccurrenceBits | occurrence));
  }
  return elements;
}

// Unknown ones come first: nothing is rarer. The order is one and the same for all texts between
// two sortings: elements that are new since have the frequency 0 and go by their number.
void RougeIndex::sort_rarest_first(std::vector<Element>& elements) const {
  const auto rank = [&](Element element) {
    const std::uint64_t frequency = element < frequency_.size() ? frequency_[element] : 0;
    return element == kUnknown ? 0 : (frequency << 32 | element) + 1;
  };
  std::sort(elements.begin(), elements.end(),
            [&](Element a, Element b) { return rank(a) < rank(b); });
}

void RougeIndex::add(std::string_view text) {
  check(size() < kUnknown && token_ids_.size() < kUnknown >> 1, "RougeIndex: room for more texts");
  for (const std::uint64_t token : rouge_tokens(text)) tokens_.push_back(token_id(token));
  begin_.push_back(tokens_.size());
  index(size() - 1);
  if (size() >= sort_at_) sort_by_frequency_again();
}

void RougeIndex::index(std::size_t number) {
  const auto tokens = tokens_of(number);
  if (tokens.empty()) return;
  std::vector<Element> elements = elements_of(tokens, [&](std::uint64_t key) {
    return element_ids_.emplace(key, static_cast<Element>(element_ids_.size())).first->second;
  });
  postings_.resize(element_ids_.size());
  std::uint64_t bitmap = 0;
  for (const Element element : elements) bitmap |= bit_of(element);
  sort_rarest_first(elements);
  const std::size_t prefix = tokens.size() - least_overlap(threshold_, tokens.size()) + 1;
  for (std::size_t place = 0; place < prefix; ++place) {
    postings_[elements[place]].add({bitmap, static_cast<std::uint32_t>(number),
                                    at_most(tokens.size(), kLongest), at_most(place, kLongest)});
  }
}

// As texts come in, other elements turn out to be rare. Done when the number of texts has doubled,
// so that it costs each text a constant.
void RougeIndex::sort_by_frequency_again() {
  frequency_.assign(element_ids_.size(), 0);
  for (std::size_t number = 0; number < size(); ++number) {
    for (const Element element :
         elements_of(tokens_of(number), [&](std::uint64_t key) { return element_ids_.at(key); }))
      ++frequency_[element];
  }
  for (Postings& list : postings_) {
    list.all.clear();
    list.in_order = 0;
  }
  for (std::size_t number = 0; number < size(); ++number) index(number);
  for (Postings& list : postings_) list.all.shrink_to_fit();
  sort_at_ *= 2;
}

RougeIndex::Query RougeIndex::query(std::string_view text) const {
  const auto id_in = [](const Ids& ids, std::uint64_t key) {
    const auto found = ids.find(key);
    return found == ids.end() ? kUnknown : found->second;
  };
  Query query;
  for (const std::uint64_t token : rouge_tokens(text))
    query.tokens.push_back(id_in(token_ids_, token));
  if (query.tokens.empty()) return query;
  std::vector<Element> elements =
      elements_of(query.tokens, [&](std::uint64_t key) { return id_in(element_ids_, key); });
  for (const Element element : elements) {
    if (element != kUnknown) query.bitmap |= bit_of(element);
  }
  sort_rarest_first(elements);
  query.shortest = least_overlap(threshold_, elements.size());
  elements.resize(elements.size() - query.shortest + 1);
  query.prefix = std::move(elements);
  for (std::size_t length = query.shortest;; ++length) {
    const std::size_t needs = rouge_l_needs(threshold_, query.tokens.size(), length);
    if (needs > query.tokens.size()) break;
    query.needs.push_back(static_cast<std::uint32_t>(needs));
  }
  return query;
}

// What lengths, places and bitmaps do not rule out. The first element that two texts share, in the
// common order, has as many behind it in each as the overlap still lacks. Every bit in which the
// bitmaps differ is an element that only one of the texts has; unknown elements have no bit, which
// makes the bound weaker only.
bool RougeIndex::may_reach(const Query& query, std::size_t place, const Posting& posting) {
  if (posting.length == kLongest) return true;
  const std::size_t over = posting.length - query.shortest;  // wraps round where it is shorter
  if (over >= query.needs.size()) return false;
  const std::size_t needs = query.needs[over];
  const std::size_t tokens = query.tokens.size();
  if (place + needs > tokens || posting.place + needs > posting.length) return false;
  const auto only_one = static_cast<std::size_t>(std::popcount(query.bitmap ^ posting.bitmap));
  return only_one + 2 * needs <= tokens + posting.length;
}

// The texts of one element, which stands at `place` in the query. May give a text that
// may_reach() rules out, never the other way round.
void RougeIndex::look_up(const Query& query, std::size_t place, const Postings& postings,
                         std::vector<std::uint32_t>& found) {
  const auto end = postings.all.begin() + static_cast<std::ptrdiff_t>(postings.in_order);
  const auto first_of = [&](auto from, std::size_t length) {
    return std::lower_bound(from, end, length,
                            [](const Posting& one, std::size_t of) { return one.length < of; });
  };
  const auto look = [&](const Posting& one) {
    if (may_reach(query, place, one)) found.push_back(one.number);
  };
  auto at = first_of(postings.all.begin(), query.shortest);
  while (at != end) {
    const std::size_t length = at->length;
    const std::size_t over = length - query.shortest;
    if (length == kLongest || over >= query.needs.size()) break;
    const std::size_t needs = query.needs[over];
    const bool early = place + needs <= query.tokens.size();
    for (; early && at != end && at->length == length && at->place + needs <= length; ++at)
      look(*at);
    at = first_of(at, length + 1);
  }
  std::for_each(first_of(at, kLongest), postings.all.end(), look);  // and what is not in order
}

// Ascending.
std::vector<std::uint32_t> RougeIndex::candidates(const Query& query) const {
  std::vector<std::uint32_t> found;
  for (std::size_t place = 0; place < query.prefix.size(); ++place) {
    if (query.prefix[place] != kUnknown)
      look_up(query, place, postings_[query.prefix[place]], found);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

std::optional<RougeMatch> RougeIndex::find(std::string_view text) const {
  const Query asked = query(text);
  if (asked.tokens.empty()) return std::nullopt;
  std::optional<RougeMatch> best;
  std::optional<LcsPattern<std::uint32_t>> pattern;
  for (const std::uint32_t number : candidates(asked)) {
    if (!pattern) pattern.emplace(asked.tokens);
    const auto tokens = tokens_of(number);
    const double f1 = rouge_l_f1(pattern->length(tokens), asked.tokens.size(), tokens.size());
    if (f1 >= threshold_ && (!best || f1 > best->f1)) best = RougeMatch{number, f1};
  }
  return best;
}

std::size_t RougeIndex::bytes() const {
  constexpr std::size_t kMapEntry = 32 + 8;  // a node of unordered_map and its bucket
  std::size_t postings = postings_.capacity() * sizeof(postings_[0]);
  for (const Postings& list : postings_) postings += list.all.capacity() * sizeof(Posting);
  return (token_ids_.size() + element_ids_.size()) * kMapEntry + postings +
         tokens_.capacity() * sizeof(tokens_[0]) + begin_.capacity() * sizeof(begin_[0]) +
         frequency_.capacity() * sizeof(frequency_[0]);
}

}  // namespace tapir::stats
