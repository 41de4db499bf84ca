//! `dreamtuner.json`: settings that a model brings.

use dreamtuner::model::weights::ModelDefaults;

use super::support::{assert_says, folder, words, write};

#[test]
fn a_model_brings_its_own_defaults_and_the_rest_are_those_of_stable_diffusion() {
    let folder = folder();
    assert_eq!(ModelDefaults::of(Some(folder.path())).unwrap(), ModelDefaults::default());
    write(&folder.path().join("dreamtuner.json"), r#"{"steps": 8, "less_noise": 50.5}"#);
    let wanted = ModelDefaults { steps: 8, less_noise: 50.5, ..ModelDefaults::default() };
    assert_eq!(ModelDefaults::of(Some(folder.path())).unwrap(), wanted);
    // A single file has none.
    assert_eq!(
        ModelDefaults::of(Some(&folder.path().join("model.safetensors"))).unwrap(),
        ModelDefaults::default()
    );
    assert_ne!(ModelDefaults::of(None).unwrap(), ModelDefaults::default());
}

#[test]
fn defaults_that_cannot_be_meant_are_refused_with_the_files_name() {
    let folder = folder();
    let path = folder.path().join("dreamtuner.json");
    for (text, word) in [
        (r#"{"stepz": 8}"#, "stepz"),
        (r#"{"steps": -1}"#, "-1"),
        (r#"{"steps": "many"}"#, "many"),
        ("[]", "object"),
        ("{", "JSON"),
    ] {
        write(&path, text);
        assert_says(&words(ModelDefaults::of(Some(folder.path())), &path), &[word]);
    }
}
