use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets::NOTHING};
use serde::Serialize;

use crate::{Level, Metric, Options, Summary};

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    image: String,
    command: Vec<String>,
    rounds: u32,
    requests: u32,
    connections: u32,
    columns: Vec<Column>,
}

#[derive(Debug, Clone, Serialize)]
struct Column {
    level: Level,
    #[serde(skip)]
    values: BTreeMap<Metric, Vec<f64>>,
    figures: BTreeMap<Metric, Summary>,
    failure: Option<String>,
}

impl Report {
    pub(crate) fn new(options: &Options) -> Self {
        let column =
            |level: &Level| Column { level: *level, values: BTreeMap::new(), figures: BTreeMap::new(), failure: None };
        Self {
            image: options.request.image.clone(),
            command: options.request.command.clone(),
            rounds: options.rounds,
            requests: options.requests,
            connections: options.connections,
            columns: options.levels.iter().map(column).collect(),
        }
    }

    fn column(&mut self, level: Level) -> Option<&mut Column> {
        self.columns.iter_mut().find(|column| column.level == level)
    }

    pub(crate) fn add(&mut self, level: Level, metric: Metric, value: f64) {
        let Some(column) = self.column(level) else { return };
        let values = column.values.entry(metric).or_default();
        values.push(value);
        if let Some(summary) = Summary::of(values) {
            column.figures.insert(metric, summary);
        }
    }

    pub(crate) fn fail(&mut self, level: Level, why: String) {
        if let Some(column) = self.column(level) {
            column.failure = Some(why);
        }
    }

    /// The median of a metric at a level.
    pub fn median(&self, level: Level, metric: Metric) -> Option<f64> {
        self.columns.iter().find(|c| c.level == level)?.figures.get(&metric).map(|s| s.median)
    }

    /// The levels that could not be measured, with the reasons.
    pub fn failures(&self) -> impl Iterator<Item = (Level, &str)> {
        self.columns.iter().filter_map(|c| Some((c.level, c.failure.as_deref()?)))
    }

    /// The table for people: medians, and the ratio to the container where both are known.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(NOTHING);
        let mut header = vec![String::new()];
        header.extend(self.columns.iter().map(|c| c.level.to_string()));
        table.set_header(header);
        for metric in Metric::ALL {
            let mut row = vec![metric.title().to_owned()];
            row.extend(self.columns.iter().map(|column| self.cell(column, metric)));
            table.add_row(row);
        }
        table.column_iter_mut().skip(1).for_each(|c| c.set_cell_alignment(CellAlignment::Right));
        let head = format!(
            "{} {}: medians of {} rounds (lowest to highest), {} connections, {} requests; in brackets: times the container",
            self.image,
            engine::command_line(&self.command),
            self.rounds,
            self.connections,
            self.requests
        );
        let mut text = format!("{head}\n\n{table}\n");
        for (level, why) in self.failures() {
            text.push_str(&format!("\n{level}: not measured: {why}"));
        }
        text
    }

    fn cell(&self, column: &Column, metric: Metric) -> String {
        let Some(figure) = column.figures.get(&metric) else { return "-".to_owned() };
        let container = Level::Isolated(plan::Isolation::Container);
        let base = self.median(container, metric).filter(|base| *base > 0.0 && column.level != container);
        let ratio = base.map_or_else(String::new, |base| format!(" [{:.2}x]", figure.median / base));
        let spread = if self.rounds > 1 && figure.min != figure.max {
            format!(" ({}-{})", short(figure.min), short(figure.max))
        } else {
            String::new()
        };
        format!("{}{spread}{ratio}", short(figure.median))
    }
}

/// Three significant digits, thousands as k.
fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 => format!("{:.2}M", value / 1e6),
        v if v >= 1e4 => format!("{:.0}k", value / 1e3),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
