//! Textual inversions of diffusers and of A1111.

use dreamtuner::model::weights::TextualInversion;

use super::support::{assert_says, folder, save, tensor, tensors, values, words};

#[test]
fn the_word_is_the_key_or_the_name_of_the_file() {
    let folder = folder();
    let path = folder.path().join("my-hero.safetensors");
    for (key, shape, word, vectors) in [
        ("<hero>", vec![3, 8], "<hero>", 3),
        ("<hero>", vec![8], "<hero>", 1),
        ("emb_params", vec![2, 8], "my-hero", 2),
    ] {
        save(&path, &tensors(&[(key, &shape)]));
        let inversion = TextualInversion::open(&path).unwrap();
        assert_eq!((inversion.word.as_str(), inversion.vectors.dims()), (word, &[vectors, 8][..]));
        assert_eq!(values(&inversion.vectors), values(&tensor(key, &shape)));
    }
}

#[test]
fn what_is_no_textual_inversion_of_this_family_is_refused() {
    let folder = folder();
    let path = folder.path().join("hero.safetensors");
    type Case<'a> = (&'a [(&'a str, &'a [usize])], &'a str);
    let list: [Case; 5] = [
        (&[("clip_g", &[2, 1280]), ("clip_l", &[2, 768])], "SDXL"),
        (&[("a", &[2, 8]), ("b", &[2, 8])], "2 tensors"),
        (&[("a", &[2, 8, 1])], "[2, 8, 1]"),
        (&[("a", &[76, 8])], "1 to 75"),
        (&[("a", &[0, 8])], "[0, 8]"),
    ];
    for (content, problem) in list {
        save(&path, &tensors(content));
        assert_says(&words(TextualInversion::open(&path), &path), &[problem]);
    }
}
