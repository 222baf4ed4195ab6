//! Charts of memory, throughput and latencies over time.

use std::error::Error;
use std::path::Path;

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use crate::statistics::Sample;

const SIZE: (u32, u32) = (1000, 1000);

const BLUE: RGBColor = RGBColor(31, 119, 180);
const LIGHT_BLUE: RGBColor = RGBColor(150, 195, 230);
const RED: RGBColor = RGBColor(200, 50, 40);
const LIGHT_RED: RGBColor = RGBColor(240, 160, 140);
const GREEN: RGBColor = RGBColor(60, 140, 70);
const GREY: RGBColor = RGBColor(130, 130, 130);

/// The width of a chart. The legend is next to it.
const CHART: u32 = 830;

/// A line: its name, its colour and its value in a second, if there is one.
type Line<'a> = (&'a str, RGBColor, &'a dyn Fn(&Sample) -> Option<f64>);

/// A chart: its title, the format of values, and its lines.
struct Chart<'a> {
    title: &'a str,
    label: &'a dyn Fn(&f64) -> String,
    lines: &'a [Line<'a>],
}

/// Draws all samples of an engine with this title and the offered rate.
pub(crate) fn draw(path: &Path, title: &str, offered: f64, samples: &[Sample]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let root = root.titled(title, ("sans-serif", 20))?;
    let parts = root.split_evenly((3, 1));
    let seconds = samples.last().map_or(1.0, |sample| sample.at);
    let highest = |chart: &Chart<'_>| {
        let values = samples.iter().flat_map(|sample| chart.lines.iter().filter_map(|(.., of)| of(sample)));
        values.fold(1.0, f64::max)
    };

    let memory = Chart {
        title: "memory of the server, MiB",
        label: &|value| format!("{value:.0}"),
        lines: &[("resident", BLUE, &|it| Some(it.memory as f64 / 1_048_576.0))],
    };
    memory.draw(&parts[0], 0.0..seconds, 0.0..highest(&memory) * 1.1, samples)?;

    let rates = Chart {
        title: "appends a second",
        label: &|value| format!("{value:.0}"),
        lines: &[
            ("offered", GREY, &|_| Some(offered)),
            ("stored", BLUE, &|it| Some(it.answered.rate)),
            ("refused: try again", RED, &|it| Some(it.refused.rate)),
        ],
    };
    rates.draw(&parts[1], 0.0..seconds, 0.0..highest(&rates) * 1.1, samples)?;

    let some = |count: f64, latency: f64| (count > 0.0).then_some(latency.max(0.1));
    let latencies = Chart {
        title: "latency, ms: of appends since they were due, of reads since they were sent",
        label: &|value| if *value < 1.0 { format!("{value:.1}") } else { format!("{value:.0}") },
        lines: &[
            ("stored, p50", LIGHT_BLUE, &|it| some(it.answered.rate, it.answered.due[0])),
            ("stored, p99", BLUE, &|it| some(it.answered.rate, it.answered.due[2])),
            ("refused, p50", LIGHT_RED, &|it| some(it.refused.rate, it.refused.due[0])),
            ("refused, p99", RED, &|it| some(it.refused.rate, it.refused.due[2])),
            ("history read, p99", GREEN, &|it| some(it.read[3], it.read[2])),
        ],
    };
    let range = (0.1..highest(&latencies) * 1.5).log_scale();
    latencies.draw(&parts[2], 0.0..seconds, range, samples)?;
    root.present()?;
    Ok(())
}

impl Chart<'_> {
    fn draw<Y>(
        &self,
        area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
        x: std::ops::Range<f64>,
        y: Y,
        samples: &[Sample],
    ) -> Result<(), Box<dyn Error>>
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let (left, right) = area.split_horizontally(CHART);
        let mut chart = ChartBuilder::on(&left)
            .caption(self.title, ("sans-serif", 16))
            .margin(8)
            .margin_right(16)
            .x_label_area_size(34)
            .y_label_area_size(64)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .x_desc("seconds")
            .x_label_formatter(&|value| format!("{value:.0}"))
            .y_label_formatter(self.label)
            .label_style(("sans-serif", 13))
            .draw()?;
        for (place, (name, colour, of)) in (0..).zip(self.lines) {
            let style = colour.stroke_width(2);
            let points = samples.iter().filter_map(|sample| Some((sample.at, of(sample)?)));
            chart.draw_series(LineSeries::new(points, style))?;
            let height = 50 + 22 * place;
            right.draw(&PathElement::new([(0, height), (18, height)], style))?;
            right.draw(&Text::new(*name, (26, height - 6), ("sans-serif", 13)))?;
        }
        Ok(())
    }
}
