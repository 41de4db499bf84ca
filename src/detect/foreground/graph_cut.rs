//! The cheapest cut of a picture into two parts: Boykov & Kolmogorov's maximum flow ("An Experimental Comparison of
//! Min-Cut/Max-Flow Algorithms for Energy Minimization in Vision", 2004) on a grid in which every pixel has eight
//! neighbours.

use std::collections::VecDeque;

/// Steps (x, y) to the eight neighbours; those of opposite directions are four apart.
const NEIGHBOURS: [(isize, isize); 8] =
    [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)];

/// The places of the pixels, which are numbered row by row.
#[derive(Debug, Clone, Copy)]
pub struct Grid {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Grid {
    /// The neighbour in one of the directions 0 to 7; odd ones are diagonal, those from 4 on lead back.
    pub fn neighbour(self, pixel: usize, direction: usize) -> Option<usize> {
        let (dx, dy) = NEIGHBOURS[direction];
        let x = (pixel % self.width).checked_add_signed(dx).filter(|&x| x < self.width)?;
        let y = (pixel / self.width).checked_add_signed(dy).filter(|&y| y < self.height)?;
        Some(y * self.width + x)
    }
}

/// The direction back.
const fn opposite(direction: usize) -> usize {
    (direction + 4) % 8
}

/// The terminal that a pixel hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tree {
    Free,
    Source,
    Sink,
}

/// How a pixel hangs on its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parent {
    None,
    Terminal,
    Neighbour(usize),
}

/// A grid of pixels with capacities; [`GraphCut::is_source`] tells the parts after [`GraphCut::solve`].
pub struct GraphCut {
    grid: Grid,
    /// What may still flow from each pixel to its neighbour in each direction.
    residual: [Vec<i32>; 8],
    /// What may still flow from the source (above zero) or to the sink (below).
    terminal: Vec<i32>,
    tree: Vec<Tree>,
    parent: Vec<Parent>,
    /// Pixels of a way to the terminal that were walked lately: when, and how long it is.
    seen: Vec<(u32, u32)>,
    now: u32,
    active: VecDeque<usize>,
    is_active: Vec<bool>,
    orphans: VecDeque<usize>,
}

impl GraphCut {
    /// `preference`: what it costs to give a pixel to the other part, above zero for the source and below for the sink.
    /// `between(pixel, neighbour)`: what it costs to part two neighbours, not below zero.
    pub fn new(grid: Grid, preference: Vec<i32>, between: impl Fn(usize, usize) -> i32) -> Self {
        let count = grid.width * grid.height;
        debug_assert_eq!(preference.len(), count);
        let mut cut = Self {
            grid,
            residual: std::array::from_fn(|_| vec![0; count]),
            terminal: preference,
            tree: vec![Tree::Free; count],
            parent: vec![Parent::None; count],
            seen: vec![(0, 0); count],
            now: 0,
            active: VecDeque::new(),
            is_active: vec![false; count],
            orphans: VecDeque::new(),
        };
        for pixel in 0..count {
            for direction in 0..8 {
                if let Some(neighbour) = grid.neighbour(pixel, direction) {
                    cut.residual[direction][pixel] = between(pixel, neighbour);
                }
            }
        }
        cut
    }

    /// Finds the cheapest cut.
    pub fn solve(&mut self) {
        for pixel in 0..self.terminal.len() {
            self.tree[pixel] = match self.terminal[pixel] {
                0 => continue,
                1.. => Tree::Source,
                _ => Tree::Sink,
            };
            self.parent[pixel] = Parent::Terminal;
            self.activate(pixel);
        }
        while let Some(&pixel) = self.active.front() {
            match self.grow(pixel) {
                Some((from, direction)) => {
                    self.now += 1;
                    self.augment(from, direction);
                    self.adopt();
                }
                None => {
                    self.active.pop_front();
                    self.is_active[pixel] = false;
                }
            }
        }
    }

    /// Whether a pixel is in the source's part.
    pub fn is_source(&self, pixel: usize) -> bool {
        self.tree[pixel] == Tree::Source
    }

    fn activate(&mut self, pixel: usize) {
        if !std::mem::replace(&mut self.is_active[pixel], true) {
            self.active.push_back(pixel);
        }
    }

    /// What may flow away from the terminal of `tree` between `near`, which hangs on it, and its neighbour.
    fn capacity(&self, tree: Tree, near: usize, direction: usize, far: usize) -> i32 {
        match tree {
            Tree::Sink => self.residual[opposite(direction)][far],
            _ => self.residual[direction][near],
        }
    }

