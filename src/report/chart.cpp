#include "report/chart.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "report/html.h"

namespace tapir::report {
namespace {

constexpr double kRowHeight = 34;

std::string hint_of(std::string_view hint) {
  return hint.empty() ? "" : fmt::format("<title>{}</title>", escape(hint));
}

// In thousands or millions where the axis reaches far.
std::string tick_label(const Axis& axis, double value) {
  const double shown = value * axis.factor;
  const double reach = std::max(std::fabs(axis.low), std::fabs(axis.high)) * std::fabs(axis.factor);
  const auto scaled = [&](double unit, const char* suffix) {
    const double in_units = shown / unit;
    const bool whole = std::fabs(in_units - std::round(in_units)) < 1e-6;
    return decimal(in_units, whole ? 0 : 1) + (shown == 0 ? "" : suffix);
  };
  if (reach >= 2e6) return scaled(1e6, "M");
  if (reach >= 1e4) return scaled(1e3, "k");
  return decimal(shown, axis.digits);
}

}  // namespace

std::vector<double> nice_ticks(double low, double high, int count) {
  if (!(high > low) || count < 1) return {low};
  const double rough = (high - low) / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = power;
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    step = factor * power;
    if (step >= rough * 0.7) break;
  }
  std::vector<double> ticks;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k) {
    ticks.push_back(std::fabs(k) < 0.5 ? 0 : k * step);
  }
  return ticks;
}

Plot::Plot(PlotOptions options, Axis x, Axis y)
    : options_(std::move(options)), x_(std::move(x)), y_(std::move(y)) {
  if (!(x_.high > x_.low)) x_.high = x_.low + 1;
  if (!(y_.high > y_.low)) y_.high = y_.low + 1;
}

std::string Plot::x(double value) const {
  return fmt::format("{:.3f}%",
                     std::clamp(100 * (value - x_.low) / (x_.high - x_.low), -5.0, 105.0));
}

double Plot::y(double value) const {
  return options_.height * (1 - std::clamp((value - y_.low) / (y_.high - y_.low), -0.05, 1.05));
}

