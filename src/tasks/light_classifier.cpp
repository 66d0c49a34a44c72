// A linear softmax model over hashed n-grams, weighted by tf-idf and trained by AdaGrad, one row at
// a time. Everything runs in one thread and in one order, so that the same rows give the same bits.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "base/error.h"
#include "base/random.h"
#include "tasks/classifier.h"
#include "tasks/light_features.h"

namespace tapir::tasks {
namespace {

constexpr std::array<float, kBlocks> kLengths = {1.0F, 0.7F, 0.7F, 0.7F};  // of the blocks' vectors
constexpr float kAccumulatorStart = 1.0F;  // tames the first steps of rare features

struct Feature {
  std::uint32_t row = 0;  // of the weight matrix
  float value = 0;
};

// From hashed counts to weighted features: buckets seen in training get a row each and an inverse
// document frequency.
class Vocabulary {
 public:
  Vocabulary(const std::vector<HashedText>& texts, int hash_bits)
      : hash_bits_(hash_bits), row_of_(kBlocks << hash_bits, kUnseen) {
    std::vector<std::uint32_t> seen_in(row_of_.size(), 0);
    for (const HashedText& text : texts) {
      for (std::size_t block = 0; block < kBlocks; ++block) {
        for (const HashedCount& one : text.blocks[block]) ++seen_in[slot(one, block)];
      }
    }
    const auto total = static_cast<double>(texts.size());
    for (std::size_t i = 0; i < seen_in.size(); ++i) {
      if (seen_in[i] == 0) continue;
      row_of_[i] = static_cast<std::uint32_t>(idf_.size());
      idf_.push_back(static_cast<float>(std::log((1 + total) / (1.0 + seen_in[i])) + 1));
    }
  }

  std::size_t rows() const { return idf_.size(); }
  int hash_bits() const { return hash_bits_; }

  std::vector<Feature> features(const HashedText& text) const {
    std::vector<Feature> features;
    for (std::size_t block = 0; block < kBlocks; ++block)
      append(text.blocks[block], block, features);
    return features;
  }

 private:
  static constexpr std::uint32_t kUnseen = 0xFFFFFFFFU;

  std::size_t slot(const HashedCount& one, std::size_t block) const {
    return one.bucket + (block << hash_bits_);
  }

  // One block, scaled to its length.
  void append(const std::vector<HashedCount>& counts, std::size_t block,
              std::vector<Feature>& features) const {
    const std::size_t first = features.size();
    float squares = 0;
    for (const HashedCount& one : counts) {
      const std::uint32_t row = row_of_[slot(one, block)];
      if (row == kUnseen) continue;
      const float value = (1 + std::log(one.count)) * idf_[row];
      squares += value * value;
      features.push_back({row, value});
    }
    if (squares <= 0) return;
    const float scale = kLengths[block] / std::sqrt(squares);
    for (std::size_t i = first; i < features.size(); ++i) features[i].value *= scale;
  }

  int hash_bits_;
  std::vector<std::uint32_t> row_of_;
  std::vector<float> idf_;  // [rows]
};

// Softmax in place.
void softmax(std::vector<float>& scores) {
  const float top = *std::max_element(scores.begin(), scores.end());
  float sum = 0;
  for (float& score : scores) sum += score = std::exp(score - top);
  for (float& score : scores) score /= sum;
}

class LinearSoftmax {
 public:
  LinearSoftmax(std::size_t rows, std::size_t classes)
      : classes_(classes), weights_(rows * classes), bias_(classes) {}

  std::size_t classes() const { return classes_; }

  // Probabilities, one per class.
  std::vector<float> predict(const std::vector<Feature>& features) const {
    std::vector<float> scores = bias_;
    for (const Feature& feature : features) {
      const float* row = &weights_[feature.row * classes_];
      for (std::size_t c = 0; c < classes_; ++c) scores[c] += feature.value * row[c];
    }
    softmax(scores);
    return scores;
  }

  float* row(std::uint32_t index) { return &weights_[index * classes_]; }
  float* bias() { return bias_.data(); }

 private:
  std::size_t classes_;
  std::vector<float> weights_;  // [rows, classes]
  std::vector<float> bias_;     // [classes]
};

// Gradient steps, scaled for each feature by the root of its squared gradients so far, all classes
// together.
class AdaGrad {
 public:
  AdaGrad(LinearSoftmax& model, std::size_t rows, const LightOptions& options)
      : model_(model),
        rate_(static_cast<float>(options.learning_rate)),
        l2_(static_cast<float>(options.l2)),
        squares_(rows, kAccumulatorStart) {}

  // progress: the share of the training that is done, [0, 1): the rate falls to nothing on a line.
  void step(const std::vector<Feature>& features, std::size_t truth, double progress) {
    const float rate = rate_ * static_cast<float>(1 - progress);
    const float keep = 1 - rate * l2_;  // weights decay a little with every step they take part in
    std::vector<float> error = model_.predict(features);
    error[truth] -= 1;
    float size = 0;
    for (const float one : error) size += one * one;
    for (const Feature& feature : features) {
      float& squares = squares_[feature.row];
      squares += size * feature.value * feature.value;
      step_row(model_.row(feature.row), error, keep, rate * feature.value / std::sqrt(squares));
    }
    bias_squares_ += size;
    step_row(model_.bias(), error, keep, rate / std::sqrt(bias_squares_));
  }

