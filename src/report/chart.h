// Charts as inline SVG that stretch with the page: positions across are per cent of the width,
// heights and letters are pixels, so that letters keep their size on a phone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stats/intervals.h"

namespace tapir::report {

// Round values from low to high, about `count` of them.
std::vector<double> nice_ticks(double low, double high, int count);

struct Axis {
  double low = 0;
  double high = 1;
  std::string label;  // with the unit
  std::vector<double> ticks;
  int digits = 0;     // of the tick labels
  double factor = 1;  // tick labels show value x factor
};

struct PlotOptions {
  std::string title;        // read out, and shown on hovering
  std::string description;  // what it says, in one sentence
  double height = 200;      // px of the plot area
  double left = 46;         // px for labels at the left
  double right = 14;
  double top = 8;
};

// A plot area with axes; marks are added in the coordinates of the axes.
class Plot {
 public:
  Plot(PlotOptions options, Axis x, Axis y);

  std::string x(double value) const;  // "43.21%"
  double y(double value) const;       // px from the top

  void grid_x();  // lines and labels at the ticks of x
  void grid_y();
  void bar(double from, double to, double value, std::string_view css_class, std::string_view hint);
  void vertical(double value, std::string_view css_class, std::string_view label);
  void horizontal(double value, std::string_view css_class);
  void dot(double x_value, double y_value, double radius, std::string_view css_class,
           std::string_view hint);
  void line(const std::vector<std::pair<double, double>>& points, std::string_view css_class,
            std::string_view hint);
  void svg(std::string_view text) { marks_ += text; }

  std::string html() const;

 private:
  PlotOptions options_;
  Axis x_;
  Axis y_;
  std::string marks_;
};

// Rows of a dot with its interval, a name at the left and a figure at the right.
struct DotRow {
  std::string name;
  std::string css_class;
  double value = 0;
  stats::Interval interval;
  std::string figure;  // shown at the right
};
struct DotPlotOptions {
  std::string title, description, axis_label;
  double low = 0, high = 1;
  double factor = 100;              // tick labels show value x factor
  std::optional<double> reference;  // dashed line
};
std::string dot_plot(const std::vector<DotRow>& rows, const DotPlotOptions& options);

// Bars of equal width; those from `threshold` on are marked as hard.
struct HistogramOptions {
  std::string title, description, axis_label;
  double low = -9, high = 9, bin = 0.5;
  double threshold = 2;
  double height = 200;
  bool small = false;  // without axes, for many side by side
};
std::string histogram(const std::map<double, std::int64_t>& counts,
                      const HistogramOptions& options);

// Names of series with their colours.
std::string legend(const std::vector<std::pair<std::string, std::string>>& class_and_name);

}  // namespace tapir::report
