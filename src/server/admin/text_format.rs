//! The text format of Prometheus, made from that of OpenMetrics.

use std::fmt::Write;

/// Metrics in the text format of Prometheus, version 0.0.4
/// (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>). It has the names of samples in its
/// comments, so those of counters end in `_total`, and it has no units, no exemplars and no mark
/// of the end.
pub(super) fn prometheus_text(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    // OpenMetrics has the help of a metric before its type.
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(comment) = line.strip_prefix("# HELP ") {
            help = comment.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let suffix = if kind == "counter" { "_total" } else { "" };
            if let Some((_, words)) = help.take().filter(|(of, _)| *of == name) {
                let _ = writeln!(text, "# HELP {name}{suffix} {words}");
            }
            let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with('#') {
            // Without its exemplar. No label contains this.
            text.push_str(line.split_once(" # {").map_or(line, |(sample, _)| sample));
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_comments_are_those_of_prometheus() {
        let open_metrics = "# HELP a_seconds How long.\n# TYPE a_seconds histogram\n# UNIT a_seconds seconds\n\
            a_seconds_sum 0.5\na_seconds_count 1\na_seconds_bucket{le=\"+Inf\"} 1 # {trace_id=\"a\"} 0.5\n\
            # HELP b How \\\"many\\\".\n# TYPE b counter\nb_total{kind=\"# TYPE x\"} 2\n\
            # HELP c Now.\n# TYPE c gauge\nc 3\n# EOF\n";
        let expected = "# HELP a_seconds How long.\n# TYPE a_seconds histogram\n\
            a_seconds_sum 0.5\na_seconds_count 1\na_seconds_bucket{le=\"+Inf\"} 1\n\
            # HELP b_total How \\\"many\\\".\n# TYPE b_total counter\nb_total{kind=\"# TYPE x\"} 2\n\
            # HELP c Now.\n# TYPE c gauge\nc 3\n";
        assert_eq!(prometheus_text(open_metrics), expected);
    }
}
