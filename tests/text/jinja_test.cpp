// The part of Jinja2 that chat templates are written in.
#include "text/jinja.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "text/chat_format.h"

namespace tapir::text {
namespace {

using ::testing::HasSubstr;

const Json kVariables = {
    {"name", "tapir"},
    {"none_value", nullptr},
    {"list", {1, 2, 3}},
    {"messages",
     {{{"role", "user"}, {"content", " hi "}}, {{"role", "assistant"}, {"content", "yes"}}}}};

std::string render(std::string_view source) {
  const JinjaResult result = JinjaTemplate(source, "t").render(kVariables);
  return result.text ? *result.text : "refused: " + result.refusal;
}

std::string failure(std::string_view source) {
  try {
    return "rendered " + render(source);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::data);
    return e.what();
  }
}

struct Case {
  const char* source;
  const char* text;  // as Jinja2 3.1.6 renders it
};

class JinjaCase : public ::testing::TestWithParam<Case> {};

TEST_P(JinjaCase, RendersAsJinja2) { EXPECT_EQ(render(GetParam().source), GetParam().text); }

INSTANTIATE_TEST_SUITE_P(
    Expressions, JinjaCase,
    ::testing::Values(
        Case{"{{ 'a' + 'b' ~ 1 }}", "ab1"}, Case{"{{ 1 + 2 * 3 - 7 // 2 }}", "4"},
        Case{"{{ -7 // 2 }} {{ -7 % 3 }}", "-4 2"}, Case{"{{ 'a' + ' x ' | trim + 'b' }}", "axb"},
        Case{"{{ true }} {{ none }} {{ missing }}|", "True None |"},
        Case{"{{ 'y' if name == 'tapir' else 'n' }}{{ 'z' if false }}", "y"},
        Case{"{{ not name }} {{ not missing is defined }}", "False True"},
        Case{"{{ name is defined and none_value is none }}", "True"},
        Case{"{{ none_value is defined }} {{ missing is none }}", "True False"},
        Case{"{{ messages[-1].content }}{{ messages[0]['role'] }}{{ messages[5] }}", "yesuser"},
        Case{"{{ messages[1:] | length }}{{ messages[::-1][0].role }}", "1assistant"},
        Case{"{{ 'abc'[:-1] }}{{ [1, 2][1] }}{{ {'k': 'v'}.k }}", "ab2v"},
        Case{"{{ 'p' in 'tapir' }} {{ 'role' in messages[0] }} {{ 4 not in list }}",
             "True True True"},
        Case{"{{ 'a</x>b</x>c'.split('</x>')[-1] }}", "c"},
        Case{"{{ '\\n x\\n'.strip('\\n') }}|{{ ' x '.lstrip() }}|", " x|x |"},
        Case{"{{ 'x'.startswith('x') and not 'x'.endswith('y') }}", "True"},
        Case{"{{ messages | selectattr('role', 'equalto', 'user') | list | length }}", "1"},
        Case{"{{ missing | default('d') }}{{ '' | default('e', true) }}", "de"},
        Case{"{{ 'q\"' | tojson }}{{ list | join(', ') }}", "\"q\\\"\"1, 2, 3"},
        Case{"{{ 'side ' 'by' \" side\" }}", "side by side"},
        Case{"{{ 1 < 2 }}{{ 'a' == 'a' }}{{ 3 is odd }}", "TrueTrueTrue"}));

INSTANTIATE_TEST_SUITE_P(
    Statements, JinjaCase,
    ::testing::Values(
        Case{"{% for m in messages %}{{ loop.index0 }}{{ m.role }}{% if not loop.last %},{% endif "
             "%}{% endfor %}",
             "0user,1assistant"},
        Case{"{% for x in list if x > 1 %}{{ x }}{{ loop.first }}{% else %}none{% endfor %}",
             "2True3False"},
        Case{"{% for x in [] %}x{% else %}none{% endfor %}", "none"},
        Case{"{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}", "a1"},
        Case{"{% set x = 1 %}{% for i in list %}{% set x = i %}{% endfor %}{{ x }}", "1"},
        Case{
            "{% set n = namespace(x=1) %}{% for i in list %}{% set n.x = i %}{% endfor %}{{ n.x }}",
            "3"},
        Case{"{% if false %}a{% elif name %}b{% else %}c{% endif %}", "b"},
        Case{"{% generation %}x{% endgeneration %}", "x"},
        Case{"a\n  {% if true %}\n  b\n  {% endif %}\nc\n", "a\n  b\nc"},
        Case{"a {%- if true -%} b {%- endif %} c", "ab c"}, Case{"a\n{#- gone -#}\n b", "ab"},
        Case{"{# gone #}\nx", "x"}, Case{"{{ 'x' }}\ny\n\n", "x\ny\n"},
        Case{"a\n  {{ 'x' }}", "a\n  x"}, Case{"{{ raise_exception('why') }}", "refused: why"},
        Case{"{{ strftime_now('%d %b %Y') }}", "26 Jul 2024"}));

TEST(Jinja, WhatIsNotKnownIsAnErrorWithItsLine) {
  EXPECT_THAT(failure("\n{% macro m() %}{% endmacro %}"), HasSubstr("t:2"));
  EXPECT_THAT(failure("{{ x | unknown }}"), HasSubstr("filter unknown"));
  EXPECT_THAT(failure("{{ messages }}"), HasSubstr("printing a list"));
  EXPECT_THAT(failure("{{ missing.x }}"), HasSubstr("undefined"));
  EXPECT_THAT(failure("{{ strftime_now('%H') }}"), HasSubstr("strftime_now"));
  EXPECT_THAT(failure("{% if x %}"), HasSubstr("does not end"));
  EXPECT_THAT(failure("{% endif %}"), HasSubstr("endif"));
  EXPECT_THAT(failure("{{ 'x"), HasSubstr("string does not end"));
  EXPECT_THAT(failure("{{ 1 "), HasSubstr("tag does not end"));
}

TEST(Jinja, HostileTemplatesEnd) {
  EXPECT_THAT(failure("{{ " + std::string(9999, '(') + "1" + std::string(9999, ')') + " }}"),
              HasSubstr("nested too deeply"));
  EXPECT_THAT(failure("{{ " + std::string(100000, '-') + "1 }}"), HasSubstr("nested too deeply"));
  std::string sum = "{{ 1";
  for (int i = 0; i < 20000; ++i) sum += "+1";
  EXPECT_THAT(failure(sum + " }}"), HasSubstr("too long"));
  std::string attributes = "{{ name";
  for (int i = 0; i < 20000; ++i) attributes += ".x";
  EXPECT_THAT(failure(attributes + " }}"), HasSubstr("too long"));
  EXPECT_THAT(failure("{% for a in range(999999999) %}{% endfor %}"),
              HasSubstr("does not come to an end"));
  EXPECT_THAT(
      failure("{% for a in range(999) %}{% for b in range(999) %}x{% endfor %}{% endfor %}"),
      HasSubstr("does not come to an end"));
}

// A few lines could take all memory: a text, a list or an object that doubles, a product of two
// texts, and plain text in a loop.
TEST(Jinja, TemplatesThatGrowWithoutBoundEnd) {
  const auto repeated = [](const std::string& start, const std::string& value) {
    return failure("{% set n = namespace(x=" + start + ") %}{% for i in range(60) %}{% set n.x = " +
                   value + " %}{% endfor %}{{ n.x | length }}");
  };
  for (const char* value : {"n.x ~ n.x", "n.x + n.x"})
    EXPECT_THAT(repeated("'ab'", value), HasSubstr("too much")) << value;
  for (const char* value : {"n.x + n.x", "[n.x, n.x]", "{'a': n.x, 'b': n.x}"})
    EXPECT_THAT(repeated("[1]", value), HasSubstr("too much")) << value;
  EXPECT_THAT(repeated("'aa'", "n.x.replace('a', n.x)"), HasSubstr(".replace()"));
  EXPECT_THAT(repeated("'aa'", "range(99) | join(n.x)"), HasSubstr("filter join"));
  EXPECT_THAT(failure("{% for i in range(9999) %}" + std::string(9999, 'x') + "{% endfor %}"),
              HasSubstr("does not come to an end"));
}

// Whatever stands in a template: a text, a refusal or an error, never anything else.
TEST(Jinja, MutatedTemplatesNeverCrash) {
  RandomStream random(1, "test", "jinja");
  const std::vector<std::string> bits = {"{%",    "%}",   "{{",    "}}", "{#", "-", "(",
                                         ")",     "[",    "]",     "'",  "|",  ".", " if ",
                                         " for ", " in ", "endif", "\n", "0",  "x"};
  int rendered = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string source = chat_template(random.choose(chat_format_names()));
    for (int n = random.between(1, 4); n > 0; --n) {
      const auto at = static_cast<std::size_t>(random.below(source.size()));
      if (random.chance(0.5)) {
        source.erase(at, static_cast<std::size_t>(random.between(1, 6)));
      } else {
        source.insert(at, random.choose(bits));
      }
    }
    try {
      (void)render(source);
      ++rendered;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::data) << source;
    }
  }
  EXPECT_GT(rendered, 100);
}

}  // namespace
}  // namespace tapir::text
