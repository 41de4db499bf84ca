//! Anti-aliased shapes with outlines and shading on a transparent layer.

use tiny_skia::{FillRule, LineCap, LineJoin, Mask, Paint, Path, PathBuilder, Pixmap, Stroke, Transform};

use crate::colour::Rgb;
use crate::geometry::{Vector, cosine, sine, vector};

/// What a pixel of the figure shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Part {
    /// Not the figure.
    Background = 0,
    /// Face, neck, arms and legs.
    Skin = 1,
    /// Hair.
    Hair = 2,
    /// Eyes, brows and mouth.
    Face = 3,
    /// Shirt, blouse and the like, with its pattern.
    Top = 4,
    /// Trousers or skirt.
    Bottom = 5,
    /// Shoes and socks.
    Shoes = 6,
    /// Coat or cape.
    Outer = 7,
    /// Hat, ears, glasses, tail.
    Accessory = 8,
}

impl Part {
    /// The parts of the figure.
    pub const ALL: [Self; 8] = [
        Self::Skin,
        Self::Hair,
        Self::Face,
        Self::Top,
        Self::Bottom,
        Self::Shoes,
        Self::Outer,
        Self::Accessory,
    ];

    /// Name for reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Background => "background",
            Self::Skin => "skin",
            Self::Hair => "hair",
            Self::Face => "face",
            Self::Top => "top",
            Self::Bottom => "bottom",
            Self::Shoes => "shoes",
            Self::Outer => "outer",
            Self::Accessory => "accessory",
        }
    }
}

/// An outline to fill or to draw along; one without extent (a line of a single point) draws nothing.
#[derive(Debug, Clone)]
pub struct Shape(Option<Path>);

/// Width of outlines, in sides of the canvas.
pub const LINE: f32 = 0.0062;

/// A layer to draw on, in canvas coordinates (1 is the side).
pub struct Painter {
    layer: Pixmap,
    labels: Option<Pixmap>,
    part: Part,
    clip: Option<Mask>,
    size: f32,
}

impl Painter {
    /// A transparent square layer of `size` × `size` pixels (1 where 0 is asked for); with `labels`, what each pixel shows
    /// is kept as well.
    pub fn new(size: u32, labels: bool) -> Self {
        let layer = blank(size);
        let labels = labels.then(|| layer.clone());
        Self { size: layer.width() as f32, layer, labels, part: Part::Background, clip: None }
    }

    /// A painter that goes on drawing on `layer`, a square, without labels.
    pub fn over(layer: Pixmap) -> Self {
        Self { size: layer.width() as f32, layer, labels: None, part: Part::Background, clip: None }
    }

    /// What is drawn from here on.
    pub fn part(&mut self, part: Part) {
        self.part = part;
    }

    /// The layer with premultiplied alpha, and the grey picture of labels (red channel) if it was asked for.
    pub fn finish(self) -> (Pixmap, Option<Pixmap>) {
        (self.layer, self.labels)
    }

    /// A surface with a line of [`LINE`] around it.
    pub fn surface(&mut self, shape: &Shape, colour: Rgb) {
        self.line(shape, colour.outline(), LINE * 2.0);
        self.fill(shape, colour);
    }

    /// A surface without a line.
    pub fn fill(&mut self, shape: &Shape, colour: Rgb) {
        let Some(path) = &shape.0 else { return };
        let transform = Transform::from_scale(self.size, self.size);
        let mask = self.clip.as_ref();
        self.layer.fill_path(path, &paint(colour, true), FillRule::Winding, transform, mask);
        if let Some(labels) = &mut self.labels {
            labels.fill_path(path, &label_paint(self.part), FillRule::Winding, transform, mask);
        }
    }

    /// A surface of which `opacity` (0 to 1) hides what is below; it changes no labels.
    pub fn glaze(&mut self, shape: &Shape, colour: Rgb, opacity: f32) {
        let Some(path) = &shape.0 else { return };
        let transform = Transform::from_scale(self.size, self.size);
        let mut paint = paint(colour, true);
        paint.set_color_rgba8(colour.0, colour.1, colour.2, (opacity * 255.0) as u8);
        self.layer.fill_path(path, &paint, FillRule::Winding, transform, self.clip.as_ref());
    }

    /// A line with round ends along the path, `width` wide.
    pub fn line(&mut self, along: &Shape, colour: Rgb, width: f32) {
        let Some(path) = &along.0 else { return };
        let transform = Transform::from_scale(self.size, self.size);
        let stroke =
            Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
        let mask = self.clip.as_ref();
        self.layer.stroke_path(path, &paint(colour, true), &stroke, transform, mask);
        if let Some(labels) = &mut self.labels {
            labels.stroke_path(path, &label_paint(self.part), &stroke, transform, mask);
        }
    }

    /// Draws only inside `shape`: its pattern, its shadow. Such calls do not nest.
    pub fn inside(&mut self, shape: &Shape, draw: impl FnOnce(&mut Self)) {
        let Some(path) = &shape.0 else { return };
        let side = self.layer.width();
        if let Some(mut mask) = Mask::new(side, side) {
            mask.fill_path(path, FillRule::Winding, true, Transform::from_scale(self.size, self.size));
            self.clip = Some(mask);
            draw(self);
            self.clip = None;
        }
    }
}

