//! Which number a figure or table carries in a report, and which figures stand together as panels of one
//! plate. It must not know what they show.

use std::collections::BTreeSet;

use crate::spec::Id;

/// A group of panels under one number, or one figure or table alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plate {
    /// `4`.
    pub number: String,
    /// Places in the list that was numbered, with the panel's letter; empty for one alone.
    pub panels: Vec<(usize, String)>,
}

impl Plate {
    /// The label of a panel: `4a`, or `4` alone.
    pub fn label(&self, panel: usize) -> String {
        let letter = self.panels.get(panel).map_or("", |(_, letter)| letter);
        format!("{}{letter}", self.number)
    }
}

/// Numbers in order of declaration. An id that is itself a number, `4` or `4a`, keeps it, and neighbours
/// with the same number are panels of one plate, so that a paper's figures keep their names; any other id
/// takes the next number that nobody has.
pub fn plates(ids: &[&Id]) -> Vec<Plate> {
    let own: Vec<Option<(&str, &str)>> = ids.iter().map(|id| own_number(id.as_str())).collect();
    let taken: BTreeSet<&str> = own.iter().flatten().map(|(number, _)| *number).collect();
    let mut next = 1u32;
    let mut plates: Vec<Plate> = Vec::new();
    for (place, own) in own.iter().enumerate() {
        match own {
            Some((number, letter)) => match plates.last_mut() {
                Some(plate) if plate.number == *number && !letter.is_empty() => {
                    plate.panels.push((place, letter.to_string()));
                }
                _ => plates.push(Plate { number: number.to_string(), panels: vec![(place, letter.to_string())] }),
            },
            None => {
                while taken.contains(next.to_string().as_str()) {
                    next += 1;
                }
                plates.push(Plate { number: next.to_string(), panels: vec![(place, String::new())] });
                next += 1;
            }
        }
    }
    plates
}

fn own_number(id: &str) -> Option<(&str, &str)> {
    let digits = id.bytes().take_while(u8::is_ascii_digit).count();
    let (number, letter) = id.split_at(digits);
    let plain = (1..=4).contains(&digits) && !number.starts_with('0');
    let lettered = letter.is_empty() || (letter.len() == 1 && letter.bytes().all(|byte| byte.is_ascii_lowercase()));
    (plain && lettered).then_some((number, letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn papers_keep_their_numbers_and_others_take_what_is_free() {
        let ids: Vec<Id> = ["4a", "4b", "rates", "2", "5a", "more"].iter().map(|id| Id::new(id).unwrap()).collect();
        let plates = plates(&ids.iter().collect::<Vec<_>>());
        let labels: Vec<String> =
            plates.iter().flat_map(|plate| (0..plate.panels.len()).map(|panel| plate.label(panel))).collect();
        assert_eq!(labels, ["4a", "4b", "1", "2", "5a", "3"]);
        assert_eq!(plates[0].panels.len(), 2);
    }
}
