#include "text/jinja_parser.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

#include "base/error.h"
#include "text/jinja_tokens.h"

namespace tapir::text {
namespace {

using Kind = JinjaNode::Kind;
using TokenKind = JinjaToken::Kind;

// Limits of what is followed by recursion: a hostile template must not end the program.
constexpr int kDeepest = 200;  // of nested expressions and statements
constexpr int kHighest = 500;  // of chains like a + b + c

class Parser {
 public:
  Parser(std::vector<JinjaToken> tokens, const std::string& where)
      : tokens_(std::move(tokens)), where_(where) {}

  JinjaChild run() {
    JinjaChild root = body({});
    if (token().kind != TokenKind::end)
      fail("{% " + tokens_[at_ + 1].text + " %} has no beginning");
    return root;
  }

 private:
  // Counts how deep the recursion is.
  struct Depth {
    explicit Depth(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > kDeepest) parser_.fail("nested too deeply");
    }
    ~Depth() { --parser_.depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;
    Parser& parser_;
  };

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::data, where_ + ":" + std::to_string(token().line) + ": " + what);
  }
  const JinjaToken& token() const { return tokens_[at_]; }
  bool is_symbol(std::string_view text) const {
    return token().kind == TokenKind::symbol && token().text == text;
  }
  bool is_name(std::string_view text) const {
    return token().kind == TokenKind::name && token().text == text;
  }
  bool take(bool found) {
    at_ += found ? 1 : 0;
    return found;
  }
  bool take_symbol(std::string_view text) { return take(is_symbol(text)); }
  bool take_name(std::string_view text) { return take(is_name(text)); }
  void need_symbol(std::string_view text) {
    if (!take_symbol(text))
      fail("expected '" + std::string(text) + "', found '" + token().text + "'");
  }
  std::string need_name() {
    if (token().kind != TokenKind::name) fail("expected a name, found '" + token().text + "'");
    return tokens_[at_++].text;
  }
  void need_block_end() {
    if (token().kind != TokenKind::block_end)
      fail("expected the end of the tag, found '" + token().text + "'");
    ++at_;
  }
  JinjaChild make(Kind kind, std::string name = {}) const {
    auto node = std::make_unique<JinjaNode>();
    node->kind = kind;
    node->line = token().line;
    node->name = std::move(name);
    return node;
  }
  JinjaChild make(Kind kind, std::string name, JinjaChild first,
                  JinjaChild second = nullptr) const {
    JinjaChild node = make(kind, std::move(name));
    node->height = 1 + std::max(first->height, second ? second->height : 0);
    if (node->height > kHighest) fail("an expression is too long");
    node->children.push_back(std::move(first));
    if (second) node->children.push_back(std::move(second));
    return node;
  }

  // Up to a tag that begins with one of `ends`, which is left to the caller.
  JinjaChild body(const std::vector<std::string_view>& ends);
  JinjaChild statement();
  JinjaChild condition();
  JinjaChild loop();
  JinjaChild set();
  void end_block(std::string_view name);

  JinjaChild expression();
  JinjaChild disjunction();
  JinjaChild conjunction();
  JinjaChild negation();
  JinjaChild comparison();
  JinjaChild binary(std::size_t level);
  JinjaChild unary();
  JinjaChild postfix();
  JinjaChild primary();
  JinjaChild parenthesis();
  JinjaChild literal_object();
  JinjaChild subscript(JinjaChild of);
  JinjaChild test(JinjaChild of);
  void arguments(JinjaNode& call, std::string_view end = ")");

