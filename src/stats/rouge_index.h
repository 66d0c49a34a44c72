// Which of many texts is so like a new one that their ROUGE-L reaches a threshold: the exact
// answer, without comparing with all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tapir::stats {

struct RougeMatch {
  std::size_t number = 0;  // of the text, in the order added, from 0
  double f1 = 0;
  bool operator==(const RougeMatch&) const = default;
};

// A pair that reaches the threshold has a long common subsequence, so many tokens in common, so at
// least one among the rarest of each (prefix filtering: Chaudhuri et al. 2006; its bounds by length
// and place: Xiao et al. 2008). Texts that have one are looked up by it; most of them are ruled out
// by a bound on the common tokens from bitmaps, and the rest is compared. Memory: some 250 bytes
// for an instruction of 10 tokens (bytes()). find() may be called from many threads while nobody
// adds.
class RougeIndex {
 public:
  // threshold: (0, 1], on rouge_l_f1().
  explicit RougeIndex(double threshold);

  void add(std::string_view text);
  // The most similar text (of equally similar ones that added first) with F1 of at least the
  // threshold. A text without a token is like none.
  std::optional<RougeMatch> find(std::string_view text) const;

  double threshold() const { return threshold_; }
  std::size_t size() const { return begin_.size() - 1; }
  std::size_t bytes() const;  // memory taken, about

 private:
  // A token's k-th occurrence in a text is an element of its own: texts are then sets of elements.
  using Element = std::uint32_t;
  struct Posting {
    std::uint64_t bitmap;  // of the text's elements
    std::uint32_t number;  // of the text
    std::uint16_t length;  // its tokens; kLongest: so many or more
    std::uint16_t place;   // of the element among the text's, the rarest first; at most kLongest
  };
  static constexpr std::uint16_t kLongest = 0xFFFF;
  // The texts of one element. The first ones are in the order of length and place, so that those of
  // one length that an element can still be the first common one of lie side by side.
  struct Postings {
    std::vector<Posting> all;
    std::size_t in_order = 0;
    void add(const Posting& posting);
  };
  struct SameHash {
    std::size_t operator()(std::uint64_t key) const { return key; }
  };
  using Ids = std::unordered_map<std::uint64_t, std::uint32_t, SameHash>;
  struct Query;

  std::uint32_t token_id(std::uint64_t token);
  template <typename FindElement>
  static std::vector<Element> elements_of(std::span<const std::uint32_t> tokens,
                                          FindElement&& element);
  std::span<const std::uint32_t> tokens_of(std::size_t number) const;
  void sort_rarest_first(std::vector<Element>& elements) const;
  void index(std::size_t number);
  void sort_by_frequency_again();
  Query query(std::string_view text) const;
  std::vector<std::uint32_t> candidates(const Query& query) const;
  static bool may_reach(const Query& query, std::size_t place, const Posting& posting);
  static void look_up(const Query& query, std::size_t place, const Postings& postings,
                      std::vector<std::uint32_t>& found);

  double threshold_;
  Ids token_ids_;                         // by the token's hash
  Ids element_ids_;                       // by token and occurrence
  std::vector<std::uint32_t> tokens_;     // of all texts, one behind the other
  std::vector<std::size_t> begin_ = {0};  // [texts + 1], into tokens_
  std::vector<std::uint32_t> frequency_;  // texts that an element is in, as of the last sorting
  std::vector<Postings> postings_;        // by element
  std::size_t sort_at_ = 256;             // texts
};

}  // namespace tapir::stats
