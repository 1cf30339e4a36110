//! Graphs for vector sets that come without one: from a log, or from another format.
//!
//! A hierarchical navigable small world: each node stands on the layers up to its level, has
//! a few links to near nodes on each, and every link goes both ways, which servers demand.
//! A search descends greedily from the top and widens on the lowest layer. Levels are drawn
//! from the node's number, so that the same set always gets the same graph.
//!
//! Source: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search
//! using Hierarchical Navigable Small World graphs"; `hnsw.c` for the limits.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Candidates that are looked at for each new node.
const EF_CONSTRUCTION: usize = 200;
/// The highest level that servers take.
const MAX_LEVEL: usize = 15;
/// A node that would be left with fewer links keeps those that it has.
const FEWEST_LINKS: usize = 2;

/// A node of the graph.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    /// Neighbours on each layer, from the lowest: number and distance.
    pub(crate) layers: Vec<Vec<(u32, f32)>>,
}

/// A distance that can be ordered; the tie is broken by number.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Near(f32, u32);

impl Eq for Near {}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Near {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1))
    }
}

/// The most links that a node has on a layer, for the M of a set.
pub(crate) fn most_links(m: usize, layer: usize) -> usize {
    match layer {
        0 => 2 * m,
        _ => m,
    }
}

/// Builds the graph of vectors of one dimension, which stand behind each other.
pub(crate) fn build(vectors: &[f32], dim: usize, m: usize) -> Vec<Node> {
    let count = vectors.len().checked_div(dim).unwrap_or(0);
    let mut builder = Builder {
        vectors,
        dim,
        m,
        nodes: Vec::with_capacity(count),
        entry: 0,
        visited: vec![0; count],
        round: 0,
    };
    for number in 0..count {
        builder.insert(number as u32);
    }
    builder.nodes
}

/// Each level has a quarter of the nodes of the one below.
fn level_of(number: u32) -> usize {
    // SplitMix64, whose bits are as good as random.
    let mut bits = u64::from(number).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    ((bits.trailing_zeros() / 2) as usize).min(MAX_LEVEL)
}

struct Builder<'v> {
    vectors: &'v [f32],
    dim: usize,
    m: usize,
    nodes: Vec<Node>,
    entry: u32,
    /// In which search a node was seen last.
    visited: Vec<u32>,
    round: u32,
}

