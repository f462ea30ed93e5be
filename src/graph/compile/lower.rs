//! From nodes to steps. Transposing, slicing, expanding and reshaping change how a tensor is looked at, and cost nothing where the
//! next step can read it so. Elementwise nodes wait until another kind of node, or more than one, wants their result: then a
//! chain of them is one step.
//!
//! Where channels lie side by side ([`Layout::ChannelsLast`]), convolutions write so, and what follows keeps the order of axes in
//! memory that it finds.

use std::collections::HashMap;
use std::sync::Arc;

use super::simplify::uses;
use super::step::{AxisTaps, BufferId, Place, Step, Window, Work};
use super::stored::Stored;
use crate::graph::format::Element;
use crate::graph::interpret::{axis_taps, padded_index};
use crate::graph::map::{Instruction, Map};
use crate::graph::{BlockOrder, ConvWeights, Dims, Edge, Graph, MAX_DIMS, Node, Op, Resize, Target, Value};
use crate::layout::Layout;

/// Most tensors that one step reads: a device binds at least 8 buffers, of which parameters and output take two.
pub(crate) const MOST_INPUTS: usize = 6;
/// Fewest channels that lie side by side: of fewer, vectors would be mostly empty.
const FEWEST_CHANNELS: usize = 8;

/// What became of a node.
#[derive(Debug, Clone)]
enum State {
    /// Its elements lie somewhere.
    Here(Place),
    /// It is a function of elements that lie somewhere, with its dimensions.
    Waiting(Map, Vec<Place>),
}

impl State {
    fn places(&self) -> &[Place] {
        match self {
            Self::Here(place) => std::slice::from_ref(place),
            Self::Waiting(_, places) => places,
        }
    }

    fn places_mut(&mut self) -> &mut [Place] {
        match self {
            Self::Here(place) => std::slice::from_mut(place),
            Self::Waiting(_, places) => places,
        }
    }
}

/// Steps, with buffers that are not shared yet.
pub(super) struct Lowered {
    pub(super) steps: Vec<Step>,
    /// Elements of each of the program's own buffers.
    pub(super) own: Vec<usize>,
    pub(super) constants: Vec<Arc<[f32]>>,
}

pub(super) fn lowered(graph: &Graph, stored: &Stored) -> Lowered {
    let mut all = Lowering {
        graph,
        stored,
        uses: uses(graph),
        states: Vec::new(),
        out: Lowered { steps: Vec::new(), own: Vec::new(), constants: Vec::new() },
        known: HashMap::new(),
        copies: HashMap::new(),
    };
    for (i, node) in graph.nodes.iter().enumerate() {
        let state = all.lower(i, node);
        all.states.push(state);
        if all.uses[i] > 1 {
            let _ = all.here(Value(i));
        }
    }
    for (i, (name, value)) in graph.outputs.iter().enumerate() {
        all.give(i, name, *value);
    }
    all.out
}

struct Lowering<'a> {
    graph: &'a Graph,
    stored: &'a Stored,
    uses: Vec<usize>,
    states: Vec<State>,
    out: Lowered,
    /// Constants that were placed, by their address.
    known: HashMap<*const f32, usize>,
    /// Copies of tensors that convolutions do not read as they are stored.
    copies: HashMap<Value, Place>,
}

