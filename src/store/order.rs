//! The order of a large sorted set: a weight-balanced tree over the slots of its map.
//!
//! A node is the slot's number; subtree sizes serve as weights and give ranks.
//! Everything is made of two operations that cost O(log n): `split` at a rank and
//! `join` around a node (Blelloch, Ferizovic, Sun: "Just Join for Parallel Ordered
//! Sets", 2016). 12 bytes per slot.

use std::ops::Range;

const NIL: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Node {
    left: u32,
    right: u32,
    size: u32,
}

const LONE: Node = Node {
    left: NIL,
    right: NIL,
    size: 1,
};

/// Slots in order.
#[derive(Clone, Debug)]
pub(super) struct Order {
    nodes: Vec<Node>,
    root: u32,
}

impl Order {
    /// Builds a balanced tree from slots in order; all are below `slots`.
    pub(super) fn build(sorted: &[u32], slots: usize) -> Self {
        let mut order = Order {
            nodes: vec![LONE; slots],
            root: NIL,
        };
        order.root = order.build_range(sorted);
        order
    }

    fn build_range(&mut self, sorted: &[u32]) -> u32 {
        let middle = sorted.len() / 2;
        let Some(&root) = sorted.get(middle) else {
            return NIL;
        };
        let left = self.build_range(&sorted[..middle]);
        let right = self.build_range(&sorted[middle + 1..]);
        self.node(left, root, right)
    }

    pub(super) fn len(&self) -> usize {
        self.size(self.root) as usize
    }

    fn size(&self, tree: u32) -> u32 {
        self.nodes.get(tree as usize).map_or(0, |node| node.size)
    }

    fn children(&self, tree: u32) -> (u32, u32) {
        self.nodes
            .get(tree as usize)
            .map_or((NIL, NIL), |node| (node.left, node.right))
    }

    fn node(&mut self, left: u32, root: u32, right: u32) -> u32 {
        let size = self.size(left) + self.size(right) + 1;
        if let Some(node) = self.nodes.get_mut(root as usize) {
            *node = Node { left, right, size };
        }
        root
    }

    /// Whether two trees of these sizes may be brothers: neither below 29 percent of the weight.
    fn balanced(a: u32, b: u32) -> bool {
        let (a, b) = (u64::from(a) + 1, u64::from(b) + 1);
        a.min(b) * 100 >= (a + b) * 29
    }

    fn rotate_left(&mut self, tree: u32) -> u32 {
        let (left, right) = self.children(tree);
        let (inner, outer) = self.children(right);
        let left = self.node(left, tree, inner);
        self.node(left, right, outer)
    }

    fn rotate_right(&mut self, tree: u32) -> u32 {
        let (left, right) = self.children(tree);
        let (outer, inner) = self.children(left);
        let right = self.node(inner, tree, right);
        self.node(outer, left, right)
    }

    /// One tree of all in `left`, then `middle`, then all in `right`.
    fn join(&mut self, left: u32, middle: u32, right: u32) -> u32 {
        let (a, b) = (self.size(left), self.size(right));
        if Self::balanced(a, b) {
            self.node(left, middle, right)
        } else if a > b {
            self.join_right(left, middle, right)
        } else {
            self.join_left(left, middle, right)
        }
    }

    fn join_right(&mut self, left: u32, middle: u32, right: u32) -> u32 {
        if Self::balanced(self.size(left), self.size(right)) {
            return self.node(left, middle, right);
        }
        let (outer, inner) = self.children(left);
        let joined = self.join_right(inner, middle, right);
        let (near, far) = self.children(joined);
        let (outer_size, near_size) = (self.size(outer), self.size(near));
        if Self::balanced(outer_size, self.size(joined)) {
            self.node(outer, left, joined)
        } else if Self::balanced(outer_size, near_size)
            && Self::balanced(outer_size + near_size + 1, self.size(far))
        {
            let tree = self.node(outer, left, joined);
            self.rotate_left(tree)
        } else {
            let joined = self.rotate_right(joined);
            let tree = self.node(outer, left, joined);
            self.rotate_left(tree)
        }
    }

