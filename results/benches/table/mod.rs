//! Tables in Markdown, as COVERAGE.md has them. It must not know what is in them.

/// The part of samples in which something held.
pub fn part(samples: u32, mut held: impl FnMut() -> bool) -> String {
    let count = (0..samples).filter(|_| held()).count();
    format!("{:.3}", count as f64 / f64::from(samples))
}

/// One row.
pub fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// A section's title and text, and its table's head.
pub fn head(title: &str, text: &str, cells: &[&str]) {
    println!("## {title}\n\n{text}\n");
    row(&cells.iter().map(|cell| cell.to_string()).collect::<Vec<_>>());
    row(&cells.iter().map(|_| "---".to_string()).collect::<Vec<_>>());
}