void Plot::grid_x() {
  for (const double tick : x_.ticks) {
    marks_ += fmt::format(
        "<line class=\"grid-line\" x1=\"{0}\" x2=\"{0}\" y1=\"0\" y2=\"{1}\"/>"
        "<text class=\"tick\" x=\"{0}\" y=\"{2}\" text-anchor=\"middle\">{3}</text>",
        x(tick), options_.height, options_.height + 16, tick_label(x_, tick));
  }
  if (!x_.label.empty()) {
    marks_ +=
        fmt::format("<text class=\"axis\" x=\"50%\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                    options_.height + 34, escape(x_.label));
  }
}

void Plot::grid_y() {
  for (const double tick : y_.ticks) {
    marks_ += fmt::format(
        "<line class=\"grid-line\" x1=\"0\" x2=\"100%\" y1=\"{0:.1f}\" y2=\"{0:.1f}\"/>"
        "<text class=\"tick\" x=\"-8\" y=\"{1:.1f}\" text-anchor=\"end\">{2}</text>",
        y(tick), y(tick) + 4, tick_label(y_, tick));
  }
  if (!y_.label.empty()) {
    marks_ += fmt::format("<text class=\"axis\" x=\"{}\" y=\"-10\">{}</text>", 8 - options_.left,
                          escape(y_.label));
  }
}

void Plot::bar(double from, double to, double value, std::string_view css_class,
               std::string_view hint) {
  const double width = 100 * (to - from) / (x_.high - x_.low);
  const double top = y(value);
  marks_ += fmt::format(
      "<rect class=\"{}\" x=\"{}\" y=\"{:.1f}\" width=\"{:.3f}%\" height=\"{:.1f}\" "
      "rx=\"1.5\">{}</rect>",
      css_class, x(from), top, width * 0.88, std::max(value > y_.low ? 1.0 : 0.0, y(y_.low) - top),
      hint_of(hint));
}

void Plot::vertical(double value, std::string_view css_class, std::string_view label) {
  marks_ += fmt::format("<line class=\"{0}\" x1=\"{1}\" x2=\"{1}\" y1=\"-4\" y2=\"{2}\"/>",
                        css_class, x(value), options_.height);
  if (!label.empty()) {
    marks_ += fmt::format("<text class=\"mark\" x=\"{}\" dx=\"5\" y=\"4\">{}</text>", x(value),
                          escape(label));
  }
}

void Plot::horizontal(double value, std::string_view css_class) {
  marks_ += fmt::format("<line class=\"{0}\" x1=\"0\" x2=\"100%\" y1=\"{1:.1f}\" y2=\"{1:.1f}\"/>",
                        css_class, y(value));
}

void Plot::dot(double x_value, double y_value, double radius, std::string_view css_class,
               std::string_view hint) {
  marks_ += fmt::format("<circle class=\"{}\" cx=\"{}\" cy=\"{:.1f}\" r=\"{:.1f}\">{}</circle>",
                        css_class, x(x_value), y(y_value), radius, hint_of(hint));
}

void Plot::line(const std::vector<std::pair<double, double>>& points, std::string_view css_class,
                std::string_view hint) {
  if (points.empty()) return;
  // Stretched with the page; the stroke keeps its width.
  std::string path;
  for (const auto& [px, py] : points) {
    path += fmt::format("{:.2f},{:.1f} ", 1000 * (px - x_.low) / (x_.high - x_.low), y(py));
  }
  marks_ += fmt::format(
      "<svg viewBox=\"0 0 1000 {0}\" preserveAspectRatio=\"none\" width=\"100%\" height=\"{0}\">"
      "<polyline class=\"{1}\" points=\"{2}\">{3}</polyline></svg>",
      options_.height, css_class, path, hint_of(hint));
}

std::string Plot::html() const {
  const double bottom = x_.ticks.empty() ? 6 : (x_.label.empty() ? 24 : 42);
  const double top = options_.top + (y_.label.empty() ? 0 : 20);
  return fmt::format(
      "<div class=\"plot\" style=\"padding:{}px {}px {}px {}px\"><svg width=\"100%\" height=\"{}\" "
      "role=\"img\" aria-label=\"{}. {}\">{}</svg></div>\n",
      top, options_.right, bottom, options_.left, options_.height, escape(options_.title),
      escape(options_.description), marks_);
}

std::string dot_plot(const std::vector<DotRow>& rows, const DotPlotOptions& options) {
  std::size_t longest = 4;
  for (const DotRow& row : rows) longest = std::max(longest, row.name.size());
  const double height = kRowHeight * static_cast<double>(rows.size());
  const double left = std::min(150.0, 18 + 7.3 * static_cast<double>(longest));
  Axis x{options.low, options.high,  options.axis_label, nice_ticks(options.low, options.high, 5),
         0,           options.factor};
  Plot plot({options.title, options.description, height, left, 62}, x,
            Axis{0, static_cast<double>(rows.size())});
  plot.grid_x();
  if (options.reference) plot.vertical(*options.reference, "reference", "");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const DotRow& row = rows[i];
    const double middle = kRowHeight * (static_cast<double>(i) + 0.5);
    plot.svg(fmt::format(
        "<text class=\"name\" x=\"-10\" y=\"{0:.1f}\" text-anchor=\"end\">{1}</text>"
        "<text class=\"figure\" x=\"100%\" dx=\"10\" y=\"{0:.1f}\">{2}</text>"
        "<g class=\"{3}\"><line class=\"whisker\" x1=\"{4}\" x2=\"{5}\" y1=\"{6:.1f}\" "
        "y2=\"{6:.1f}\"/>"
        "<circle class=\"point\" cx=\"{7}\" cy=\"{6:.1f}\" r=\"6\"><title>{1}: "
        "{2}</title></circle></g>",
        middle + 4.5, escape(row.name), row.figure, row.css_class, plot.x(row.interval.low),
        plot.x(row.interval.high), middle, plot.x(row.value)));
  }
  return plot.html();
}

std::string histogram(const std::map<double, std::int64_t>& counts,
                      const HistogramOptions& options) {
  std::int64_t highest = 1;
  for (const auto& [low, count] : counts) highest = std::max(highest, count);
  Axis x{options.low, options.high, options.axis_label, {}, 0};
  Axis y{0,
         static_cast<double>(highest) * (options.small ? 1.0 : 1.08),
         options.small ? "" : "instructions",
         {},
         0};
  PlotOptions plot_options{options.title, options.description, options.height};
  if (options.small) {
    plot_options.left = plot_options.right = 2;
    plot_options.top = 6;
  } else {
    x.ticks = {-9, -6, -3, 0, 3, 6, 9};
    y.ticks = nice_ticks(0, y.high, 4);
  }
  Plot plot(plot_options, x, y);
  if (!options.small) {
    plot.grid_y();
    plot.grid_x();
  }
  for (const auto& [low, count] : counts) {
    const char* css_class = low >= options.threshold - 1e-9 ? "bar-hard" : "bar-easy";
    plot.bar(low, low + options.bin, static_cast<double>(count), css_class,
             fmt::format("gap {} to {}: {}", decimal(low, 1), decimal(low + options.bin, 1),
                         number(count)));
  }
  plot.horizontal(0, "base-line");
  plot.vertical(options.threshold, "threshold",
                options.small ? "" : "\xCE\xB4 = " + decimal(options.threshold, 1));
  return plot.html();
}

std::string legend(const std::vector<std::pair<std::string, std::string>>& class_and_name) {
  std::string inside;
  for (const auto& [css_class, name] : class_and_name) {
    inside += fmt::format("<span><i class=\"chip {}\"></i>{}</span>", css_class, escape(name));
  }
  return "<div class=\"legend\">" + inside + "</div>\n";
}

}  // namespace tapir::report
