//! The files of a subject encoder.

use std::path::{Path, PathBuf};

use super::network_files::NetworkFiles;
use super::networks::Part;
use super::part::PartFiles;
use super::preprocessor::Preprocessor;
use crate::error::{Error, Result};
use crate::model::config::ImageEncoderConfig;
use crate::model::subject_config::{SubjectConfig, SubjectEncoderConfig};

/// What the names of subject-encoder-attention begin with; what follows is the U-Net's own name.
pub const ATTENTION_PREFIX: &str = "unet.";

/// A subject encoder: a folder `subject_encoder` with ResBlocks and subject-encoder-attention, and the image encoder that it
/// looks with. Nothing but headers and configurations has been read.
#[derive(Debug, Clone)]
pub struct SubjectEncoderFiles {
    /// The ResBlocks.
    pub encoder: NetworkFiles<SubjectConfig>,
    /// Subject-encoder-attention, under the U-Net's names.
    pub attention: PartFiles,
    /// CLIP's image encoder.
    pub image_encoder: NetworkFiles<ImageEncoderConfig>,
    /// How pictures are prepared for it.
    pub preprocessor: Preprocessor,
}

/// What the names of an IP-Adapter's keys and values begin with.
const ADAPTER_PREFIX: &str = "ip_adapter.";

/// The folder of a file.
fn beside(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_path_buf()
}

/// An IP-Adapter's keys and values, `N.to_k_ip.weight`, under the names of the U-Net's layers that they belong to. N counts
/// attention layers as diffusers lists them, self- and cross-attention by turns: encoder, decoder, middle.
fn beside_text(adapter: PartFiles, unet: &PartFiles) -> Result<PartFiles> {
    let mut layers: Vec<&str> = unet.names().filter_map(|name| name.strip_suffix(".to_k.weight")).collect();
    layers.retain(|layer| layer.ends_with(".attn2"));
    layers.sort_by_key(|layer| {
        let place = ["down", "up", "mid"].iter().position(|start| layer.starts_with(start));
        let numbers: Vec<usize> = layer.split('.').filter_map(|part| part.parse().ok()).collect();
        (place, numbers)
    });
    let path = adapter.path().to_path_buf();
    let count = adapter.names().count();
    if count != 2 * layers.len() {
        let problem =
            format!("changes {} layers, the U-Net has {} that read a text", count / 2, layers.len());
        return Err(Error::weights(path, problem));
    }
    adapter.renamed(|name| {
        let (number, rest) = name.split_once('.')?;
        let number: usize = number.parse().ok()?;
        let layer = layers.get(number.checked_sub(1)? / 2).filter(|_| number % 2 == 1)?;
        Some(format!("{layer}.{rest}"))
    })
}

impl SubjectEncoderFiles {
    /// Opens a folder: a subject encoder's own, or a model's with the subfolder `subject_encoder`; or an IP-Adapter's file, for
    /// `unet`. The image encoder lies in the folder or beside it, in `image_encoder`; else it is the model's, `own`.
    ///
    /// # Errors
    /// As [`PartFiles::open`]; a subject encoder without an image encoder or without its attention.
    pub fn open(
        path: &Path,
        unet: &PartFiles,
        own: Option<(&NetworkFiles<ImageEncoderConfig>, &Preprocessor)>,
    ) -> Result<Self> {
        let files = PartFiles::open(path, Part::SubjectEncoder)?;
        let places = [files.path().to_path_buf(), files.path().join(".."), beside(files.path())];
        let beside = places.iter().find(|place| place.join(Part::ImageEncoder.folder()).is_dir());
        let (image_encoder, preprocessor) = match (beside, own) {
            (Some(place), _) => {
                let folder = place.join(Part::ImageEncoder.folder());
                let preprocessor = Preprocessor::in_folder(&place.join("feature_extractor"))?;
                (NetworkFiles::open(&folder, Part::ImageEncoder)?, preprocessor.unwrap_or_default())
            }
            (None, Some((image_encoder, preprocessor))) => (image_encoder.clone(), preprocessor.clone()),
            (None, None) => {
                let problem = "has no image encoder: a folder image_encoder is expected in it or beside it";
                return Err(Error::weights(path, problem));
            }
        };
        Self::new(files, unet, image_encoder, preprocessor)
    }

    /// From the file of ResBlocks and attention, and the image encoder.
    pub(super) fn new(
        files: PartFiles,
        unet: &PartFiles,
        image_encoder: NetworkFiles<ImageEncoderConfig>,
        preprocessor: Preprocessor,
    ) -> Result<Self> {
        let (adapter, files) = files.split(ADAPTER_PREFIX);
        let (attention, encoder) = files.split(ATTENTION_PREFIX);
        let attention =
            if adapter.names().next().is_some() { beside_text(adapter, unet)? } else { attention };
        if attention.names().next().is_none() {
            let problem = format!("holds no subject-encoder-attention ({ATTENTION_PREFIX}…)");
            return Err(Error::weights(encoder.path(), problem));
        }
        Ok(Self { encoder: encoder.try_into()?, attention, image_encoder, preprocessor })
    }

    /// The configuration of DreamTuner's own subject encoder.
    ///
    /// # Errors
    /// An IP-Adapter stands in its place.
    pub fn trainable(&self) -> Result<&SubjectEncoderConfig> {
        match &self.encoder.config {
            SubjectConfig::Own(config) => Ok(config),
            SubjectConfig::IpAdapter(_) => {
                let problem = "is an IP-Adapter, which cannot be tuned; leave it out";
                Err(Error::weights(self.encoder.path(), problem))
            }
        }
    }

    /// BLAKE3, in hexadecimal, of everything.
    pub fn fingerprint(&self) -> String {
        let parts = [self.encoder.fingerprint(), self.image_encoder.fingerprint()];
        blake3::hash(format!("{}{}", parts.concat(), self.preprocessor.text()).as_bytes())
            .to_hex()
            .to_string()
    }
}
