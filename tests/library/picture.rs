//! Fitting pictures and laying them out.

use dreamtuner::picture::{Fit, SheetBuilder, contact_sheet, fit_image, side_by_side};
use image::{Rgb, RgbImage};
use proptest::prelude::*;

const RED: Rgb<u8> = Rgb([255, 0, 0]);
const GREEN: Rgb<u8> = Rgb([0, 255, 0]);
const BLUE: Rgb<u8> = Rgb([0, 0, 255]);

/// Red, green and blue thirds from left to right.
fn thirds(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| [RED, GREEN, BLUE][(x * 3 / width) as usize])
}

#[test]
fn contain_shows_all_and_centres() {
    let fitted = fit_image(&thirds(90, 30), 60, 60, Fit::Contain, Rgb([9, 9, 9]));
    assert_eq!(*fitted.get_pixel(30, 19), Rgb([9, 9, 9]));
    assert_eq!(*fitted.get_pixel(30, 40), Rgb([9, 9, 9]));
    assert_eq!(*fitted.get_pixel(3, 30), RED);
    assert_eq!(*fitted.get_pixel(30, 30), GREEN);
    assert_eq!(*fitted.get_pixel(56, 30), BLUE);
}

#[test]
fn cover_fills_and_cuts_evenly() {
    let fitted = fit_image(&thirds(90, 30), 60, 60, Fit::Cover, Rgb([9, 9, 9]));
    assert_eq!(*fitted.get_pixel(30, 0), GREEN);
    assert_eq!(*fitted.get_pixel(10, 59), GREEN);
    assert!(fitted.pixels().all(|pixel| pixel.0[1] > 200), "only the middle third is left");
}

#[test]
fn stretch_fills_with_all() {
    let fitted = fit_image(&thirds(90, 30), 60, 60, Fit::Stretch, RED);
    assert_eq!(*fitted.get_pixel(5, 0), RED);
    assert_eq!(*fitted.get_pixel(30, 59), GREEN);
    assert_eq!(*fitted.get_pixel(55, 59), BLUE);
}

#[test]
fn a_picture_that_fits_is_copied() {
    let picture = thirds(31, 17);
    for fit in [Fit::Contain, Fit::Cover, Fit::Stretch] {
        assert_eq!(fit_image(&picture, 31, 17, fit, RED), picture);
    }
}

#[test]
fn shrinking_does_not_alias() {
    // One-pixel stripes become an even grey.
    let stripes = RgbImage::from_fn(256, 256, |x, _| if x % 2 == 0 { Rgb([255; 3]) } else { Rgb([0; 3]) });
    let small = fit_image(&stripes, 31, 31, Fit::Stretch, RED);
    let inner = (2..29).flat_map(|x| (2..29).map(move |y| (x, y)));
    assert!(inner.map(|(x, y)| small.get_pixel(x, y).0[0]).all(|grey| (118..=138).contains(&grey)));
}

#[test]
fn sheets_keep_evenly_spaced_frames() {
    let mut builder = SheetBuilder::new(101, 5, 5, 10);
    for index in 0..101 {
        builder.push(&RgbImage::from_pixel(20, 20, Rgb([index, 0, 0])));
    }
    let sheet = builder.finish();
    assert_eq!(sheet.dimensions(), (5 * 10 + 6 * 4, 10 + 2 * 4));
    let shown: Vec<u8> = (0..5).map(|cell| sheet.get_pixel(4 + cell * 14 + 5, 9).0[0]).collect();
    assert_eq!(shown, [0, 25, 50, 75, 100]);
}

#[test]
fn short_streams_give_short_sheets() {
    let mut builder = SheetBuilder::new(10, 5, 5, 10);
    for _ in 0..5 {
        builder.push(&thirds(20, 20));
    }
    // Frames 0 and 2 of 0, 2, 5, 7, 9.
    assert_eq!(builder.finish().width(), 2 * 10 + 3 * 4);
    assert!(SheetBuilder::new(0, 5, 5, 10).finish().width() > 0);
    assert!(contact_sheet(&[], 0, 0).width() > 0);
}

#[test]
fn comparison_scales_to_one_height() {
    let row = side_by_side(&[&thirds(60, 60), &thirds(30, 60), &thirds(64, 32)], 30);
    assert_eq!(row.dimensions(), (30 + 4 + 15 + 4 + 60, 30));
    assert_eq!(*row.get_pixel(0, 15), RED);
    assert_eq!(*row.get_pixel(30 + 4, 15), RED);
    assert_eq!(*row.get_pixel(30 + 4 + 15 + 4 + 59, 15), BLUE);
}

proptest! {
    #[test]
    fn any_size_is_fitted_exactly(
        from in (0_u32..40, 0_u32..40),
        to in (0_u32..40, 0_u32..40),
        fit in prop_oneof![Just(Fit::Contain), Just(Fit::Cover), Just(Fit::Stretch)],
        grey in any::<u8>(),
    ) {
        let picture = RgbImage::from_pixel(from.0, from.1, Rgb([grey; 3]));
        let fitted = fit_image(&picture, to.0, to.1, fit, Rgb([grey; 3]));
        prop_assert_eq!(fitted.dimensions(), to);
        // A flat picture on a background of its colour stays flat.
        prop_assert!(fitted.pixels().all(|pixel| pixel.0.iter().all(|value| value.abs_diff(grey) <= 1)));
    }

    #[test]
    fn sheets_never_hold_more_than_asked(total in 0_usize..50, pushed in 0_usize..60, cells in 0_usize..12) {
        let mut builder = SheetBuilder::new(total, cells, 4, 6);
        for _ in 0..pushed {
            builder.push(&thirds(12, 12));
        }
        let sheet = builder.finish();
        let kept = cells.min(total).min(pushed).max(1) as u32;
        prop_assert!(sheet.height() <= kept.div_ceil(4) * 10 + 4);
    }
}
