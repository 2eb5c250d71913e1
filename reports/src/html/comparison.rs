//! Published numbers beside ours, as rows of ready cells for a page. It must not know which tests they are of.

use serde::Serialize;

use crate::published::{Comparison, ComparisonRow, Ours};
use crate::svg;

#[derive(Serialize)]
pub(super) struct ComparisonView {
    source: String,
    rows: Vec<RowView>,
}

#[derive(Serialize)]
struct RowView {
    what: String,
    metric: String,
    published: String,
    ours: String,
    ratio: String,
    link: String,
}

pub(super) fn view(comparison: &Comparison) -> ComparisonView {
    ComparisonView { source: comparison.source.clone(), rows: comparison.rows.iter().map(row).collect() }
}

fn row(row: &ComparisonRow) -> RowView {
    let link = match &row.ours {
        Ours::One { key, .. } => svg::test_page(key.as_deref()),
        Ours::Several { .. } | Ours::Missing(_) => None,
    };
    RowView {
        what: row.what.clone(),
        metric: row.metric.quantity.label().to_string(),
        published: row.published_shown(),
        ours: row.ours_shown(),
        ratio: row.ratio_shown(),
        link: link.unwrap_or_default(),
    }
}
