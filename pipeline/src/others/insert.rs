//! Published values put into an experiment's text, behind the id of each figure, table and claim that is to hold them;
//! everything else in the text stays as it is. It must not write files.

use reports::spec::Id;
use toml::de::{DeTable, DeValue};

use super::{OthersError, Value, text};
use crate::experiment;

/// The text of an experiment with the values, checked.
///
/// # Errors
/// Where there is no such figure, table or claim, where it has published values already, and where the experiment would
/// be wrong with them.
pub fn insert(experiment: &str, file: &str, ids: &[Id], source: &str, values: &[Value]) -> Result<String, OthersError> {
    let failed = |reason: String| OthersError::Insert { file: file.to_string(), reason };
    // What is wrong before must not be called wrong because of this.
    experiment::parse(experiment, file)?;
    let root = DeTable::parse(experiment).map_err(|error| failed(error.to_string()))?;
    let mut places = Vec::new();
    for id in ids {
        let place =
            place(root.get_ref(), id).ok_or_else(|| failed(format!("there is no figure, table or claim '{id}'")))?;
        let end = place.map_err(|key| failed(format!("'{id}' has {key} already; take it out first")))?;
        // The rest of the line may be a comment.
        let line = experiment[end..].find('\n').map_or(experiment.len(), |at| end + at + 1);
        places.push(line);
    }
    if places.is_empty() {
        return Err(failed("the map names no figure, table or claim by for = [...]".to_string()));
    }
    places.sort_unstable();
    let block = text(source, values);
    let mut out = experiment.to_string();
    for place in places.into_iter().rev() {
        let before = if out[..place].ends_with('\n') { "" } else { "\n" };
        out.insert_str(place, &format!("{before}{block}"));
    }
    experiment::parse(&out, file)?;
    Ok(out)
}

/// Where the id of a drawable ends; or the key that it has already.
fn place(root: &DeTable<'_>, id: &Id) -> Option<Result<usize, &'static str>> {
    let lists = ["figure", "table", "claim"].into_iter().filter_map(|name| root.get(name)?.get_ref().as_array());
    let drawable = lists.flat_map(|array| array.iter()).find_map(|node| match node.get_ref() {
        DeValue::Table(table) => {
            let own = table.get("id")?;
            (own.get_ref().as_str() == Some(id.as_str())).then_some((table, own.span().end))
        }
        _ => None,
    });
    let (table, end) = drawable?;
    let known = ["published", "source"].into_iter().find(|key| table.get(*key).is_some());
    Some(known.map_or(Ok(end), Err))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::STARTER;
    use results::axes::Axis;

    #[test]
    fn values_come_behind_the_id_and_nothing_else_moves() {
        let bare = "[experiment]\nname = \"a\"\n[protocol]\nduration = \"1s\"\nwarmup = \"0s\"\ncooldown = \"0s\"\n\
                    repetitions = 2\n[[tests]]\nid = \"t\"\nD = \"throughput\"\nL = \"local\"\nS = \"1vs1\"\n\
                    V = \"linux-bridge\"\nP = [64, 1500]\nR = 1000\nB = 4\n[[figure]]\nid = \"f\" # mine\nfrom = \"t\"\n\
                    x = \"P\"\ny = \"rx_kpps\"\n";
        let metric = "rx_kpps".parse().expect("a metric");
        let value = |packet: &str| Value { at: vec![(Axis::P, packet.to_string())], metric, value: 12.5 };
        let id = Id::new("f").expect("an id");
        let with = insert(bare, "a.toml", std::slice::from_ref(&id), "Doe", &[value("64")])
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(
            with.contains("id = \"f\" # mine\npublished = [\n  { P = 64, rx_kpps = 12.5 },\n]\nsource = \"Doe\"\n"),
            "{with}"
        );
        let parsed = experiment::parse(&with, "a.toml").expect("it is one");
        assert_eq!(parsed.report.figures[0].published.as_ref().map(|published| published.values.len()), Some(1));
        let told = |result: Result<String, OthersError>| result.expect_err("it is wrong").to_string();
        assert!(
            told(insert(&with, "a.toml", std::slice::from_ref(&id), "Doe", &[value("64")]))
                .contains("has published already")
        );
        assert!(told(insert(bare, "a.toml", &[id], "Doe", &[value("128")])).contains("a.toml:"), "no test has it");
        let nobody = Id::new("nobody").expect("an id");
        assert!(told(insert(STARTER, "s.toml", &[nobody], "Doe", &[value("64")])).contains("there is no figure"));
    }
}
