//! The names of a tiny decoder's tensors.

use super::Renames;

/// Its authors number the layers of the decoder from the clamp on, diffusers from the layer after it.
pub(in crate::model::weights) fn from_original<'a>(names: impl Iterator<Item = &'a str>) -> Renames {
    let mut renames = Renames::default();
    for name in names {
        let layer = name.split_once('.').and_then(|(number, _)| number.parse::<usize>().ok());
        if let Some((number, layer)) = layer.and_then(|number| Some((number, number.checked_sub(1)?))) {
            renames.add(number.to_string(), format!("decoder.layers.{layer}"));
        }
    }
    renames
}
