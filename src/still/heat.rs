//! Maps of attention over pictures.

use image::{ImageBuffer, Luma, Rgb, RgbImage, imageops};
use imageproc::drawing::draw_hollow_rect_mut;
use imageproc::rect::Rect;

use crate::picture::{BACKGROUND, GAP, label};
use crate::render::attention_maps::{AttentionSource, Map};

/// What a panel shows.
#[derive(Debug, Clone, Copy)]
pub struct Panel<'a> {
    /// The picture that looks, then what it looks at; all of one size.
    pub pictures: &'a [(AttentionSource, &'a RgbImage)],
    /// Where it looks.
    pub maps: &'a [Map],
    /// The number of the query among those of the maps.
    pub query: usize,
    /// Its token, counted row by row.
    pub token: u32,
    /// One head; the mean of all where absent.
    pub head: Option<usize>,
}

/// Smallest width at which a picture is shown.
const SMALLEST: u32 = 256;
const RED: Rgb<u8> = Rgb([255, 0, 0]);

/// On the left the picture with where it looks in itself, then the reference and what else there is with where it looks there.
/// Red is strong and blue is weak, each against its own strongest token. A red box marks the token that looks; below stands how
/// much of the attention each gets.
pub fn panel(panel: Panel) -> RgbImage {
    let (width, height) = panel.pictures.first().map_or((1, 1), |(_, picture)| picture.dimensions());
    let times = SMALLEST.div_ceil(width.max(1)).max(1);
    let (width, height) = (width * times, height * times);
    let across = panel.pictures.len() as u32 * (width + GAP);
    let mut sheet =
        RgbImage::from_pixel(across.saturating_sub(GAP).max(1), height + label::LINE_HEIGHT, BACKGROUND);
    for (place, &(source, picture)) in panel.pictures.iter().enumerate() {
        let left = place as u32 * (width + GAP);
        let large = imageops::resize(picture, width, height, imageops::FilterType::Nearest);
        let map = panel.maps.iter().find(|map| map.source == source);
        let mut shown = match map {
            Some(map) => heated(&large, map, &panel),
            None => large,
        };
        if let (AttentionSource::Itself, Some(map)) = (source, map) {
            mark(&mut shown, map, panel.token);
        }
        imageops::replace(&mut sheet, &shown, i64::from(left), 0);
        let share: f32 = map.map_or(0.0, |map| grid_of(map, &panel).iter().sum());
        label::write(&mut sheet, left, height, &format!("{} {:.0}%", source.name(), 100.0 * share));
    }
    sheet
}

/// The weights of a panel's query.
fn grid_of(map: &Map, panel: &Panel) -> Vec<f32> {
    let heads = match panel.head {
        Some(head) => &map.weights[head..=head],
        None => &map.weights[..],
    };
    let mut mean = vec![0.0; map.height * map.width];
    for head in heads {
        mean.iter_mut().zip(&head[panel.query]).for_each(|(sum, weight)| *sum += weight / heads.len() as f32);
    }
    mean
}

fn heated(picture: &RgbImage, map: &Map, panel: &Panel) -> RgbImage {
    let grid = grid_of(map, panel);
    let most = grid.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let grid = ImageBuffer::<Luma<f32>, _>::from_fn(map.width as u32, map.height as u32, |x, y| {
        Luma([grid[y as usize * map.width + x as usize] / most])
    });
    let (width, height) = picture.dimensions();
    let grid = imageops::resize(&grid, width, height, imageops::FilterType::Triangle);
    RgbImage::from_fn(width, height, |x, y| {
        let [red, green, blue] = picture.get_pixel(x, y).0.map(f32::from);
        let grey = 0.299 * red + 0.587 * green + 0.114 * blue;
        Rgb(colour(grid.get_pixel(x, y)[0]).map(|heat| (0.4 * grey + 0.6 * 255.0 * heat).round() as u8))
    })
}

/// From blue over green to red, each 0 to 1.
fn colour(heat: f32) -> [f32; 3] {
    let near = |place: f32| (1.5 - 4.0 * (heat.clamp(0.0, 1.0) - place).abs()).clamp(0.0, 1.0);
    [near(0.875), near(0.5), near(0.125)]
}

/// A box around a token.
fn mark(picture: &mut RgbImage, map: &Map, token: u32) {
    let (width, height) = picture.dimensions();
    let (column, row) = (token % map.width as u32, token / map.width as u32);
    let edge = |cell: u32, cells: usize, length: u32| cell * length / cells as u32;
    let (left, top) = (edge(column, map.width, width), edge(row, map.height, height));
    let (right, bottom) = (edge(column + 1, map.width, width), edge(row + 1, map.height, height));
    for inset in 0..2u32 {
        let (wide, high) = (right - left, bottom - top);
        if wide > 2 * inset && high > 2 * inset {
            let corner = Rect::at((left + inset) as i32, (top + inset) as i32);
            draw_hollow_rect_mut(picture, corner.of_size(wide - 2 * inset, high - 2 * inset), RED);
        }
    }
}
