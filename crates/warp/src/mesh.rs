//! A net of triangles over the layers, which share corners where they hang together.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use dreamtuner_pose::Joint;

use crate::bones::{Bone, HEAD, LIMBS, MOVERS, TORSO};
use crate::geometry::{Vector, vector};
use crate::joints::{Joints, Torso};
use crate::layers::{CHIN, Layer};
use crate::parts::Part;
use crate::skirt::{self, Skirt};
use crate::slack::slack;
use crate::split::Split;

/// The net, and how much each corner follows each bone.
#[derive(Debug, Clone)]
pub(crate) struct Mesh {
    /// Corners in the picture.
    pub rest: Vec<Vector>,
    /// Triangles of each layer.
    pub triangles: Vec<Vec<[u32; 3]>>,
    /// For each corner the shares of the bones, the torso and the head; together 1.
    pub weights: Vec<[f32; MOVERS]>,
    /// How much each corner trails behind the motion, 0 to 1: loose things do.
    pub slack: Vec<f32>,
    /// Corners of two layers in the same place.
    pub seams: Vec<[u32; 2]>,
    /// The skirt, if there is one.
    pub skirt: Option<Skirt>,
    /// Side of its squares in pixels.
    pub step: f32,
}

/// Share of a bone beside a joint that bends with its neighbour.
const BESIDE_JOINT: f32 = 0.1;

/// How late the hem of a skirt follows, as a share of what loose ends do.
const HEM: f32 = 0.4;

/// A net while it is made.
struct Builder<'a> {
    layers: &'a [Layer],
    joints: &'a Joints,
    torso: &'a Torso,
    split: Option<Split>,
    step: f32,
    corners: HashMap<(Part, i32, i32), u32>,
    rest: Vec<Vector>,
    owners: Vec<Part>,
}

impl Mesh {
    /// Squares of `step` pixels, each two triangles, wherever a layer is seen.
    pub fn new(layers: &[Layer], joints: &Joints, torso: &Torso, split: Option<Split>, step: f32) -> Self {
        let mut builder = Builder {
            layers,
            joints,
            torso,
            split,
            step,
            corners: HashMap::new(),
            rest: Vec::new(),
            owners: Vec::new(),
        };
        // The trunk first: others share its corners.
        let body_first = |index: &usize| layers[*index].part != Part::Body;
        let mut order: Vec<usize> = (0..layers.len()).collect();
        order.sort_by_key(body_first);
        let mut triangles = vec![Vec::new(); layers.len()];
        for index in order {
            triangles[index] = builder.triangles(&layers[index]);
        }
        let neighbours = builder.neighbours(&triangles);
        let weights = builder.weights(&neighbours);
        let mut slack = slack(&builder.rest, &builder.loose_things(&neighbours), torso);
        let skirt = builder.skirt();
        for (corner, height) in skirt.iter().flat_map(Skirt::heights) {
            slack[corner as usize] = HEM * height;
        }
        let seams = builder.seams();
        Self { rest: builder.rest, triangles, weights, slack, seams, skirt, step }
    }
}