 private:
  static void step_row(float* weights, const std::vector<float>& error, float keep, float rate) {
    for (std::size_t c = 0; c < error.size(); ++c) weights[c] = keep * weights[c] - rate * error[c];
  }

  LinearSoftmax& model_;
  float rate_;
  float l2_;
  std::vector<float> squares_;  // [rows]
  float bias_squares_ = kAccumulatorStart;
};

class LightClassifier : public TaskClassifier {
 public:
  LightClassifier(Vocabulary vocabulary, LinearSoftmax model, std::vector<std::string> labels)
      : vocabulary_(std::move(vocabulary)), model_(std::move(model)), labels_(std::move(labels)) {}

  Label classify(const std::string& prompt) const override {
    const HashedText hashed = hash_text(prompt, vocabulary_.hash_bits());
    const std::vector<float> chances = model_.predict(vocabulary_.features(hashed));
    const auto best = std::max_element(chances.begin(), chances.end());
    return {labels_[static_cast<std::size_t>(best - chances.begin())], *best};
  }

 private:
  Vocabulary vocabulary_;
  LinearSoftmax model_;
  std::vector<std::string> labels_;  // ascending
};

std::vector<std::string> labels_of(std::span<const LabelledText> rows) {
  std::vector<std::string> labels;
  for (const LabelledText& row : rows) labels.push_back(row.task);
  std::sort(labels.begin(), labels.end());
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
  return labels;
}

void check_options(std::span<const LabelledText> rows, const LightOptions& options) {
  if (rows.empty()) {
    throw Error(ErrorKind::data, "training a task classifier: expected labelled rows, found none",
                "give rows with a task each, or classify by an LLM");
  }
  if (options.hash_bits < 8 || options.hash_bits > 26 || options.epochs < 1) {
    throw Error(ErrorKind::usage,
                "task classifier: hash_bits must be 8 to 26 and epochs at least 1");
  }
}

}  // namespace

std::unique_ptr<TaskClassifier> train_light(std::span<const LabelledText> rows,
                                            const LightOptions& options) {
  check_options(rows, options);
  std::vector<const LabelledText*> sorted;  // by id: the order in which rows come changes nothing
  for (const LabelledText& row : rows) sorted.push_back(&row);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto* a, const auto* b) { return a->id < b->id; });
  const std::vector<std::string> labels = labels_of(rows);
  std::vector<HashedText> hashed;
  std::vector<std::size_t> truth;
  for (const LabelledText* row : sorted) {
    hashed.push_back(hash_text(row->text, options.hash_bits));
    const auto label = std::lower_bound(labels.begin(), labels.end(), row->task);
    truth.push_back(static_cast<std::size_t>(label - labels.begin()));
  }
  Vocabulary vocabulary(hashed, options.hash_bits);
  std::vector<std::vector<Feature>> features;
  for (const HashedText& text : hashed) features.push_back(vocabulary.features(text));
  hashed.clear();

  LinearSoftmax model(vocabulary.rows(), labels.size());
  AdaGrad optimizer(model, vocabulary.rows(), options);
  const double steps = static_cast<double>(options.epochs) * static_cast<double>(features.size());
  double done = 0;
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    std::vector<std::size_t> order(features.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    RandomStream(options.seed, "light-classifier", std::to_string(epoch)).shuffle(order);
    for (const std::size_t row : order) {
      optimizer.step(features[row], truth[row], done / steps);
      done += 1;
    }
  }
  return std::make_unique<LightClassifier>(std::move(vocabulary), std::move(model), labels);
}

Agreement agreement(const TaskClassifier& classifier, std::span<const LabelledText> held_out) {
  constexpr std::size_t kBins = 10;
  struct Bin {
    double confidence = 0;
    double right = 0;
    double rows = 0;
  };
  std::vector<Bin> bins(kBins);
  Agreement result;
  double right = 0;
  for (const LabelledText& row : held_out) {
    const Label label = classifier.classify(row.text);
    const bool hit = label.task == row.task;
    right += hit ? 1 : 0;
    ++result.confusion[row.task][label.task];
    const double confidence = std::clamp(label.confidence, 0.0, 1.0);
    Bin& bin = bins[std::min(kBins - 1, static_cast<std::size_t>(confidence * kBins))];
    bin.confidence += confidence;
    bin.right += hit ? 1 : 0;
    bin.rows += 1;
  }
  result.rows = static_cast<std::int64_t>(held_out.size());
  if (held_out.empty()) return result;
  const auto total = static_cast<double>(held_out.size());
  result.accuracy = right / total;
  for (const Bin& bin : bins) {
    result.expected_calibration_error += std::abs(bin.confidence - bin.right) / total;
  }
  return result;
}

}  // namespace tapir::tasks
