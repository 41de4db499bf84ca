//! The networks that compare pictures with pictures and texts.

use std::path::PathBuf;

use image::RgbImage;
use serde_json::Value;

use crate::error::Result;
use crate::evaluate::scores::{Metric, Scores, mean};
use crate::files::read_picture;
use crate::inputs::reference::opaque;
use crate::model::clip::{Clip, cosine};
use crate::model::dino::Dino;

/// The networks that compare, each with the fingerprint of its weights. What is not there is not measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Encoders<'a> {
    /// For CLIP-I and CLIP-T.
    pub clip: Option<(&'a Clip, &'a Value)>,
    /// For DINO.
    pub dino: Option<(&'a Dino, &'a Value)>,
}

/// What the networks see in one picture: vectors of length 1.
#[derive(Debug, Clone)]
pub(super) struct PictureEmbeddings {
    clip: Option<Vec<f32>>,
    dino: Option<Vec<f32>>,
}

impl Encoders<'_> {
    /// Looks at pictures, which are read.
    pub(super) fn look_at_all(&self, pictures: &[PathBuf]) -> Result<Vec<PictureEmbeddings>> {
        pictures.iter().map(|path| self.look_at(&opaque(read_picture(path)?))).collect()
    }

    fn look_at(&self, picture: &RgbImage) -> Result<PictureEmbeddings> {
        Ok(PictureEmbeddings {
            clip: self.clip.map(|(clip, _)| clip.image(picture)).transpose()?,
            dino: self.dino.map(|(dino, _)| dino.image(picture)).transpose()?,
        })
    }

    /// CLIP-I and DINO: mean cosines with the `real` pictures; CLIP-T: the cosine with the text.
    pub(super) fn compare(
        &self,
        picture: &RgbImage,
        real: &[PictureEmbeddings],
        text: &str,
    ) -> Result<Scores> {
        let seen = self.look_at(picture)?;
        let mut scores = Scores::new();
        let mut likeness = |metric, vector: fn(&PictureEmbeddings) -> Option<&Vec<f32>>| {
            let Some(own) = vector(&seen) else { return };
            let cosines = &mut real.iter().filter_map(vector).map(|other| cosine(own, other));
            scores.extend(mean(cosines).map(|mean| (metric, mean)));
        };
        likeness(Metric::ClipI, |seen| seen.clip.as_ref());
        likeness(Metric::Dino, |seen| seen.dino.as_ref());
        if let (Some((clip, _)), Some(own)) = (self.clip, &seen.clip) {
            scores.insert(Metric::ClipT, cosine(own, &clip.text(text)?));
        }
        Ok(scores)
    }
}
