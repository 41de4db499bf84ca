//! The shapes of a network's tensors, from which `config.json` is inferred where there is none.

use std::collections::BTreeMap;

use super::entry::Entry;

/// Shapes by canonical name.
pub(super) struct Shapes<'a>(pub &'a BTreeMap<String, Entry>);

impl Shapes<'_> {
    /// Size along `axis`, or the problem that the tensor is missing.
    pub fn dim(&self, name: &str, axis: usize) -> Result<usize, String> {
        let entry = self.0.get(name).ok_or_else(|| format!("{name} is missing, so the sizes are unknown"))?;
        let size = entry.shape.get(axis).copied();
        size.ok_or_else(|| format!("{name} has the shape {:?}, which has no dimension {axis}", entry.shape))
    }

    pub fn has(&self, prefix: &str) -> bool {
        let next = self.0.range(prefix.to_owned()..).next();
        next.is_some_and(|(name, _)| name.starts_with(prefix))
    }

    /// How many of `{list}0.`, `{list}1.`, … there are.
    pub fn count(&self, list: &str) -> usize {
        (0..).take_while(|index| self.has(&format!("{list}{index}."))).count()
    }

    pub fn find(&self, end: &str) -> Result<&str, String> {
        let name = self.0.keys().find(|name| name.ends_with(end));
        name.map(String::as_str).ok_or_else(|| format!("no tensor called *{end}, so the sizes are unknown"))
    }

    /// Whether the transformer blocks sit between linear layers, as in SD 2.x.
    pub fn has_linear_projection(&self) -> bool {
        let projection = self.find(".proj_in.weight").ok().and_then(|name| self.0.get(name));
        projection.is_some_and(|entry| entry.shape.len() == 2)
    }

    /// Output channels of the first ResNet block of each resolution.
    pub fn levels(&self, list: &str) -> Result<Vec<usize>, String> {
        let levels = self.count(list).max(1);
        (0..levels).map(|level| self.dim(&format!("{list}{level}.resnets.0.conv1.weight"), 0)).collect()
    }
}