  std::vector<JinjaToken> tokens_;
  const std::string& where_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

JinjaChild Parser::body(const std::vector<std::string_view>& ends) {
  const Depth depth(*this);
  JinjaChild node = make(Kind::body);
  for (;;) {
    switch (token().kind) {
      case TokenKind::text:
        node->children.push_back(make(Kind::text, token().text));
        ++at_;
        break;
      case TokenKind::print_begin: {
        ++at_;
        node->children.push_back(make(Kind::print, {}, expression()));
        if (token().kind != TokenKind::print_end)
          fail("expected '}}', found '" + token().text + "'");
        ++at_;
        break;
      }
      case TokenKind::block_begin: {
        const JinjaToken& word = tokens_[at_ + 1];
        for (const std::string_view end : ends) {
          if (word.kind == TokenKind::name && word.text == end) return node;
        }
        if (word.text.starts_with("end") || word.text.starts_with("el")) {
          if (ends.empty()) return node;
          fail("{% " + word.text + " %} stands where something else has to end");
        }
        ++at_;
        node->children.push_back(statement());
        break;
      }
      default:
        if (!ends.empty()) fail("a block does not end");
        return node;
    }
  }
}

void Parser::end_block(std::string_view name) {
  ++at_;
  if (!take_name(name)) fail("expected {% " + std::string(name) + " %}");
  need_block_end();
}

JinjaChild Parser::statement() {
  if (take_name("if")) return condition();
  if (take_name("for")) return loop();
  if (take_name("set")) return set();
  if (take_name("generation")) {  // transformers' mark of what the assistant writes
    need_block_end();
    JinjaChild inner = body({"endgeneration"});
    end_block("endgeneration");
    return inner;
  }
  fail("{% " + token().text + " %} is not known");
}

JinjaChild Parser::condition() {
  JinjaChild node = make(Kind::condition, {}, expression());
  need_block_end();
  node->children.push_back(body({"elif", "else", "endif"}));
  ++at_;
  if (take_name("elif")) {
    const Depth depth(*this);
    node->children.push_back(condition());
    return node;
  }
  if (take_name("else")) {
    need_block_end();
    node->children.push_back(body({"endif"}));
    ++at_;
  }
  if (!take_name("endif")) fail("expected {% endif %}");
  need_block_end();
  return node;
}

JinjaChild Parser::loop() {
  JinjaChild node = make(Kind::loop);
  const bool bracket = take_symbol("(");
  do node->names.push_back(need_name());
  while (take_symbol(","));
  if (bracket) need_symbol(")");
  if (!take_name("in")) fail("expected 'in', found '" + token().text + "'");
  JinjaChild list = disjunction();  // an `if` that follows filters the list
  JinjaChild filter = take_name("if") ? expression() : nullptr;
  need_block_end();
  node->children.push_back(std::move(list));
  node->children.push_back(body({"else", "endfor"}));
  node->children.push_back(std::move(filter));
  ++at_;
  if (take_name("else")) {
    need_block_end();
    node->children.push_back(body({"endfor"}));
    ++at_;
  } else {
    node->children.push_back(nullptr);
  }
  if (!take_name("endfor")) fail("expected {% endfor %}");
  need_block_end();
  return node;
}

JinjaChild Parser::set() {
  JinjaChild node = make(Kind::set, need_name());
  if (take_symbol(".")) {
    node->kind = Kind::set_attribute;
    node->names.push_back(need_name());
  }
  if (token().kind == TokenKind::block_end) fail("{% set %} of a block is not known");
  need_symbol("=");
  node->children.push_back(expression());
  need_block_end();
  return node;
}

JinjaChild Parser::expression() {
  const Depth depth(*this);
  JinjaChild value = disjunction();
  while (take_name("if")) {
    JinjaChild node = make(Kind::choice, {}, std::move(value), disjunction());
    if (take_name("else")) node->children.push_back(expression());
    value = std::move(node);
  }
  return value;
}

JinjaChild Parser::disjunction() {
  JinjaChild left = conjunction();
  while (take_name("or")) left = make(Kind::binary, "or", std::move(left), conjunction());
  return left;
}

JinjaChild Parser::conjunction() {
  JinjaChild left = negation();
  while (take_name("and")) left = make(Kind::binary, "and", std::move(left), negation());
  return left;
}

JinjaChild Parser::negation() {
  const Depth depth(*this);
  if (take_name("not")) return make(Kind::unary, "not", negation());
  return comparison();
}

JinjaChild Parser::comparison() {
  JinjaChild left = binary(0);
  for (;;) {
    std::string name;
    for (const std::string_view symbol : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (take_symbol(symbol)) name = symbol;
      if (!name.empty()) break;
    }
    if (name.empty() && take_name("in")) name = "in";
    if (name.empty() && is_name("not") && tokens_[at_ + 1].text == "in") {
      at_ += 2;
      name = "not in";
    }
    if (name.empty()) return left;
    left = make(Kind::binary, name, std::move(left), binary(0));
  }
}

// +, -; then ~; then *, /, //, %: the later, the tighter.
JinjaChild Parser::binary(std::size_t level) {
  static const std::array<std::vector<std::string_view>, 3> kLevels = {
      {{"+", "-"}, {"~"}, {"*", "//", "/", "%"}}};
  if (level == kLevels.size()) return unary();
  JinjaChild left = binary(level + 1);
  for (;;) {
    std::string name;
    for (const std::string_view symbol : kLevels[level]) {
      if (name.empty() && take_symbol(symbol)) name = symbol;
    }
    if (name.empty()) return left;
    left = make(Kind::binary, name, std::move(left), binary(level + 1));
  }
}

JinjaChild Parser::unary() {
  const Depth depth(*this);
  if (take_symbol("-")) return make(Kind::unary, "-", unary());
  if (take_symbol("+")) return make(Kind::unary, "+", unary());
  return postfix();
}

JinjaChild Parser::postfix() {
  JinjaChild node = primary();
  for (;;) {
    if (take_symbol(".")) {
      node = make(Kind::attribute, need_name(), std::move(node));
    } else if (take_symbol("[")) {
      node = subscript(std::move(node));
    } else if (take_symbol("(")) {
      if (node->kind == Kind::attribute) {
        node->kind = Kind::method;
      } else if (node->kind == Kind::variable) {
        node->kind = Kind::call;
      } else {
        fail("only functions and methods can be called");
      }
      arguments(*node);
    } else if (take_symbol("|")) {
      node = make(Kind::filter, need_name(), std::move(node));
      if (take_symbol("(")) arguments(*node);
    } else if (take_name("is")) {
      node = test(std::move(node));
    } else {
      return node;
    }
  }
}

JinjaChild Parser::test(JinjaChild of) {
  const bool negated = take_name("not");
  JinjaChild node = make(Kind::test, need_name(), std::move(of));
  if (take_symbol("(")) {
    arguments(*node);
  } else if (token().kind == TokenKind::string || token().kind == TokenKind::integer) {
    node->children.push_back(primary());
  }
  return negated ? make(Kind::unary, "not", std::move(node)) : std::move(node);
}

// Behind "(", up to ")"; or the elements of a list.
void Parser::arguments(JinjaNode& call, std::string_view end) {
  while (!take_symbol(end)) {
    if (token().kind == TokenKind::name && tokens_[at_ + 1].text == "=" &&
        tokens_[at_ + 1].kind == TokenKind::symbol) {
      call.names.push_back(token().text);
      at_ += 2;
    } else if (!call.names.empty()) {
      fail("an argument without a name follows one with a name");
    }
    call.children.push_back(expression());
    if (!is_symbol(end)) need_symbol(",");
  }
}

JinjaChild Parser::subscript(JinjaChild of) {
  const auto part = [&]() -> JinjaChild {
    return is_symbol(":") || is_symbol("]") ? nullptr : expression();
  };
  JinjaChild begin = part();
  if (take_symbol("]")) {
    if (!begin) fail("there is no index in []");
    return make(Kind::element, {}, std::move(of), std::move(begin));
  }
  need_symbol(":");
  JinjaChild node = make(Kind::slice, {}, std::move(of));
  node->children.push_back(std::move(begin));
  node->children.push_back(part());
  node->children.push_back(take_symbol(":") ? part() : nullptr);
  need_symbol("]");
  return node;
}

JinjaChild Parser::primary() {
  JinjaChild node = make(Kind::constant);
  const JinjaToken& word = token();
  switch (word.kind) {
    case TokenKind::string: {
      std::string text;  // strings side by side are one
      while (token().kind == TokenKind::string) text += tokens_[at_++].text;
      node->value = std::move(text);
      return node;
    }
    case TokenKind::integer:
      node->value = std::stoll(word.text);
      ++at_;
      return node;
    case TokenKind::number:
      node->value = std::stod(word.text);
      ++at_;
      return node;
    case TokenKind::name:
      ++at_;
      if (word.text == "true" || word.text == "True") {
        node->value = true;
      } else if (word.text == "false" || word.text == "False") {
        node->value = false;
      } else if (word.text != "none" && word.text != "None") {
        node->kind = Kind::variable;
        node->name = word.text;
      }
      return node;
    default:
      break;
  }
  if (take_symbol("(")) return parenthesis();
  if (take_symbol("[")) {
    node->kind = Kind::list;
    arguments(*node, "]");
    return node;
  }
  if (take_symbol("{")) return literal_object();
  fail("expected an expression, found '" + word.text + "'");
}

JinjaChild Parser::parenthesis() {
  JinjaChild inner = expression();
  if (is_symbol(",")) {  // a tuple is a list here
    JinjaChild list = make(Kind::list, {}, std::move(inner));
    while (take_symbol(",")) {
      if (!is_symbol(")")) list->children.push_back(expression());
    }
    inner = std::move(list);
  }
  need_symbol(")");
  return inner;
}

JinjaChild Parser::literal_object() {
  JinjaChild node = make(Kind::object);
  while (!take_symbol("}")) {
    node->children.push_back(expression());
    need_symbol(":");
    node->children.push_back(expression());
    if (!is_symbol("}")) need_symbol(",");
  }
  return node;
}

}  // namespace

JinjaChild parse_jinja(std::string_view source, const std::string& where) {
  return Parser(jinja_tokens(source, where), where).run();
}

}  // namespace tapir::text
