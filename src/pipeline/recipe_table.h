// Keys of an owner (a recipe, an arm) by the kind of their value. Internal to the pipeline.
#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include "base/strings.h"
#include "pipeline/recipe_keys.h"
#include "pipeline/recipe_values.h"

namespace tapir::pipeline {

// Throws Mismatch.
template <typename T>
T number(const YAML::Node& node, const Range& range) {
  const std::string expected =
      describe(range, std::is_integral_v<T> ? "a whole number" : "a number");
  T value{};
  if (!node.IsScalar() || !YAML::convert<T>::decode(node, value)) throw Mismatch{expected};
  const double as_double = static_cast<double>(value);
  const bool inside = as_double >= range.low && as_double <= range.high &&
                      !(range.low_open && as_double == range.low);
  if (!std::isfinite(as_double) || !inside) throw Mismatch{expected};
  return value;
}

template <typename Owner>
class Table {
 public:
  template <typename Get>
  Table& real(std::string path, Get get, Range range, std::string help, bool results = true) {
    return add(
        {std::move(path), "number", "", std::move(help), results},
        [get, range](Owner& o, const YAML::Node& n) { get(o) = number<double>(n, range); },
        [get](const Owner& o) { return fmt::format("{}", get(const_cast<Owner&>(o))); });
  }
  template <typename Get>
  Table& whole(std::string path, Get get, Range range, std::string help, bool results = true) {
    using T = std::remove_reference_t<decltype(get(std::declval<Owner&>()))>;
    return add(
        {std::move(path), "integer", "", std::move(help), results},
        [get, range](Owner& o, const YAML::Node& n) { get(o) = number<T>(n, range); },
        [get](const Owner& o) { return std::to_string(get(const_cast<Owner&>(o))); });
  }
  template <typename Get>
  Table& maybe(std::string path, Get get, Range range, std::string help) {
    return add(
        {std::move(path), "number", "", std::move(help), true},
        [get, range](Owner& o, const YAML::Node& n) {
          if (n.IsNull()) {
            get(o).reset();
          } else {
            get(o) = number<double>(n, range);
          }
        },
        [get](const Owner& o) {
          const auto& value = get(const_cast<Owner&>(o));
          return value ? fmt::format("{}", *value) : std::string("null");
        });
  }
  template <typename Get>
  Table& flag(std::string path, Get get, std::string help, bool results = true) {
    return add(
        {std::move(path), "true or false", "", std::move(help), results},
        [get](Owner& o, const YAML::Node& n) {
          bool value = false;
          if (!n.IsScalar() || !YAML::convert<bool>::decode(n, value))
            throw Mismatch{"true or false"};
          get(o) = value;
        },
        [get](const Owner& o) {
          return get(const_cast<Owner&>(o)) ? std::string("true") : std::string("false");
        });
  }
  // choices empty: any text.
  template <typename Get>
  Table& text(std::string path, Get get, const std::vector<std::string>& choices, std::string help,
              bool results = true) {
    return add(
        {std::move(path), choices.empty() ? "text" : join(choices, " | "), "", std::move(help),
         results},
        [get, choices](Owner& o, const YAML::Node& n) {
          const std::string expected = choices.empty() ? "text" : "one of: " + join(choices, ", ");
          if (!n.IsScalar()) throw Mismatch{expected};
          const std::string& value = n.Scalar();
          bool known = choices.empty();
          for (const std::string& choice : choices) known = known || choice == value;
          if (!known) throw Mismatch{expected};
          get(o) = value;
        },
        [get](const Owner& o) { return quote(get(const_cast<Owner&>(o))); });
  }
  template <typename Get>
  Table& list(std::string path, Get get, std::string help, bool results = true) {
    return add(
        {std::move(path), "list of text", "", std::move(help), results},
        [get](Owner& o, const YAML::Node& n) {
          std::vector<std::string> values;
          if (n.IsScalar()) values = {n.Scalar()};
          if (!n.IsScalar() && !n.IsSequence()) throw Mismatch{"a list of text"};
          for (const YAML::Node& item : n) {
            if (!item.IsScalar()) throw Mismatch{"a list of text"};
            values.push_back(item.Scalar());
          }
          get(o) = values;
        },
        [get](const Owner& o) {
          std::vector<std::string> quoted;
          for (const std::string& item : get(const_cast<Owner&>(o))) quoted.push_back(quote(item));
          return "[" + join(quoted, ", ") + "]";
        });
  }
  // Of whole numbers from 0.
  template <typename Get>
  Table& counts(std::string path, Get get, std::string help, bool results = true) {
    return add(
        {std::move(path), "list of integers", "", std::move(help), results},
        [get](Owner& o, const YAML::Node& n) {
          const Range range{0, 1e6};
          if (!n.IsScalar() && !n.IsSequence())
            throw Mismatch{"a list of " + describe(range, "whole numbers")};
          std::vector<std::int64_t> values;
          if (n.IsScalar()) values = {number<std::int64_t>(n, range)};
          for (const YAML::Node& item : n) values.push_back(number<std::int64_t>(item, range));
          get(o) = values;
        },
        [get](const Owner& o) {
          return fmt::format("[{}]", fmt::join(get(const_cast<Owner&>(o)), ", "));
        });
  }
  // Of the key before: at its default it is not in the fingerprint, so that runs which were made
  // before there was such a key go on.
  Table& silent_default() {
    keys_.back().info.silent_default = true;
    return *this;
  }
  std::vector<Key<Owner>> take() { return std::move(keys_); }

  // A key with a reader of its own.
  Table& add(KeyInfo info, std::function<void(Owner&, const YAML::Node&)> set,
             std::function<std::string(const Owner&)> show) {
    info.fallback = show(Owner{});
    keys_.push_back({std::move(info), std::move(set), std::move(show)});
    return *this;
  }

 private:
  std::vector<Key<Owner>> keys_;
};

// Of `resources`.
void add_resources(Table<Recipe>& table);

}  // namespace tapir::pipeline
