//! Results as Markdown.

use super::graph::Graph;
use super::session::{Column, Results, Situation};

/// One graph's table: medians, and beside each the median of the rounds' ratios to farm.
pub(crate) fn render(results: &Results) -> String {
    let graph = &results.graph;
    let mut text = format!(
        "\n### {}, {} tasks\n\n",
        results.shape.name(),
        thousands(graph.tasks.len())
    );
    let names = results.columns.iter().map(|column| column.tool.name());
    line(&mut text, "situation", "tasks", names.map(str::to_owned));
    line(
        &mut text,
        "---",
        "--:",
        results.columns.iter().map(|_| "--:".to_owned()),
    );
    let Some(farm) = results.columns.first() else {
        return text;
    };
    for situation in Situation::ALL {
        let cells = results.columns.iter().map(|column| cell(column, farm, situation));
        line(&mut text, name(situation), &tasks(graph, situation), cells);
        if situation == Situation::First {
            let cells = results
                .columns
                .iter()
                .map(|column| compared(&column.processor, &farm.processor, duration));
            line(&mut text, "its processor time", "", cells);
        }
    }
    for column in &results.columns {
        if let Some((situation, why)) = &column.failure {
            let (tool, when) = (column.tool.name(), name(*situation));
            text.push_str(&format!("\n{tool} failed ({when}): {why}\n"));
        }
    }
    text
}

fn line(text: &mut String, first: &str, second: &str, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.collect();
    text.push_str(&format!("| {first} | {second} | {} |\n", cells.join(" | ")));
}

fn name(situation: Situation) -> &'static str {
    match situation {
        Situation::First => "first build",
        Situation::FirstLook => "first look after a build",
        Situation::Nothing => "nothing to do",
        Situation::Memory => "memory with nothing to do",
        Situation::DryRun => "dry run, leaf edited",
        Situation::Leaf => "leaf edited",
        Situation::Hub => "hub edited",
        Situation::Comment => "comment in the hub edited",
    }
}

/// How many tasks must run.
fn tasks(graph: &Graph, situation: Situation) -> String {
    match situation {
        Situation::First => thousands(graph.tasks.len()),
        Situation::FirstLook | Situation::Nothing | Situation::Memory | Situation::DryRun => "0".to_owned(),
        Situation::Leaf => thousands(graph.dependants(graph.leaf)),
        Situation::Hub => thousands(graph.dependants(graph.hub)),
        Situation::Comment => thousands(graph.readers(graph.hub)),
    }
}

fn cell(column: &Column, farm: &Column, situation: Situation) -> String {
    match &column.failure {
        Some((failed, _)) if *failed == situation => "failed".to_owned(),
        _ => {
            let shown = if situation == Situation::Memory {
                mebibytes
            } else {
                duration
            };
            compared(&column.rows[situation as usize], &farm.rows[situation as usize], shown)
        }
    }
}

/// The median, and that of the ratios to farm unless this is farm.
pub(super) fn compared(values: &[f64], farm: &[f64], shown: fn(f64) -> String) -> String {
    let ratios: Vec<f64> = values.iter().zip(farm).map(|(other, ours)| other / ours).collect();
    match (median(values), median(&ratios)) {
        (Some(value), Some(ratio)) if values != farm => format!("{} ({})", shown(value), two_digits(ratio)),
        (Some(value), _) => shown(value),
        (None, _) => "-".to_owned(),
    }
}

/// The middle value, or the mean of the two in the middle.
fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle)?;
    Some(if values.len() % 2 == 1 {
        *upper
    } else {
        (values[middle - 1] + upper) / 2.0
    })
}

pub(super) fn duration(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{} ms", two_digits(seconds * 1000.0))
    } else {
        format!("{} s", two_digits(seconds))
    }
}

fn mebibytes(kib: f64) -> String {
    format!("{:.0} MiB", kib / 1024.0)
}

/// Two digits are as much as these measurements are worth.
fn two_digits(value: f64) -> String {
    match value {
        ..0.095 => format!("{value:.2}"),
        ..9.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::graph::Shape;
    use crate::bench::tools::Tool;

    #[test]
    fn medians_ratios_and_failures_are_in_the_table() {
        let column = |tool, seconds: &[f64]| Column {
            tool,
            rows: std::array::from_fn(|_| seconds.to_vec()),
            processor: seconds.to_vec(),
            failure: None,
        };
        let mut crashed = column(Tool::Tup, &[]);
        crashed.failure = Some((Situation::First, "signal: 11 (SIGSEGV)".to_owned()));
        let results = Results {
            shape: Shape::Wide,
            graph: Graph::new(Shape::Wide, 1000, 1),
            // The second round met a busy machine; the ratio does not mind.
            columns: vec![
                column(Tool::Farm, &[0.5, 5.0, 0.25]),
                column(Tool::Make, &[1.0, 10.0, 0.5]),
                crashed,
            ],
        };
        let text = render(&results);
        let expected = "
### wide, 1,000 tasks

| situation | tasks | farm | make | tup |
| --- | --: | --: | --: | --: |
| first build | 1,000 | 500 ms | 1.0 s (2.0) | failed |
| its processor time |  | 500 ms | 1.0 s (2.0) | - |
| first look after a build | 0 | 500 ms | 1.0 s (2.0) | - |
";
        assert!(text.starts_with(expected), "{text}");
        assert!(
            text.contains("| comment in the hub edited | 100 | 500 ms | 1.0 s (2.0) | - |\n"),
            "{text}"
        );
        assert!(
            text.ends_with("\ntup failed (first build): signal: 11 (SIGSEGV)\n"),
            "{text}"
        );
    }

    #[test]
    fn middle_of_few() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0]), Some(2.0));
        assert_eq!(median(&[3.0, 1.0, 9.0]), Some(3.0));
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(duration(0.000_04), "0.04 ms");
        assert_eq!(duration(0.0123), "12 ms");
        assert_eq!(duration(61.2), "61 s");
        assert_eq!(thousands(100_000), "100,000");
        assert_eq!(thousands(20), "20");
    }
}
