//! The networks that a fine-tuning changes, and all of their parameters.

use candle_core::{DType, Tensor, Var};
use candle_nn::VarBuilder;
use image::RgbImage;

use super::adamw::Parameter;
use super::networks::CaptionEncoder;
use super::tune::{Method, TuneJob};
use crate::error::{Error, Result};
use crate::mask::Mask;
use crate::model::Tokenizer;
use crate::model::subject_encoder::{SubjectEncoder, SubjectEyes, View};
use crate::model::text::TextEncoder;
use crate::model::unet::UNet;
use crate::model::weights::{SubjectEncoderFiles, SubjectFile, Trained, Variables};
use crate::picture::cut_out;

/// U-Net, text encoder with the new word, and ResBlocks.
pub struct Learner {
    /// The denoising network.
    pub unet: UNet,
    /// Captions, in which the new word may stand.
    pub texts: CaptionEncoder,
    encoder: Option<SubjectEncoder>,
    /// What the image encoder makes of the reference.
    features: Vec<Tensor>,
}

impl Learner {
    /// Loads the networks; the parameters bear the names under which a subject's file keeps them.
    ///
    /// # Errors
    /// A class that is not one word of the vocabulary, a new word that it has, an IP-Adapter in the subject encoder's place.
    /// Configurations and weights that cannot be used.
    pub fn load(job: &TuneJob) -> Result<(Self, Vec<Parameter>)> {
        let (files, device, settings) = (&job.model, &job.device, &job.settings);
        let word = class_embedding(job)?;
        let trained = match settings.method {
            Method::Full => Trained::Everything,
            Method::LowRank(rank) => Trained::LowRank { rank, seed: settings.seed },
        };
        let make = |vb: VarBuilder| TextEncoder::new(&files.text_encoder.config, Some(word.as_tensor()), vb);
        let (text_encoder, of_text) = files.text_encoder.build_trained(device, trained, make)?;
        let mut texts = CaptionEncoder::new(files, text_encoder)?;
        texts.add_word(&settings.word)?;
        let unet_files = files.unet_with(files.subject_encoder.as_ref());
        let make = |vb: VarBuilder| UNet::new(&files.unet.config, vb);
        let (unet, of_unet) = unet_files.build_trained(device, trained, make)?;
        let mut learner = Self { unet, texts, encoder: None, features: Vec::new() };
        let mut of_encoder = Variables::new();
        if let Some(subject) = &files.subject_encoder {
            of_encoder = learner.load_encoder(subject, job)?;
        }
        let rate = settings.word_learning_rate;
        let mut parameters =
            vec![Parameter { name: SubjectFile::WORD.into(), variable: word, learning_rate: rate }];
        let prefixes = SubjectFile::prefixes(settings.method == Method::Full);
        for (prefix, variables) in prefixes.into_iter().zip([of_unet, of_text, of_encoder]) {
            parameters.extend(Parameter::of_variables(prefix, &variables, settings.learning_rate));
        }
        Ok((learner, parameters))
    }

    fn load_encoder(&mut self, subject: &SubjectEncoderFiles, job: &TuneJob) -> Result<Variables> {
        let config = subject.trainable()?;
        let (colours, view) = (subject.preprocessor.colours, View::Layers(config.layers.clone()));
        let eyes = SubjectEyes::load(&subject.image_encoder, colours, view, &job.device)?;
        self.features = eyes.look(&[reference_subject(job)?])?;
        let make = |vb: VarBuilder| SubjectEncoder::new(config, vb);
        let (encoder, variables) = subject.encoder.build_trained(&job.device, Trained::Everything, make)?;
        self.encoder = Some(encoder);
        Ok(variables)
    }

    /// The reference's tokens, `(1, tokens, context width)`; `None` without a subject encoder.
    pub fn subject(&self) -> Result<Option<Tensor>> {
        Ok(self.encoder.as_ref().map(|encoder| encoder.forward(&self.features)).transpose()?)
    }
}

fn reference_subject(job: &TuneJob) -> Result<RgbImage> {
    let image = &job.reference.image;
    let whole = Mask::whole(image.height() as usize, image.width() as usize);
    cut_out(image, job.reference.mask.as_ref().unwrap_or(&whole))
}

/// The embedding that the new word begins with: that of the class.
fn class_embedding(job: &TuneJob) -> Result<Var> {
    let words = job.model.text_encoder.tensor("embeddings.token_embedding.weight")?;
    let class = words.narrow(0, class_token(job)? as usize, 1)?;
    Ok(Var::from_tensor(&class.to_dtype(DType::F32)?.to_device(&job.device)?)?)
}

/// The number of the class among the words of the vocabulary.
fn class_token(job: &TuneJob) -> Result<u32> {
    let class = &job.settings.class;
    match Tokenizer::open(&job.model.tokenizer)?.encode(class)?.as_slice() {
        [token] => Ok(*token),
        tokens => {
            let problem = format!(
                "\"{class}\" is {} tokens of this model's vocabulary; one word that it knows is needed, such as girl or dog",
                tokens.len()
            );
            Err(Error::setting("class", problem))
        }
    }
}