/// Longest side of a picture.
const MAX_SIDE: u32 = 8192;

/// A transparent layer of `size` × `size` pixels, at least 1 and at most what a picture may have.
pub fn blank(size: u32) -> Pixmap {
    let side = size.clamp(1, MAX_SIDE);
    Pixmap::new(side, side).expect("a side of 1 to 8192 pixels is always valid")
}

fn paint(colour: Rgb, anti_alias: bool) -> Paint<'static> {
    let mut paint = Paint { anti_alias, ..Paint::default() };
    paint.set_color_rgba8(colour.0, colour.1, colour.2, 255);
    paint
}

fn label_paint(part: Part) -> Paint<'static> {
    let label = part as u8;
    paint(Rgb(label, label, label), false)
}

/// The closed shape with straight edges between the points.
pub fn polygon(points: &[Vector]) -> Shape {
    let mut builder = PathBuilder::new();
    for (index, point) in points.iter().enumerate() {
        if index == 0 { builder.move_to(point.x, point.y) } else { builder.line_to(point.x, point.y) }
    }
    builder.close();
    Shape(builder.finish())
}

/// The closed shape that runs smoothly (Catmull-Rom) through the points; a point given twice is a corner.
pub fn blob(points: &[Vector]) -> Shape {
    let count = points.len();
    let mut builder = PathBuilder::new();
    for index in 0..count {
        let [before, start, end, after] = [count - 1, 0, 1, 2].map(|step| points[(index + step) % count]);
        if index == 0 {
            builder.move_to(start.x, start.y);
        }
        cubic(&mut builder, before, start, end, after);
    }
    builder.close();
    Shape(builder.finish())
}

/// The open line that runs smoothly (Catmull-Rom) through the points.
pub fn curve(points: &[Vector]) -> Shape {
    let mut builder = PathBuilder::new();
    let last = points.len().saturating_sub(1);
    for index in 0..last {
        if index == 0 {
            builder.move_to(points[0].x, points[0].y);
        }
        let (before, after) = (points[index.saturating_sub(1)], points[(index + 2).min(last)]);
        cubic(&mut builder, before, points[index], points[index + 1], after);
    }
    Shape(builder.finish())
}

fn cubic(builder: &mut PathBuilder, before: Vector, start: Vector, end: Vector, after: Vector) {
    if start == end {
        // A point given twice is a corner.
        return;
    }
    let (leave, arrive) = (start + (end - before) * (1.0 / 6.0), end - (after - start) * (1.0 / 6.0));
    builder.cubic_to(leave.x, leave.y, arrive.x, arrive.y, end.x, end.y);
}

/// A circle.
pub fn disc(centre: Vector, radius: f32) -> Shape {
    ellipse(centre, vector(radius, 0.0), vector(0.0, radius))
}

/// An ellipse from its two half axes.
pub fn ellipse(centre: Vector, first: Vector, second: Vector) -> Shape {
    /// Length of the handles of a quarter circle drawn as a Bézier curve.
    const HANDLE: f32 = 0.552_284_8;
    let corners = [first, second, -first, -second];
    let mut builder = PathBuilder::new();
    let start = centre + first;
    builder.move_to(start.x, start.y);
    for quarter in 0..4 {
        let (from, to) = (corners[quarter], corners[(quarter + 1) % 4]);
        let (leave, arrive, end) = (centre + from + to * HANDLE, centre + to + from * HANDLE, centre + to);
        builder.cubic_to(leave.x, leave.y, arrive.x, arrive.y, end.x, end.y);
    }
    builder.close();
    Shape(builder.finish())
}

/// A limb: two round ends of their own radii and the straight sides between them.
pub fn taper(from: Vector, from_radius: f32, to: Vector, to_radius: f32) -> Shape {
    let along = (to - from).unit();
    let side = along.quarter_turn();
    let mut points = Vec::with_capacity(14);
    for step in 0..7 {
        let angle = -90.0 + 30.0 * step as f32;
        points.push(to + (along * cosine(angle) + side * sine(angle)) * to_radius);
    }
    for step in 0..7 {
        let angle = 90.0 + 30.0 * step as f32;
        points.push(from + (along * cosine(angle) + side * sine(angle)) * from_radius);
    }
    polygon(&points)
}

/// Several shapes as one: a line around it goes around all of them. Closed shapes made by this module's functions for limbs,
/// discs and [`quad`]s wind the same way, so that where they overlap they stay filled.
pub fn union(shapes: &[Shape]) -> Shape {
    let mut builder = PathBuilder::new();
    for path in shapes.iter().filter_map(|shape| shape.0.as_ref()) {
        builder.push_path(path);
    }
    Shape(builder.finish())
}

/// A piece of a limb with straight ends: `from_radius` to both sides of `from`, `to_radius` to both sides of `to`.
pub fn quad(from: Vector, from_radius: f32, to: Vector, to_radius: f32) -> Shape {
    let side = (to - from).unit().quarter_turn();
    polygon(&[
        from - side * from_radius,
        to - side * to_radius,
        to + side * to_radius,
        from + side * from_radius,
    ])
}
