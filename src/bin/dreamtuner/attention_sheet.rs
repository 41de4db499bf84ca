//! Maps of attention side by side.

use dreamtuner::Result;
use dreamtuner::mask::Mask;
use dreamtuner::model::unet::UNet;
use dreamtuner::render::attention_maps::{AttentionSource, Captured};
use dreamtuner::still::{Labels, Panel, labelled_grid, panel};
use image::RgbImage;

use crate::parse::Point;

/// What maps lie over.
pub struct View<'a> {
    /// The picture that looks, then what it looks at.
    pub pictures: &'a [(AttentionSource, &'a RgbImage)],
    /// The reference's mask.
    pub mask: Option<&'a Mask>,
    /// The network that looks.
    pub unet: &'a UNet,
}

/// A row for each point (and each of the `heads`, if they are shown apart), a column for each layer and step. Where
/// there is one row only, it is broken, so that the sheet is about as wide as it is high.
pub fn sheet(view: &View, captured: &[Captured], points: &[Point], heads: bool) -> Result<RgbImage> {
    let places = view.unet.self_attentions();
    let (mut columns, mut labels) = (Vec::new(), Vec::new());
    for captured in captured {
        labels.push(format!("{} step {}", places[captured.layer].0, captured.step + 1));
        columns.push(column(view, captured, points, heads)?);
    }
    // Layers may differ in their heads.
    let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
    let size =
        columns.first().and_then(|column| column.first()).map_or((1, 1), |(_, shown)| shown.dimensions());
    let cell = |row: usize, column: &Vec<(String, RgbImage)>| {
        column.get(row).map_or_else(|| RgbImage::new(size.0, size.1), |(_, shown)| shown.clone())
    };
    let cells: Vec<RgbImage> =
        (0..rows).flat_map(|row| columns.iter().map(move |column| cell(row, column))).collect();
    let longest = columns.iter().max_by_key(|column| column.len());
    let rows: Vec<String> = longest.into_iter().flatten().map(|(label, _)| label.clone()).collect();
    if let [from] = rows.as_slice() {
        let labels = labels.into_iter().map(|label| format!("{label} from {from}")).collect();
        return Ok(labelled_grid(&cells, &Labels::Each(labels)));
    }
    Ok(labelled_grid(&cells, &Labels::Table { corner: "looks from".into(), columns: labels, rows }))
}

/// The panels of a layer and step, each with what stands beside it.
fn column(
    view: &View,
    captured: &Captured,
    points: &[Point],
    heads: bool,
) -> Result<Vec<(String, RgbImage)>> {
    let (width, height) = view.pictures[0].1.dimensions();
    let (rows, across) = captured.grid();
    let token = |point: &Point| {
        let cell = |at: u32, length: u32, cells: usize| at * cells as u32 / length;
        cell(point.y, height, rows) * across as u32 + cell(point.x, width, across)
    };
    let tokens: Vec<u32> = points.iter().map(token).collect();
    let maps = captured.maps(view.unet, view.mask, &tokens)?;
    let count = maps.first().map_or(0, |map| map.weights.len());
    let heads: Vec<Option<usize>> = if heads { (0..count).map(Some).collect() } else { vec![None] };
    let mut column = Vec::new();
    for (query, (&token, point)) in tokens.iter().zip(points).enumerate() {
        for &head in &heads {
            let shown = panel(Panel { pictures: view.pictures, maps: &maps, query, token, head });
            let head = head.map(|head| format!(" head {}", head + 1)).unwrap_or_default();
            column.push((format!("{point}{head}"), shown));
        }
    }
    Ok(column)
}
