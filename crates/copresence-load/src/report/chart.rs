//! Line charts as inline SVG, without scripts.

use std::fmt::Write;

/// Width and height of a chart, in the units of its view box.
const SIZE: (f64, f64) = (960.0, 220.0);
/// Space around the plot: left, top, right, bottom.
const PLOT_MARGINS: (f64, f64, f64, f64) = (76.0, 12.0, 12.0, 28.0);

/// A line of a chart.
pub(super) struct ChartLine {
    /// Shown in the legend.
    pub(super) name: &'static str,
    /// CSS class that gives the colour.
    pub(super) class: &'static str,
    /// Seconds and value; `None` is a gap.
    pub(super) points: Vec<(f64, Option<f64>)>,
}

/// Draws a chart of these lines over the seconds of a run. `unit` follows the labels of the vertical axis.
pub(super) fn draw_line_chart(title: &str, unit: &str, lines: &[ChartLine]) -> String {
    let (left, top, right, bottom) = PLOT_MARGINS;
    let (width, height) = (SIZE.0 - left - right, SIZE.1 - top - bottom);
    let points = || lines.iter().flat_map(|line| &line.points);
    let end = points().map(|(at, _)| *at).fold(1.0, f64::max);
    let largest = points().filter_map(|(_, value)| *value).fold(0.0, f64::max);
    let (step, limit) = choose_axis_step_and_limit(largest);
    let x = |seconds: f64| left + seconds / end * width;
    let y = |value: f64| top + height - value / limit * height;

    let mut svg = String::new();
    // Writing to a string cannot fail.
    _ = write!(
        svg,
        r#"<svg viewBox="0 0 {} {}" role="img" aria-label="{title}" preserveAspectRatio="none">"#,
        SIZE.0, SIZE.1
    );
    let mut tick = 0.0;
    while tick <= limit + step / 2.0 {
        let at = y(tick);
        _ = write!(
            svg,
            r#"<line class="grid" x1="{left}" x2="{}" y1="{at:.1}" y2="{at:.1}"/><text x="{}" y="{:.1}" text-anchor="end">{}{unit}</text>"#,
            left + width,
            left - 8.0,
            at + 4.0,
            format_axis_label(tick)
        );
        tick += step;
    }
    let seconds_step = choose_time_axis_step(end);
    let mut seconds = 0.0;
    while seconds <= end + 1e-9 {
        _ = write!(
            svg,
            r#"<text x="{:.1}" y="{}" text-anchor="middle">{}</text>"#,
            x(seconds),
            SIZE.1 - 8.0,
            format_seconds(seconds)
        );
        seconds += seconds_step;
    }
    for line in lines {
        let mut path = String::new();
        let mut is_pen_down = false;
        for (at, value) in &line.points {
            if let Some(value) = value {
                let command = if is_pen_down { 'L' } else { 'M' };
                _ = write!(path, "{command}{:.1} {:.1}", x(*at), y(*value));
            }
            is_pen_down = value.is_some();
        }
        // A round cap makes a point of a line that has only one.
        _ = write!(svg, r#"<path class="line {}" d="{path}"><title>{}</title></path>"#, line.class, line.name);
    }
    svg.push_str("</svg>");
    svg
}

/// The distance of the labels of the vertical axis, and its end: 1, 2 or 5 times a power of ten.
fn choose_axis_step_and_limit(largest: f64) -> (f64, f64) {
    let rough = (largest / 4.0).max(0.25);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    (step, (largest / step).ceil().max(1.0) * step)
}

/// The distance of the labels of the time axis, in seconds: at most eight of them.
fn choose_time_axis_step(end: f64) -> f64 {
    let steps = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21_600.0];
    steps.into_iter().find(|step| end / step <= 8.0).unwrap_or(86_400.0)
}

/// Formats a number of the vertical axis; from 10 000 on as in `12k`, from a million on as in `3M`.
fn format_axis_label(value: f64) -> String {
    if value >= 1e6 {
        format!("{}M", format_with_at_most_two_decimals(value / 1e6))
    } else if value >= 1e4 {
        format!("{}k", format_with_at_most_two_decimals(value / 1e3))
    } else {
        format_with_at_most_two_decimals(value)
    }
}

/// Formats a number with at most two decimals, without trailing zeros.
fn format_with_at_most_two_decimals(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Formats seconds for the time axis, as in `45s`, `2m30s` and `1h`.
fn format_seconds(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "labels are whole seconds above zero")]
    let seconds = seconds.round() as u64;
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string().replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_labels_and_contain_every_value() {
        for (largest, step, limit) in
            [(0.0, 0.5, 0.5), (1.0, 0.5, 1.0), (7.3, 2.0, 8.0), (100.0, 50.0, 100.0), (1234.0, 500.0, 1500.0)]
        {
            let (found_step, found_limit) = choose_axis_step_and_limit(largest);
            assert!(
                (found_step - step).abs() < 1e-9 && (found_limit - limit).abs() < 1e-9,
                "{largest}: {found_step} {found_limit}"
            );
        }
    }

    #[test]
    fn gaps_interrupt_a_line_and_empty_charts_are_drawn() {
        let line = ChartLine {
            name: "redeem",
            class: "a",
            points: vec![(1.0, Some(1.0)), (2.0, Some(2.0)), (3.0, None), (4.0, Some(1.0))],
        };
        let svg = draw_line_chart("latency", " ms", &[line]);
        assert_eq!((svg.matches('M').count(), svg.matches('L').count()), (2, 1), "{svg}");
        assert!(!svg.contains("NaN") && svg.ends_with("</svg>"));
        let empty = draw_line_chart("nothing", "", &[]);
        assert!(!empty.contains("NaN") && !empty.contains("inf"), "{empty}");
    }
}