impl Builder<'_> {
    fn triangles(&mut self, layer: &Layer) -> Vec<[u32; 3]> {
        let (across, down) = (
            (layer.texture.width() as f32 / self.step).ceil() as i32,
            (layer.texture.height() as f32 / self.step).ceil() as i32,
        );
        let mut seen = vec![false; (across * down) as usize];
        // A pixel is seen half a pixel beyond its edges, where it mixes with its neighbours.
        let squares = |pixel: u32, count: i32| {
            let first = ((pixel as f32 - 0.5) / self.step) as i32;
            let last = ((pixel as f32 + 1.5) / self.step) as i32;
            first..=last.min(count - 1)
        };
        for (x, y, pixel) in layer.texture.enumerate_pixels() {
            if pixel.0[3] > 0 {
                for row in squares(y, down) {
                    for column in squares(x, across) {
                        seen[(row * across + column) as usize] = true;
                    }
                }
            }
        }
        let mut triangles = Vec::new();
        for row in 0..down {
            for column in 0..across {
                if !seen[(row * across + column) as usize] {
                    continue;
                }
                let [a, b, c, d] = [(0, 0), (1, 0), (1, 1), (0, 1)]
                    .map(|(right, below)| self.corner(layer, column + right, row + below));
                // Diagonals by turns, so that the net bends alike both ways.
                triangles.extend(if (row + column) % 2 == 0 {
                    [[a, b, d], [b, c, d]]
                } else {
                    [[a, b, c], [a, c, d]]
                });
            }
        }
        // What is drawn later covers what is drawn before where the net folds: a chin that comes down lies over the collar.
        if layer.part == Part::Head {
            triangles.reverse();
        }
        triangles
    }

    /// The number of a corner: the trunk's where the layer hangs on it.
    fn corner(&mut self, layer: &Layer, column: i32, row: i32) -> u32 {
        let point = vector(column as f32 * self.step, row as f32 * self.step);
        let is_hinge = layer.hinge.is_some_and(|hinge| hinge.holds(point))
            || layer.part.is_leg()
                && self.split.is_some_and(|split| !split.is_hem && point.y <= split.row + self.step);
        if is_hinge && let Some(corner) = self.corners.get(&(Part::Body, column, row)) {
            return *corner;
        }
        *self.corners.entry((layer.part, column, row)).or_insert_with(|| {
            self.rest.push(point);
            self.owners.push(layer.part);
            self.rest.len() as u32 - 1
        })
    }

    /// The corners of each loose thing that hangs together.
    fn loose_things(&self, neighbours: &[Vec<u32>]) -> Vec<Vec<u32>> {
        let is_loose = |corner: u32| self.owners[corner as usize] == Part::Loose;
        let mut seen = vec![false; self.rest.len()];
        let mut things = Vec::new();
        for first in (0..self.rest.len() as u32).filter(|corner| is_loose(*corner)) {
            if std::mem::replace(&mut seen[first as usize], true) {
                continue;
            }
            let (mut thing, mut next) = (vec![first], 0);
            while let Some(corner) = thing.get(next).copied() {
                next += 1;
                for other in neighbours[corner as usize].iter().filter(|other| is_loose(**other)) {
                    if !std::mem::replace(&mut seen[*other as usize], true) {
                        thing.push(*other);
                    }
                }
            }
            things.push(thing);
        }
        things
    }

    fn seams(&self) -> Vec<[u32; 2]> {
        // Legs move freely behind a skirt.
        let is_free = |part: Part, other: Part| {
            part.is_leg() && other == Part::Body && self.split.is_some_and(|split| split.is_hem)
        };
        let with_others = |(&(part, column, row), &corner): (&(Part, i32, i32), &u32)| {
            let others = Part::ALL.into_iter().filter(move |other| *other > part && !is_free(part, *other));
            let corners = others.filter_map(move |other| self.corners.get(&(other, column, row)));
            corners.map(move |other| [corner, *other]).collect::<Vec<_>>()
        };
        self.corners.iter().flat_map(with_others).collect()
    }

    /// What is between the hips and the hem of a skirt.
    fn skirt(&self) -> Option<Skirt> {
        let hem = self.split.filter(|split| split.is_hem)?.row + self.step;
        let top = self.torso.right_hip.y.max(self.torso.left_hip.y);
        let rows = (top / self.step).ceil() as i32..=(hem / self.step).floor() as i32;
        let knees = [Joint::RightKnee, Joint::LeftKnee].map(|knee| self.joints.at(knee).map(|knee| knee.y));
        let is_short = knees.into_iter().flatten().all(|knee| hem < knee);
        Skirt::new(rows.map(|row| self.skirt_row(row, is_short)).collect::<Option<_>>()?)
    }

    fn skirt_row(&self, row: i32, short: bool) -> Option<skirt::Row> {
        let of_row = self.corners.iter().filter(|((part, _, of), _)| *part == Part::Body && *of == row);
        let mut corners: Vec<u32> = of_row.map(|(_, corner)| *corner).collect();
        let x = |corner: &u32| self.rest[*corner as usize].x;
        corners.sort_by(|one, other| x(one).total_cmp(&x(other)));
        let mut carriers = vec![*corners.first()?];
        if short {
            let legs = LIMBS.into_iter().filter(|(part, _)| part.is_leg());
            let mut legs = legs
                .map(|(_, leg)| self.joints.crossed(leg, row as f32 * self.step))
                .collect::<Option<Vec<f32>>>()?;
            legs.sort_by(f32::total_cmp);
            let away = |corner: &u32, leg: f32| (x(corner) - leg).abs();
            let nearest = |leg: f32| {
                corners.iter().min_by(move |one, other| away(one, leg).total_cmp(&away(other, leg)))
            };
            carriers.extend(legs.into_iter().filter_map(nearest));
        }
        carriers.push(*corners.last()?);
        Some(skirt::Row { corners, carriers })
    }

    /// Corners around a point of a part.
    fn around(&self, part: Part, point: Vector) -> Vec<u32> {
        let (column, row) = ((point.x / self.step).floor() as i32, (point.y / self.step).floor() as i32);
        let corners = [(0, 0), (1, 0), (1, 1), (0, 1)];
        corners
            .into_iter()
            .filter_map(|(right, below)| self.corners.get(&(part, column + right, row + below)).copied())
            .collect()
    }

    /// The layer in which a part's pixels are drawn at a place.
    fn layer_of(&self, part: Part, point: Vector) -> Part {
        let joined = part.is_leg() && self.split.is_none_or(|split| point.y < split.row);
        if joined || !self.layers.iter().any(|layer| layer.part == part) { Part::Body } else { part }
    }

    fn weights(&self, neighbours: &[Vec<u32>]) -> Vec<[f32; MOVERS]> {
        let distances: Vec<Vec<f32>> =
            (0..MOVERS).map(|mover| self.distances(neighbours, &self.sources(mover))).collect();
        (0..self.rest.len())
            .map(|corner| {
                if self.owners[corner] == Part::Loose {
                    return std::array::from_fn(|mover| f32::from(mover == TORSO));
                }
                let distance = |mover: usize| distances[mover][corner] / self.step + 0.7;
                let mut near: [f32; MOVERS] = std::array::from_fn(|mover| {
                    let square = distance(mover) * distance(mover);
                    // The higher the power, the sharper joints bend.
                    1.0 / (square * square * square * square)
                });
                // A neck bends all along.
                let both = near[TORSO] + near[HEAD];
                near[HEAD] = both * distance(TORSO) / (distance(TORSO) + distance(HEAD));
                near[TORSO] = both - near[HEAD];
                let sum: f32 = near.iter().sum();
                near.map(|near| near / sum)
            })
            .collect()
    }

    /// The corners that follow a mover entirely.
    fn sources(&self, mover: usize) -> Vec<u32> {
        match mover {
            TORSO => self.torso_sources(),
            HEAD => self.head_sources(),
            bone => self.bone_sources(bone),
        }
    }

    fn bone_sources(&self, bone: usize) -> Vec<u32> {
        let Bone { part, from, to, is_tip, .. } = Bone::new(bone);
        let Some((from, to)) = self.joints.pair(from, to) else { return Vec::new() };
        let count = ((to - from).length() / self.step).max(3.0) as usize;
        let (first, last) = (BESIDE_JOINT, if is_tip { 1.0 } else { 1.0 - BESIDE_JOINT });
        let points = (0..count)
            .map(|index| from.toward(to, first + (last - first) * index as f32 / (count - 1) as f32));
        // A leg goes on behind the skirt that it carries.
        let layers = |point| {
            let shown = self.layer_of(part, point);
            std::iter::once(shown).chain((shown != part).then_some(part))
        };
        points.flat_map(|point| layers(point).flat_map(move |layer| self.around(layer, point))).collect()
    }

    fn torso_sources(&self) -> Vec<u32> {
        let [a, b, c, d] = self.torso.corners();
        let lines = [(a, b), (b, c), (c, d), (d, a), (self.torso.neck, self.torso.hips())];
        let points = lines.into_iter().flat_map(|(from, to)| {
            let count = ((to - from).length() / self.step).max(3.0) as usize;
            (0..count).map(move |index| from.toward(to, index as f32 / count as f32))
        });
        points.flat_map(|point| self.around(Part::Body, point)).collect()
    }

    /// All of the head above the chin.
    fn head_sources(&self) -> Vec<u32> {
        let Some((nose, neck)) = self.joints.pair(Joint::Nose, Joint::Neck) else { return Vec::new() };
        let (chin, up) = (neck.toward(nose, CHIN), (nose - neck).unit());
        let is_above =
            |corner: &usize| self.owners[*corner] == Part::Head && (self.rest[*corner] - chin).dot(up) > 0.0;
        (0..self.rest.len()).filter(is_above).map(|corner| corner as u32).collect()
    }

    fn neighbours(&self, triangles: &[Vec<[u32; 3]>]) -> Vec<Vec<u32>> {
        let mut neighbours = vec![Vec::new(); self.rest.len()];
        for [a, b, c] in triangles.iter().flatten() {
            for (one, other) in [(a, b), (b, c), (c, a)] {
                neighbours[*one as usize].push(*other);
                neighbours[*other as usize].push(*one);
            }
        }
        for around in &mut neighbours {
            around.sort_unstable();
            around.dedup();
        }
        neighbours
    }

    /// The shortest way along the net from the nearest source to each corner; far where there is none.
    fn distances(&self, neighbours: &[Vec<u32>], sources: &[u32]) -> Vec<f32> {
        const FAR: f32 = 1e5;
        let mut distances = vec![FAR; self.rest.len()];
        let mut heap = BinaryHeap::new();
        for source in sources {
            distances[*source as usize] = 0.0;
            heap.push(Reverse((0, *source)));
        }
        // As pixels do in `spread`.
        while let Some(Reverse((bits, corner))) = heap.pop() {
            let distance = f32::from_bits(bits);
            if distance > distances[corner as usize] {
                continue;
            }
            for next in &neighbours[corner as usize] {
                let more = distance + (self.rest[*next as usize] - self.rest[corner as usize]).length();
                if more < distances[*next as usize] {
                    distances[*next as usize] = more;
                    heap.push(Reverse((more.to_bits(), *next)));
                }
            }
        }
        distances
    }
}