    /// Lets the tree of an active pixel take its free neighbours. Where it meets the other tree, returns the pixel on
    /// the source's side and the direction to the one on the sink's.
    fn grow(&mut self, pixel: usize) -> Option<(usize, usize)> {
        let tree = self.tree[pixel];
        if tree == Tree::Free {
            return None;
        }
        for direction in 0..8 {
            let Some(neighbour) = self.grid.neighbour(pixel, direction) else { continue };
            if self.capacity(tree, pixel, direction, neighbour) == 0 {
                continue;
            }
            if self.tree[neighbour] == Tree::Free {
                self.tree[neighbour] = tree;
                self.parent[neighbour] = Parent::Neighbour(opposite(direction));
                self.activate(neighbour);
            } else if self.tree[neighbour] != tree {
                return Some(match tree {
                    Tree::Source => (pixel, direction),
                    _ => (neighbour, opposite(direction)),
                });
            }
        }
        None
    }

    /// Sends what fits along the way from source to sink over a pair of neighbours; pixels cut off become orphans.
    fn augment(&mut self, from: usize, direction: usize) {
        let Some(to) = self.grid.neighbour(from, direction) else { return };
        let flow = self.residual[direction][from].min(self.narrowest(from)).min(self.narrowest(to));
        self.residual[direction][from] -= flow;
        self.residual[opposite(direction)][to] += flow;
        self.send(from, flow);
        self.send(to, flow);
    }

    /// The next pixel on the way to the terminal, the direction to it, and what may flow in between.
    fn step(&self, pixel: usize) -> Option<(usize, usize, i32)> {
        let Parent::Neighbour(direction) = self.parent[pixel] else { return None };
        let parent = self.grid.neighbour(pixel, direction)?;
        Some((parent, direction, self.capacity(self.tree[pixel], parent, opposite(direction), pixel)))
    }

    /// The least capacity between a pixel and its terminal.
    fn narrowest(&self, mut pixel: usize) -> i32 {
        let mut least = i32::MAX;
        while let Some((parent, _, capacity)) = self.step(pixel) {
            least = least.min(capacity);
            pixel = parent;
        }
        least.min(self.terminal[pixel].abs())
    }

    /// Sends `flow` between a pixel and its terminal.
    fn send(&mut self, mut pixel: usize, flow: i32) {
        while let Some((parent, direction, capacity)) = self.step(pixel) {
            // Away from the source, and towards the sink.
            let (less, more) = match self.tree[pixel] {
                Tree::Sink => ((direction, pixel), (opposite(direction), parent)),
                _ => ((opposite(direction), parent), (direction, pixel)),
            };
            self.residual[less.0][less.1] -= flow;
            self.residual[more.0][more.1] += flow;
            if capacity == flow {
                self.abandon(pixel);
            }
            pixel = parent;
        }
        let left = &mut self.terminal[pixel];
        *left -= flow * left.signum();
        if *left == 0 {
            self.abandon(pixel);
        }
    }

    fn abandon(&mut self, pixel: usize) {
        self.parent[pixel] = Parent::None;
        self.orphans.push_back(pixel);
    }

    /// Gives each orphan a new parent in its tree, or sets it free.
    fn adopt(&mut self) {
        while let Some(orphan) = self.orphans.pop_front() {
            let tree = self.tree[orphan];
            let mut best: Option<(u32, usize)> = None;
            for direction in 0..8 {
                let Some(neighbour) = self.grid.neighbour(orphan, direction) else { continue };
                if self.tree[neighbour] != tree
                    || self.capacity(tree, neighbour, opposite(direction), orphan) == 0
                {
                    continue;
                }
                if let Some(distance) = self.distance(neighbour)
                    && best.is_none_or(|(least, _)| distance < least)
                {
                    best = Some((distance, direction));
                }
            }
            match best {
                Some((distance, direction)) => {
                    self.parent[orphan] = Parent::Neighbour(direction);
                    self.seen[orphan] = (self.now, distance + 1);
                }
                None => self.set_free(orphan, tree),
            }
        }
    }

    /// Number of steps to the terminal; `None` where the way ends at an orphan.
    fn distance(&mut self, start: usize) -> Option<u32> {
        let (mut pixel, mut steps) = (start, 0);
        let rest = loop {
            if self.seen[pixel].0 == self.now {
                break self.seen[pixel].1;
            }
            match self.step(pixel) {
                Some((parent, ..)) => pixel = parent,
                None if self.parent[pixel] == Parent::Terminal => break 1,
                None => return None,
            }
            steps += 1;
        };
        let total = rest + steps;
        let (mut pixel, mut left) = (start, total);
        while self.seen[pixel].0 != self.now {
            self.seen[pixel] = (self.now, left);
            left -= 1;
            match self.step(pixel) {
                Some((parent, ..)) => pixel = parent,
                None => break,
            }
        }
        Some(total)
    }

    fn set_free(&mut self, orphan: usize, tree: Tree) {
        for direction in 0..8 {
            let Some(neighbour) = self.grid.neighbour(orphan, direction) else { continue };
            if self.tree[neighbour] != tree {
                continue;
            }
            if self.capacity(tree, neighbour, opposite(direction), orphan) > 0 {
                self.activate(neighbour);
            }
            if self.parent[neighbour] == Parent::Neighbour(opposite(direction)) {
                self.abandon(neighbour);
            }
        }
        self.tree[orphan] = Tree::Free;
    }
}
