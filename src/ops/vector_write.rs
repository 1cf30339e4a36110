//! Vector sets of a keyspace as the items of their module; the layout is on the page of
//! [`crate::rdb::vectorset`]. A log says nothing of the graph, so one is built.

use crate::model::sink::ModuleField;
use crate::model::vectorset::Quantization;
use crate::rdb::Target;
use crate::rdb::hnsw::{self, Node};
use crate::rdb::vectorset::{DEFAULT_M, FLAG_ATTRIBUTES, FLAG_PROJECTION};
use crate::store::VectorSet;

/// The items of a set, with a graph of its vectors.
pub(crate) fn items(set: &VectorSet<'_>, target: &Target) -> Vec<ModuleField> {
    let m = match set.m {
        0 => DEFAULT_M,
        m => m,
    };
    let has_attributes = set
        .elements
        .iter()
        .any(|(_, vector)| vector.attributes.is_some());
    let mut flags = 0;
    if set.projection.is_some() {
        flags |= FLAG_PROJECTION;
    }
    if has_attributes {
        flags |= FLAG_ATTRIBUTES;
    }
    let quantization = match set.quantization {
        Quantization::F32 => 0,
        Quantization::Int8 => 1,
        Quantization::Binary => 2,
    };
    let mut items = vec![
        ModuleField::Uint(u64::from(set.dim)),
        ModuleField::Uint(set.elements.len() as u64),
        ModuleField::Uint(u64::from(m) << 8 | quantization),
        ModuleField::Uint(flags),
    ];
    if let Some(projection) = &set.projection {
        let rows = (0..set.dim).flat_map(|row| projection.row(row));
        items.push(ModuleField::Uint(u64::from(projection.input_dim)));
        items.push(ModuleField::String(
            rows.flat_map(f32::to_le_bytes).collect(),
        ));
    }
    let nodes = hnsw::build(&components(set), set.dim as usize, m as usize);
    // From 8.2 on nodes say which of their links is the worst.
    let version = u64::from(target.says_worst_links());
    let numbered = set.elements.iter().zip(&nodes).enumerate();
    for (number, ((name, vector), node)) in numbered {
        items.push(ModuleField::String(name.to_vec()));
        if has_attributes {
            let text = vector.attributes.as_ref();
            items.push(ModuleField::String(
                text.map(|text| text.to_vec()).unwrap_or_default(),
            ));
        }
        items.push(ModuleField::String(vector.data.to_vec()));
        let mut parameters = parameters(number as u64, node, m as usize, version);
        let range = u64::from(vector.range.to_bits());
        parameters.push(range << 32 | u64::from(vector.l2_norm.to_bits()));
        items.push(ModuleField::Uint(parameters.len() as u64));
        items.extend(parameters.into_iter().map(ModuleField::Uint));
    }
    items
}

/// What is stored of a node, up to its vector's length. Ids begin with 1.
fn parameters(number: u64, node: &Node, m: usize, version: u64) -> Vec<u64> {
    let level = node.layers.len() as u64 - 1;
    let mut parameters = vec![number + 1, level | version << 24];
    for (layer, links) in node.layers.iter().enumerate() {
        parameters.push(links.len() as u64);
        parameters.push(hnsw::most_links(m, layer) as u64);
        parameters.extend(links.iter().map(|(other, _)| u64::from(*other) + 1));
        if version > 0 {
            let worst = links
                .iter()
                .enumerate()
                .max_by(|a, b| a.1.1.total_cmp(&b.1.1));
            let (index, distance) = worst.map_or((0, 0.0), |(index, link)| (index, link.1));
            parameters.push(u64::from(distance.to_bits()) << 32 | index as u64);
        }
    }
    parameters
}

/// The vectors as numbers, so that their products tell how near they are.
fn components(set: &VectorSet<'_>) -> Vec<f32> {
    let dim = set.dim as usize;
    let mut all = Vec::with_capacity(set.elements.len().saturating_mul(dim));
    for (_, vector) in set.elements.iter() {
        let scale = match set.quantization {
            Quantization::F32 => 1.0,
            Quantization::Int8 => vector.range / 127.0,
            // All signs alike make a product of 1.
            Quantization::Binary => 1.0 / (set.dim as f32).sqrt(),
        };
        let stored = set.quantization.components(&vector.data, set.dim);
        all.extend(stored.map(|x| x as f32 * scale));
    }
    all
}