    fn join_left(&mut self, left: u32, middle: u32, right: u32) -> u32 {
        if Self::balanced(self.size(left), self.size(right)) {
            return self.node(left, middle, right);
        }
        let (inner, outer) = self.children(right);
        let joined = self.join_left(left, middle, inner);
        let (far, near) = self.children(joined);
        let (outer_size, near_size) = (self.size(outer), self.size(near));
        if Self::balanced(outer_size, self.size(joined)) {
            self.node(joined, right, outer)
        } else if Self::balanced(outer_size, near_size)
            && Self::balanced(outer_size + near_size + 1, self.size(far))
        {
            let tree = self.node(joined, right, outer);
            self.rotate_right(tree)
        } else {
            let joined = self.rotate_left(joined);
            let tree = self.node(joined, right, outer);
            self.rotate_right(tree)
        }
    }

    fn join_two(&mut self, left: u32, right: u32) -> u32 {
        match self.size(left) {
            0 => right,
            size => {
                let (rest, last) = self.split(left, size - 1);
                self.join(rest, last, right)
            }
        }
    }

    /// The first `rank` slots of a tree, and the others.
    fn split(&mut self, tree: u32, rank: u32) -> (u32, u32) {
        if tree == NIL {
            return (NIL, NIL);
        }
        let (left, right) = self.children(tree);
        let before = self.size(left);
        if rank <= before {
            let (first, rest) = self.split(left, rank);
            (first, self.join(rest, tree, right))
        } else {
            let (first, rest) = self.split(right, rank - before - 1);
            (self.join(left, tree, first), rest)
        }
    }

    /// Number of slots from the start for which `before` holds.
    pub(super) fn partition(&self, mut before: impl FnMut(u32) -> bool) -> usize {
        let mut rank = 0;
        let mut tree = self.root;
        while tree != NIL {
            let (left, right) = self.children(tree);
            if before(tree) {
                rank += self.size(left) as usize + 1;
                tree = right;
            } else {
                tree = left;
            }
        }
        rank
    }

    /// Inserts a slot that is not in the tree, as the one of that rank.
    pub(super) fn insert(&mut self, slot: u32, rank: usize) {
        if self.nodes.len() <= slot as usize {
            self.nodes.resize(slot as usize + 1, LONE);
        }
        let (left, right) = self.split(self.root, rank as u32);
        self.root = self.join(left, slot, right);
    }

    /// Removes the slots of these ranks.
    pub(super) fn remove(&mut self, ranks: Range<usize>) {
        let (rest, right) = self.split(self.root, ranks.end.min(self.len()) as u32);
        let (left, _) = self.split(rest, ranks.start as u32);
        self.root = self.join_two(left, right);
    }

    /// The slots of these ranks, in order.
    pub(super) fn range(&self, ranks: Range<usize>) -> Vec<u32> {
        let end = ranks.end.min(self.len());
        let mut slots = Vec::with_capacity(end.saturating_sub(ranks.start));
        self.collect(self.root, ranks.start..end, &mut slots);
        slots
    }

    fn collect(&self, tree: u32, ranks: Range<usize>, slots: &mut Vec<u32>) {
        if tree == NIL || ranks.is_empty() {
            return;
        }
        let (left, right) = self.children(tree);
        let before = self.size(left) as usize;
        self.collect(left, ranks.start.min(before)..ranks.end.min(before), slots);
        if ranks.contains(&before) {
            slots.push(tree);
        }
        let after = before + 1;
        let rest = ranks.start.saturating_sub(after)..ranks.end.saturating_sub(after);
        self.collect(right, rest, slots);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(order: &Order, tree: u32) -> u32 {
        if tree == NIL {
            return 0;
        }
        let (left, right) = order.children(tree);
        let (a, b) = (check(order, left), check(order, right));
        assert!(Order::balanced(a, b), "{a} beside {b}");
        assert_eq!(order.size(tree), a + b + 1);
        a + b + 1
    }

    proptest! {
        #[test]
        fn order_equals_model(start in 0usize..300, ops in proptest::collection::vec((0u8..5, any::<u16>(), 0usize..9), 0..200)) {
            let mut model: Vec<u32> = (0..start as u32).collect();
            let mut order = Order::build(&model, start);
            for (next, (op, at, count)) in (start as u32..).zip(ops) {
                let at = usize::from(at) % (model.len() + 1);
                if op < 3 {
                    model.insert(at, next);
                    order.insert(next, at);
                } else {
                    let end = (at + count * count).min(model.len());
                    prop_assert_eq!(order.range(at..end), model[at..end].to_vec());
                    model.drain(at..end);
                    order.remove(at..end);
                }
                check(&order, order.root);
                prop_assert_eq!(order.range(0..usize::MAX), model.clone());
            }
        }
    }
}
