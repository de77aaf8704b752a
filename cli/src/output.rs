//! Tables and JSON.

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::args::Format;

/// A table without borders, as kubectl prints them.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(header.iter().copied());
    table
}

pub fn print_table(table: &Table) {
    println!("{}", table.trim_fmt());
}

pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// What was done: a line for people, or an object for programs.
pub fn say(format: Format, line: &str, object: &serde_json::Value) -> anyhow::Result<()> {
    if format == Format::Json {
        return print_json(object);
    }
    println!("{line}");
    Ok(())
}

/// Broker ids as `0,1,2`.
pub fn ids(ids: &[i32]) -> String {
    ids.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

pub fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| v.to_string())
}

/// The error in one line; of a broker's refusal only what it said.
pub fn explain(error: &anyhow::Error) -> String {
    let said = |cause: &(dyn std::error::Error + 'static)| {
        let status = cause.downcast_ref::<tonic::Status>();
        let message = status.map(tonic::Status::message);
        message
            .filter(|m| !m.is_empty())
            .map_or_else(|| cause.to_string(), str::to_owned)
    };
    let causes: Vec<String> = error.chain().map(said).collect();
    causes.join(": ")
}