impl Builder<'_> {
    fn vector(&self, number: u32) -> &[f32] {
        &self.vectors[number as usize * self.dim..][..self.dim]
    }

    fn distance(&self, a: u32, b: u32) -> f32 {
        let pairs = self.vector(a).iter().zip(self.vector(b));
        1.0 - pairs.map(|(a, b)| a * b).sum::<f32>()
    }

    fn links(&self, number: u32, layer: usize) -> &[(u32, f32)] {
        self.nodes[number as usize]
            .layers
            .get(layer)
            .map_or(&[], Vec::as_slice)
    }

    fn insert(&mut self, number: u32) {
        let level = level_of(number);
        let layers = vec![Vec::new(); level + 1];
        self.nodes.push(Node { layers });
        if number == 0 {
            return;
        }
        let top = self.nodes[self.entry as usize].layers.len() - 1;
        let mut nearest = self.entry;
        for layer in (level + 1..=top).rev() {
            nearest = self.descend(number, nearest, layer);
        }
        for layer in (0..=level.min(top)).rev() {
            let found = self.search(number, nearest, layer);
            if let Some(first) = found.first() {
                nearest = first.1;
            }
            self.connect(number, &found, layer);
        }
        if level > top {
            self.entry = number;
        }
    }

    /// Goes to the nearest node of a layer by steps that each come nearer.
    fn descend(&self, number: u32, from: u32, layer: usize) -> u32 {
        let mut best = Near(self.distance(number, from), from);
        loop {
            let links = self.links(best.1, layer).iter();
            let next = links
                .map(|(other, _)| Near(self.distance(number, *other), *other))
                .min();
            match next {
                Some(next) if next < best => best = next,
                _ => return best.1,
            }
        }
    }

    /// The nearest nodes of a layer that a wide search finds, ascending.
    fn search(&mut self, number: u32, from: u32, layer: usize) -> Vec<Near> {
        self.round += 1;
        self.visited[from as usize] = self.round;
        let first = Near(self.distance(number, from), from);
        let mut candidates = BinaryHeap::from([Reverse(first)]);
        let mut found = BinaryHeap::from([first]);
        while let Some(Reverse(candidate)) = candidates.pop() {
            let worst = found.peek().map_or(f32::INFINITY, |near| near.0);
            if found.len() >= EF_CONSTRUCTION && candidate.0 > worst {
                break;
            }
            for index in 0..self.links(candidate.1, layer).len() {
                let (other, _) = self.links(candidate.1, layer)[index];
                if std::mem::replace(&mut self.visited[other as usize], self.round) == self.round {
                    continue;
                }
                let near = Near(self.distance(number, other), other);
                let worst = found.peek().map_or(f32::INFINITY, |near| near.0);
                if found.len() < EF_CONSTRUCTION || near.0 < worst {
                    candidates.push(Reverse(near));
                    found.push(near);
                    if found.len() > EF_CONSTRUCTION {
                        found.pop();
                    }
                }
            }
        }
        found.into_sorted_vec()
    }

    /// Links a node with some of those that were found near it.
    fn connect(&mut self, number: u32, found: &[Near], layer: usize) {
        // First those that are nearer to it than to any chosen before, so that the links
        // lead into all directions, then the nearest of the others.
        let mut chosen: Vec<Near> = Vec::with_capacity(self.m);
        let mut others = Vec::new();
        for near in found {
            let leads_elsewhere = |other: &Near| self.distance(near.1, other.1) > near.0;
            match chosen.len() < self.m && chosen.iter().all(leads_elsewhere) {
                true => chosen.push(*near),
                false => others.push(*near),
            }
        }
        let mut linked = 0;
        for near in chosen.iter().chain(&others) {
            if linked >= self.m {
                break;
            }
            linked += usize::from(self.link(number, *near, layer, false));
        }
        if linked == 0
            && let Some(near) = found.first()
        {
            self.link(number, *near, layer, true);
        }
    }

    /// Links two nodes, if need be in place of the worst link of the one that was there.
    fn link(&mut self, number: u32, near: Near, layer: usize, must: bool) -> bool {
        let Near(distance, other) = near;
        let most = most_links(self.m, layer);
        if self.links(other, layer).len() >= most {
            let worst = self.links(other, layer).iter().enumerate();
            let worst = worst
                .filter(|(_, (third, _))| must || self.links(*third, layer).len() > FEWEST_LINKS)
                .max_by(|a, b| a.1.1.total_cmp(&b.1.1));
            match worst {
                Some((index, &(third, worst))) if must || worst > distance => {
                    self.nodes[other as usize].layers[layer].swap_remove(index);
                    self.nodes[third as usize].layers[layer].retain(|(back, _)| *back != other);
                }
                _ => return false,
            }
        }
        self.nodes[other as usize].layers[layer].push((number, distance));
        self.nodes[number as usize].layers[layer].push((other, distance));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(count: usize, dim: usize) -> Vec<f32> {
        let mut state = 1u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        let mut all = Vec::new();
        for _ in 0..count {
            let vector: Vec<f32> = (0..dim).map(|_| next()).collect();
            let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
            all.extend(vector.iter().map(|x| x / length));
        }
        all
    }

    #[test]
    fn links_go_both_ways_and_are_not_too_many() {
        for (count, m) in [(1, 16), (2, 4), (400, 4), (400, 16)] {
            let nodes = build(&vectors(count, 8), 8, m);
            assert_eq!(nodes.len(), count);
            for (number, node) in nodes.iter().enumerate() {
                for (layer, links) in node.layers.iter().enumerate() {
                    assert!(links.len() <= most_links(m, layer));
                    assert!(layer > 0 || count == 1 || !links.is_empty());
                    for (index, (other, distance)) in links.iter().enumerate() {
                        assert_ne!(*other as usize, number);
                        assert!(links[..index].iter().all(|(before, _)| before != other));
                        let back = &nodes[*other as usize].layers[layer];
                        assert!(back.contains(&(number as u32, *distance)));
                    }
                }
            }
        }
    }

    #[test]
    fn vectors_that_are_all_the_same_are_linked() {
        let same = [0.5f32, 0.5, 0.5, 0.5].repeat(100);
        let nodes = build(&same, 4, 4);
        assert!(nodes.iter().all(|node| !node.layers[0].is_empty()));
        assert!(build(&[], 0, 16).is_empty());
    }
}
