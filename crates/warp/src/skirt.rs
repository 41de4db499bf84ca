//! Skirts: cloth that both legs carry.

use crate::geometry::Vector;

/// The corners of a skirt, row by row from the hips down to the hem.
#[derive(Debug, Clone)]
pub(crate) struct Skirt {
    rows: Vec<Row>,
}

/// Corners beside each other.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// From left to right.
    pub corners: Vec<u32>,
    /// Those that carry the others, from left to right: at the edges, and before the thighs where only thighs lift the skirt.
    pub carriers: Vec<u32>,
}

/// A skirt follows the hips in so much of its upper part.
const WAIST: f32 = 0.3;

impl Skirt {
    /// `None` where there is too little of it.
    pub fn new(rows: Vec<Row>) -> Option<Self> {
        (rows.len() > 2).then_some(Self { rows })
    }

    /// How far down the skirt each of its corners is, 0 at the hips to 1 at the hem.
    pub fn heights(&self) -> impl Iterator<Item = (u32, f32)> {
        let last = (self.rows.len() - 1) as f32;
        let rows = self.rows.iter().enumerate();
        rows.flat_map(move |(number, row)| {
            row.corners.iter().map(move |corner| (*corner, number as f32 / last))
        })
    }

    /// Hangs the skirt over the legs: `corners`, which have followed the bones, are put where cloth is that is drawn tight around them.
    pub fn drape(&self, rest: &[Vector], corners: &mut [Vector]) {
        let count = self.rows[0].carriers.len();
        let chain = |of: &[Vector], carrier: usize| {
            let places: Vec<Vector> =
                self.rows.iter().map(|row| of[row.carriers[carrier] as usize]).collect();
            taut(&places, if 2 * carrier < count { -1.0 } else { 1.0 })
        };
        let chains = |of: &[Vector]| (0..count).map(|carrier| chain(of, carrier)).collect::<Vec<_>>();
        let (before, after) = (chains(rest), chains(corners));
        let last = (self.rows.len() - 1) as f32;
        for (number, row) in self.rows.iter().enumerate() {
            let share = (number as f32 / last / WAIST).min(1.0);
            for corner in &row.corners {
                let at_rest = rest[*corner as usize];
                let span = (0..count - 2).find(|span| at_rest.x < before[span + 1][number].x);
                let span = span.unwrap_or(count - 2);
                let [from, to] = [span, span + 1].map(|carrier| before[carrier][number].x);
                let across = (at_rest.x - from) / (to - from).max(1.0);
                let [was, is] = [&before, &after]
                    .map(|chains| chains[span][number].toward(chains[span + 1][number], across));
                // What is no cloth between its carriers, but a little beside it, stays beside it.
                let place = &mut corners[*corner as usize];
                *place = place.toward(at_rest + is - was, share);
            }
        }
    }
}

/// A chain drawn tight around what turns outwards, of as many places, all as far from each other: of a chain that goes down, to the
/// right in the picture where `turn` is 1, to the left where it is -1.
fn taut(chain: &[Vector], turn: f32) -> Vec<Vector> {
    let mut tight: Vec<Vector> = Vec::with_capacity(chain.len());
    for place in chain {
        while let [.., before, last] = tight[..]
            && (last - before).cross(*place - last) * turn <= 0.0
        {
            tight.pop();
        }
        tight.push(*place);
    }
    let ways = ways(&tight);
    let step = ways.last().copied().unwrap_or_default() / (chain.len() - 1) as f32;
    (0..chain.len()).map(|number| at(&tight, &ways, step * number as f32)).collect()
}

/// How far along a chain each of its places is.
fn ways(chain: &[Vector]) -> Vec<f32> {
    let steps = chain.windows(2).map(|pair| (pair[1] - pair[0]).length());
    let mut ways = vec![0.0];
    steps.for_each(|step| ways.push(ways.last().copied().unwrap_or_default() + step));
    ways
}

/// The place that is a way along a chain.
fn at(chain: &[Vector], ways: &[f32], way: f32) -> Vector {
    let next = ways.partition_point(|of| *of < way).clamp(1, ways.len().max(2) - 1).min(chain.len() - 1);
    let before = next.saturating_sub(1);
    let long = (ways[next] - ways[before]).max(1e-6);
    chain[before].toward(chain[next], ((way - ways[before]) / long).clamp(0.0, 1.0))
}
