//! BLIP, which says in words what a picture shows.

use super::network::Network;
use crate::model::weights::keys::{Keys, Naming};

pub(super) const NETWORK: Network = Network {
    name: "captioner",
    folder: "captioner",
    class: "BlipForConditionalGeneration",
    naming,
    ..Network::PLAIN
};

fn naming(keys: &Keys, _: Option<usize>) -> Option<Naming> {
    (keys.has("text_decoder.bert.") && keys.has("vision_model.")).then(Naming::diffusers)
}
