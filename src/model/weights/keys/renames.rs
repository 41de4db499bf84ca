//! A table of name prefixes, usable in both directions.

use std::collections::HashMap;

/// Pairs of dotted prefixes: in the original (CompVis) naming and in the canonical (diffusers) one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Renames {
    canonical: HashMap<String, String>,
    original: HashMap<String, Vec<String>>,
}

impl Renames {
    /// Adds a pair. One canonical prefix may have several originals.
    pub fn add(&mut self, original: impl Into<String>, canonical: impl Into<String>) {
        let (original, canonical) = (original.into(), canonical.into());
        self.original.entry(canonical.clone()).or_default().push(original.clone());
        self.canonical.insert(original, canonical);
    }

    /// Adds pairs that share a prefix on each side.
    pub fn add_under(&mut self, original: &str, canonical: &str, pairs: &[(&str, &str)]) {
        for (left, right) in pairs {
            self.add(format!("{original}.{left}"), format!("{canonical}.{right}"));
        }
    }

    /// The canonical name of an original one, by the longest prefix in the table.
    pub fn to_canonical(&self, name: &str) -> Option<String> {
        prefixes(name).find_map(|(prefix, rest)| Some(format!("{}{rest}", self.canonical.get(prefix)?)))
    }

    /// Every original name that a canonical one may have had; empty if the table has none.
    pub fn to_original(&self, name: &str) -> Vec<String> {
        prefixes(name)
            .find_map(|(prefix, rest)| {
                let originals = self.original.get(prefix)?;
                Some(originals.iter().map(|original| format!("{original}{rest}")).collect())
            })
            .unwrap_or_default()
    }
}

/// The dotted prefixes of `name`, longest first, each with what remains (starting with the dot).
fn prefixes(name: &str) -> impl Iterator<Item = (&str, &str)> {
    let cuts = name.rmatch_indices('.').map(|(at, _)| at);
    std::iter::once(name.len()).chain(cuts).map(|at| name.split_at(at))
}