impl Lowering<'_> {
    /// A buffer of the program's own, row-major.
    fn new_place(&mut self, dims: Dims) -> Place {
        self.out.own.push(dims.elements());
        Place::dense(BufferId::Own(self.out.own.len() - 1), dims)
    }

    /// The same for what is made of some tensors: in the order of the first one's axes that is as large, if that may be any.
    fn new_place_like(&mut self, dims: Dims, inputs: &[Place]) -> Place {
        let row_major = self.new_place(dims);
        let is_whole = |place: &&Place| {
            let repeats = (0..place.dims.rank()).any(|axis| place.dims[axis] > 1 && place.strides[axis] == 0);
            place.dims.rank() == dims.rank() && !repeats
        };
        match self.stored.layout {
            Layout::ChannelsFirst => row_major,
            Layout::ChannelsLast => {
                inputs.iter().find(is_whole).map_or(row_major, |like| Place::ordered_as(row_major.buffer, dims, like))
            }
        }
    }

    /// The same for an image.
    fn new_image(&mut self, dims: Dims) -> Place {
        Place { buffer: self.new_place(dims).buffer, ..self.image(dims) }
    }

    /// An image as convolutions write it: channels side by side, where that is the layout.
    fn image(&self, dims: Dims) -> Place {
        let place = Place::dense(BufferId::Own(0), dims);
        if self.stored.layout == Layout::ChannelsFirst || dims.rank() < 3 || dims[1] < FEWEST_CHANNELS {
            return place;
        }
        let mut strides = place.strides;
        let mut step = dims[1].cast_signed();
        for axis in (2..dims.rank()).rev() {
            strides[axis] = step;
            step *= dims[axis].cast_signed();
        }
        strides[1] = 1;
        Place { strides, ..place }
    }

    fn push(&mut self, name: &str, work: Work, inputs: Vec<Place>, output: Place) {
        if output.dims.elements() > 0 {
            self.out.steps.push(Step { name: name.to_owned(), work, inputs, output });
        }
    }

    /// A step with a result of its own.
    fn step(&mut self, node: &Node, work: Work, inputs: Vec<Place>) -> State {
        let output = match work {
            Work::Conv(_) => self.new_image(node.dims),
            Work::MatMul => self.new_place(node.dims),
            Work::Pool(_) if inputs[0].strides[1] == 1 => self.new_image(node.dims),
            Work::Pool(_) => self.new_place(node.dims),
            _ => self.new_place_like(node.dims, &inputs),
        };
        self.push(&node.name, work, inputs, output);
        State::Here(output)
    }

    /// Where a value's elements lie; what waits is computed.
    fn here(&mut self, value: Value) -> Place {
        let (map, inputs) = match &self.states[value.index()] {
            State::Here(place) => return *place,
            State::Waiting(map, inputs) => (map.clone(), inputs.clone()),
        };
        let node = self.graph.node(value);
        let output = self.new_place_like(node.dims, &inputs);
        self.push(&node.name, Work::Map(map), inputs, output);
        self.states[value.index()] = State::Here(output);
        output
    }

    /// The same without gaps, row-major.
    fn dense(&mut self, value: Value) -> Place {
        let place = self.here(value);
        let copy = |all: &mut Self| all.new_place(place.dims);
        self.copied(value, place, Place::is_dense, copy)
    }

    /// A copy, row-major, of the type that the tensors between the steps have. Others read what is there, which is not rounded.
    fn rounded(&mut self, value: Value, place: Place) -> Place {
        if let Some(&copy) = self.copies.get(&value) {
            return copy;
        }
        let copy = self.new_place(place.dims);
        let name = self.graph.node(value).name.clone();
        self.push(&name, Work::Map(Map::load()), vec![place], copy);
        self.copies.insert(value, copy);
        copy
    }

    /// Whether a buffer is of what the tensors between the steps are made of, which convolutions read and write.
    fn is_stored(&self, place: &Place) -> bool {
        self.stored.element(place.buffer) == self.stored.element(BufferId::Own(0))
    }

    /// A convolution of what the tensors between the steps are made of.
    fn as_stored(&self, of: &ConvWeights) -> Arc<ConvWeights> {
        Arc::new(ConvWeights { conv: of.conv.dtype(self.stored.dtype), ..of.clone() })
    }

    /// A place that suits, copied if it does not.
    fn copied(
        &mut self,
        value: Value,
        place: Place,
        suits: impl Fn(&Place) -> bool,
        new: impl Fn(&mut Self) -> Place,
    ) -> Place {
        if suits(&place) {
            return place;
        }
        let copy = new(self);
        let name = self.graph.node(value).name.clone();
        self.push(&name, Work::Map(Map::load()), vec![place], copy);
        self.states[value.index()] = State::Here(copy);
        copy
    }

    fn lower(&mut self, index: usize, node: &Node) -> State {
        let input = |all: &mut Self| all.here(node.inputs[0]);
        match &node.op {
            Op::Input => {
                let position = self.graph.inputs.iter().position(|input| input.index() == index).unwrap_or(0);
                let format = self.stored.formats.inputs[position];
                let place = Place::of_format(format, BufferId::Input(position), node.dims);
                match format.as_pixels() {
                    Some(pixels) => State::Waiting(Map::scaled(pixels.scale()), vec![place]),
                    None => State::Here(place),
                }
            }
            Op::Constant(data) if data.len() == 1 => State::Waiting(Map::number(data[0]), Vec::new()),
            Op::Constant(data) => {
                let next = self.out.constants.len();
                let position = *self.known.entry(data.as_ptr()).or_insert(next);
                if position == next {
                    self.out.constants.push(data.clone());
                }
                State::Here(Place::dense(BufferId::Constant(position), node.dims))
            }
            Op::Unary(_) | Op::Binary(_) | Op::Where => self.elementwise(node),
            Op::Conv(of) => {
                let inputs = self.conv_inputs(node);
                self.step(node, Work::Conv(self.as_stored(of)), inputs)
            }
            Op::Linear(of) => self.linear(node, self.as_stored(of)),
            Op::Pool(pool) => {
                let place = input(self);
                self.step(node, Work::Pool(Window::of(pool)), vec![place])
            }
            Op::Reduce(reduction, _) => {
                let place = input(self);
                self.step(node, Work::Reduce(*reduction), vec![place])
            }
            Op::Normalize { axes, epsilon } => {
                let place = input(self);
                self.step(node, Work::Normalize(axes.clone(), *epsilon), vec![place])
            }
            Op::Softmax { axis, log } => {
                let place = input(self);
                self.step(node, Work::Softmax(*axis, *log), vec![place])
            }
            Op::MatMul => {
                let inputs = node.inputs.iter().map(|&value| self.here(value)).collect();
                self.step(node, Work::MatMul, inputs)
            }
            Op::Resize(resize) => {
                let place = input(self);
                let taps = resize_taps(resize, place.dims, node.dims);
                self.step(node, Work::Resample(taps), vec![place])
            }
            Op::Pad { before, after, edge } => self.pad(node, before, after, *edge),
            Op::Concat(axis) => self.concat(node, *axis),
            Op::Slice(slice) => {
                let place = input(self);
                let step = place.strides[slice.axis];
                let offset = place.offset.wrapping_add_signed(step * slice.start.cast_signed());
                let mut strides = place.strides;
                strides[slice.axis] = step * slice.step;
                State::Here(Place { offset, dims: node.dims, strides, ..place })
            }
            Op::Transpose(order) => {
                let place = input(self);
                let mut strides = [0; MAX_DIMS];
                order.iter().enumerate().for_each(|(axis, &from)| strides[axis] = place.strides[from]);
                State::Here(Place { dims: node.dims, strides, ..place })
            }
            Op::Expand(_) => State::Here(input(self).broadcast(node.dims)),
            Op::Reshape(_) => {
                let place = self.dense(node.inputs[0]);
                State::Here(Place { offset: place.offset, ..Place::dense(place.buffer, node.dims) })
            }
            Op::PixelShuffle { factor, order } => self.shuffle(node, *factor, *order),
            Op::PixelUnshuffle { factor, order } => self.unshuffle(node, *factor, *order),
        }
    }

    /// Joins what the operands wait for, where it stays short enough.
    fn elementwise(&mut self, node: &Node) -> State {
        let mut joined = self.joined(node);
        while joined.1.len() > MOST_INPUTS || joined.0.is_long() {
            // The operand with most to do is computed first.
            let work = |all: &Self, value: Value| match &all.states[value.index()] {
                State::Waiting(map, inputs) => inputs.len() * 64 + map.code.len(),
                State::Here(_) => 0,
            };
            let Some(&most) = node.inputs.iter().max_by_key(|&&value| work(self, value)) else { break };
            if work(self, most) == 0 {
                break;
            }
            let _ = self.here(most);
            joined = self.joined(node);
        }
        State::Waiting(joined.0, joined.1)
    }

    /// A node's program, with those of its operands in it.
    fn joined(&self, node: &Node) -> (Map, Vec<Place>) {
        let mut places: Vec<Place> = Vec::new();
        let mut place_of = |place: Place| {
            let place = place.broadcast(node.dims);
            places.iter().position(|other| *other == place).unwrap_or_else(|| {
                places.push(place);
                places.len() - 1
            })
        };
        let load = Map::load();
        let mut parts = Vec::with_capacity(node.inputs.len());
        for value in &node.inputs {
            match &self.states[value.index()] {
                State::Here(place) => parts.push((&load, vec![place_of(*place)])),
                State::Waiting(map, inputs) => parts.push((map, inputs.iter().map(|&place| place_of(place)).collect())),
            }
        }
        let (map, at) = Map::together(&parts);
        let last = match &node.op {
            Op::Unary(function) => Instruction::Unary(*function, at[0]),
            Op::Binary(function) => Instruction::Binary(*function, at[0], at[1]),
            _ => Instruction::Where(at[0], at[1], at[2]),
        };
        (map.then(last), places)
    }

    /// Input and residual as a convolution's kernels read them: no step backwards, and the residual as the output will lie.
    fn conv_inputs(&mut self, node: &Node) -> Vec<Place> {
        let forward = |place: &Place| {
            let last = place.dims.rank() - 1;
            place.strides().iter().all(|&step| step >= 0)
                && (place.strides[last] == 1 || place.strides[1] == 1 || place.dims[last] == 1)
                // Broadcast elements would be read as if they were many, but views are injective where gradients matter
                // alone.
                && place.strides().iter().zip(place.dims.iter()).all(|(&step, &size)| step > 0 || size == 1)
        };
        let mut inputs = Vec::with_capacity(2);
        for (i, &value) in node.inputs.iter().enumerate() {
            let place = self.here(value);
            let image = |all: &mut Self| all.new_image(place.dims);
            let output = self.image(place.dims);
            inputs.push(if !self.is_stored(&place) {
                self.rounded(value, place)
            } else if i == 0 {
                self.copied(value, place, forward, image)
            } else {
                self.copied(value, place, |place| place.lies_as(&output), image)
            });
        }
        inputs
    }

    /// Rows of the last axis as places of one dimension, channels last.
    fn linear(&mut self, node: &Node, of: Arc<ConvWeights>) -> State {
        let mut inputs = Vec::with_capacity(2);
        for &value in &node.inputs {
            let place = self.here(value);
            inputs.push(if self.is_stored(&place) { self.dense(value) } else { self.rounded(value, place) });
        }
        let output = self.new_place(node.dims);
        let as_rows = |place: Place, columns: usize| {
            let rows = place.dims.elements() / columns.max(1);
            let mut strides = [0; MAX_DIMS];
            strides[..3].copy_from_slice(&[rows * columns, 1, columns].map(usize::cast_signed));
            Place { dims: [1, columns, rows].into(), strides, ..place }
        };
        inputs[0] = as_rows(inputs[0], of.conv.channels);
        if let Some(residual) = inputs.get_mut(1) {
            *residual = as_rows(*residual, of.conv.filters);
        }
        let rows = as_rows(output, of.conv.filters);
        self.push(&node.name, Work::Conv(of), inputs, rows);
        State::Here(output)
    }

    fn pad(&mut self, node: &Node, before: &[isize], after: &[isize], edge: Edge) -> State {
        let value = node.inputs[0];
        let mut place = self.here(value);
        // What is taken away is a slice.
        for axis in 0..node.dims.rank() {
            let [first, last] = [before[axis], after[axis]].map(|size| size.min(0).unsigned_abs());
            place.offset = place.offset.wrapping_add_signed(place.strides[axis] * first.cast_signed());
            place.dims = place.dims.with(axis, place.dims[axis] - first - last);
        }
        if before.iter().chain(after).all(|&size| size <= 0) {
            return State::Here(place);
        }
        if let Edge::Constant(number) = edge {
            return self.pad_with(node, place, before, number);
        }
        let taps = (0..node.dims.rank()).filter(|&axis| before[axis].max(after[axis]) > 0).map(|axis| {
            let at =
                |i: usize| padded_index(i.cast_signed() - before[axis].max(0), place.dims[axis], edge).unwrap_or(0);
            let indices: Vec<u32> = (0..node.dims[axis]).map(|i| u32::try_from(at(i)).unwrap_or(u32::MAX)).collect();
            AxisTaps { axis, count: 1, weights: vec![1.0; indices.len()], indices }
        });
        let taps = taps.collect();
        self.step(node, Work::Resample(taps), vec![place])
    }

    /// A number everywhere, and the tensor in the middle of it.
    fn pad_with(&mut self, node: &Node, place: Place, before: &[isize], number: f32) -> State {
        let output = self.new_place_like(node.dims, &[place]);
        self.push(&node.name, Work::Map(Map::number(number)), Vec::new(), output);
        let first = (0..node.dims.rank()).map(|axis| output.strides[axis] * before[axis].max(0)).sum::<isize>();
        let inner = Place { offset: output.offset.wrapping_add_signed(first), dims: place.dims, ..output };
        self.push(&node.name, Work::Map(Map::load()), vec![place], inner);
        State::Here(output)
    }

    /// Each operand is computed where it belongs, if nothing else depends on where it lies; else it is copied there.
    fn concat(&mut self, node: &Node, axis: usize) -> State {
        let of_first = self.states[node.inputs[0].index()].places().to_vec();
        let output = self.new_place_like(node.dims, &of_first);
        let mut first = 0;
        for &value in &node.inputs {
            let dims = self.graph.dims(value);
            let offset = output.strides[axis].unsigned_abs() * first;
            let part = Place { offset, dims, ..output };
            first += dims[axis];
            match self.states[value.index()].clone() {
                State::Waiting(map, inputs) => {
                    self.push(&self.graph.node(value).name, Work::Map(map), inputs, part);
                    self.states[value.index()] = State::Here(part);
                }
                State::Here(place) if !self.is_shared(node, value, place) && self.moved(place, part) => {}
                State::Here(place) => self.push(&node.name, Work::Map(Map::load()), vec![place], part),
            }
        }
        State::Here(output)
    }

    /// Whether another operand of a concatenation is made of the elements of one, which would be read by the step that writes
    /// beside them.
    fn is_shared(&self, node: &Node, value: Value, place: Place) -> bool {
        let reads =
            |other: &Value| self.states[other.index()].places().iter().any(|there| there.buffer == place.buffer);
        node.inputs.iter().filter(|&&other| other == value).count() > 1
            || node.inputs.iter().filter(|&&other| other != value).any(reads)
    }

    /// Has a tensor that is the whole of a buffer of its own lie elsewhere, for all that write or read parts of it, if they can.
    fn moved(&mut self, from: Place, to: Place) -> bool {
        let BufferId::Own(own) = from.buffer else { return false };
        if from.offset != 0 || !from.is_packed() || from.dims.elements() != self.out.own[own] {
            return false;
        }
        // Another view of the same elements would look at what is no longer there.
        let may = |place: &Place| place.buffer != from.buffer || place.within(&from, &to).is_some();
        let can = |step: &Step| {
            let is_at = |place: &Place| place.buffer == from.buffer;
            let reads = step.inputs.iter().any(is_at);
            // No step reads the buffer that it writes, and a residual lies as the output does.
            let apart = !reads || step.output.buffer != to.buffer;
            let apart = apart && !(is_at(&step.output) && step.reads(to.buffer));
            let apart = apart && (!is_at(&step.output) || step.writes(&to));
            let there = |place: &Place| if is_at(place) { place.within(&from, &to) } else { Some(*place) };
            let is_sum = matches!(step.work, Work::Conv(_)) && step.inputs.len() > 1;
            let sums =
                !is_sum || matches!((there(&step.inputs[1]), there(&step.output)), (Some(a), Some(b)) if a.lies_as(&b));
            apart && sums && may(&step.output) && step.inputs.iter().all(may)
        };
        if !self.out.steps.iter().all(can) || !self.states.iter().flat_map(State::places).all(may) {
            return false;
        }
        self.out.own[own] = 0;
        let of_steps = self.out.steps.iter_mut().flat_map(|step| step.inputs.iter_mut().chain([&mut step.output]));
        for place in of_steps.chain(self.states.iter_mut().flat_map(State::places_mut)) {
            if place.buffer == from.buffer {
                *place = place.within(&from, &to).unwrap_or(*place);
            }
        }
        true
    }

    fn shuffle(&mut self, node: &Node, r: usize, order: BlockOrder) -> State {
        let place = self.here(node.inputs[0]);
        let [n, c, h, w] = [0, 1, 2, 3].map(|axis| place.strides[axis]);
        let size = node.dims;
        let signed = r.cast_signed();
        // Strides of a channel, and of a step down and to the right in a block.
        let [channel, down, right] = match order {
            BlockOrder::ChannelFirst => [c * signed * signed, c * signed, c],
            BlockOrder::PlaceFirst => [c, c * signed * size[1].cast_signed(), c * size[1].cast_signed()],
        };
        let dims = Dims::from([size[0], size[1], size[2] / r.max(1), r, size[3] / r.max(1), r]);
        let steps = [n, channel, h, down, w, right];
        // Blocks of a plane as its rows and columns.
        let output = match place.strides[1] {
            1 => self.new_image(node.dims),
            _ => self.new_place(node.dims),
        };
        let [n, c, h, w] = [0, 1, 2, 3].map(|axis| output.strides[axis]);
        self.rearranged(node, (place, steps), (output, [n, c, h * signed, h, w * signed, w]), dims)
    }

    fn unshuffle(&mut self, node: &Node, r: usize, order: BlockOrder) -> State {
        let place = self.here(node.inputs[0]);
        let [n, c, h, w] = [0, 1, 2, 3].map(|axis| place.strides[axis]);
        let (size, channels, signed) = (node.dims, place.dims[1], r.cast_signed());
        let (dims, strides) = match order {
            BlockOrder::ChannelFirst => {
                ([size[0], channels, r, r, size[2], size[3]], [n, c, h, w, h * signed, w * signed])
            }
            BlockOrder::PlaceFirst => {
                ([size[0], r, r, channels, size[2], size[3]], [n, h, w, c, h * signed, w * signed])
            }
        };
        let dims = Dims::from(dims);
        let output = self.new_place(node.dims);
        let dense = Place::dense(output.buffer, dims).strides;
        self.rearranged(node, (place, strides), (output, [0, 1, 2, 3, 4, 5].map(|axis| dense[axis])), dims)
    }

    /// A copy of elements, where both tensors are looked at as six axes.
    fn rearranged(&mut self, node: &Node, from: (Place, [isize; 6]), to: (Place, [isize; 6]), dims: Dims) -> State {
        let seen = |(place, steps): (Place, [isize; 6])| {
            let mut strides = [0; MAX_DIMS];
            strides[..6].copy_from_slice(&steps);
            Place { dims, strides, ..place }
        };
        self.push(&node.name, Work::Map(Map::load()), vec![seen(from)], seen(to));
        State::Here(to.0)
    }

    /// Has an output in the caller's buffer.
    fn give(&mut self, position: usize, name: &str, value: Value) {
        let dims = self.graph.dims(value);
        let format = self.stored.formats.outputs[position];
        let to = Place::of_format(format, BufferId::Output(position), dims);
        // What shares a word is written together.
        if !matches!(format.element(self.stored.dtype), Element::F32 | Element::F16) {
            let from = self.here(value);
            return self.push(name, Work::Encode(format), vec![from], to);
        }
        match self.states[value.index()].clone() {
            State::Waiting(map, inputs) => {
                self.push(name, Work::Map(map), inputs, to);
                self.states[value.index()] = State::Here(to);
            }
            State::Here(place) => {
                if !self.renamed(place, to) {
                    self.push(name, Work::Map(Map::load()), vec![place], to);
                }
            }
        }
    }

    /// Has a whole buffer of the program's be the caller's.
    fn renamed(&mut self, from: Place, to: Place) -> bool {
        let BufferId::Own(own) = from.buffer else { return false };
        if from.offset != 0 || !from.is_dense() || from.dims.elements() != self.out.own[own] || !self.is_stored(&to) {
            return false;
        }
        self.out.own[own] = 0;
        for step in &mut self.out.steps {
            for place in step.inputs.iter_mut().chain([&mut step.output]).filter(|place| place.buffer == from.buffer) {
                place.buffer = to.buffer;
            }
        }
        // Other views of the same elements.
        let views = self.states.iter_mut().flat_map(State::places_mut);
        views.filter(|place| place.buffer == from.buffer).for_each(|place| place.buffer = to.buffer);
        true
    }
}

fn resize_taps(resize: &Resize, from: Dims, to: Dims) -> Vec<AxisTaps> {
    let given = match &resize.target {
        Target::Size(sizes) => sizes.len(),
        Target::Scale(scales) => scales.len(),
    };
    let first = to.rank() - given;
    let of_axis = |i: usize| {
        let axis = first + i;
        let taps = axis_taps(resize, i, to[axis], from[axis]);
        let all = || taps.iter().flatten();
        let count = taps.first().map_or(1, Vec::len);
        #[expect(clippy::cast_possible_truncation, reason = "indices of tensors, and the rounding")]
        let (indices, weights) = (all().map(|tap| tap.0 as u32).collect(), all().map(|tap| tap.1 as f32).collect());
        AxisTaps { axis, count, indices, weights }
    };
    let keeps =
        |taps: &AxisTaps| taps.count == 1 && from[taps.axis] == to[taps.axis] && taps.indices.iter().copied().eq(0..);
    (0..given).map(of_axis).filter(|taps| !keeps(taps)).collect()
}
