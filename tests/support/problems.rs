//! The problems of the conformance suite, by name: every edge that a kernel, a plan or an index could get wrong.

use winoconv::plan::{Reason, Verdict};
use winoconv::{Activation, Algorithm, Conv, Device, Padding, Preferences, Problem, Tolerance};

/// The problem that is there because the fused kernels' workgroups walk several blocks of it on a software adapter, the
/// last one fewer than the others.
pub(crate) const BLOCKS_WALKED: &str = "20 -> 5, blocks walked";

/// A problem of the suite.
pub(crate) struct Entry {
    /// What is special about it.
    pub(crate) name: &'static str,
    /// The operator.
    pub(crate) conv: Conv,
    /// `[N, C, H, W]`
    pub(crate) shape: [usize; 4],
    /// Whether the workspace is limited so that the work is cut into chunks.
    pub(crate) chunked: bool,
    /// How many algorithms it is run with; the rest of the suite has the others.
    pub(crate) algorithms: Algorithms,
}

/// How much of the list of algorithms a problem takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithms {
    /// Each one that applies.
    All,
    /// `direct` and so many others, other ones for each problem.
    Some(usize),
}

fn padding(top: usize, bottom: usize, left: usize, right: usize) -> Padding {
    Padding::sides([top, left], [bottom, right])
}

/// The table. `n, [h, w]` is the input's size, its channels are the operator's.
pub(crate) fn all() -> Vec<Entry> {
    let mut all = Vec::new();
    let mut add = |name, conv: Conv, n, [h, w]: [usize; 2], algorithms| {
        all.push(Entry { name, conv, shape: [n, conv.channels, h, w], chunked: false, algorithms });
    };
    let three = |c, k| Conv::new(c, k, [3, 3]);
    let (every, some) = (Algorithms::All, Algorithms::Some(3));

    // Sizes of the output: multiples of tiles, one short, one over, smaller than any tile.
    add("24 x 24, whole tiles of most algorithms", three(4, 8).padding(1), 1, [24, 24], every);
    add("23 x 25, ragged on both sides", three(5, 3).padding(1), 2, [23, 25], every);
    add("1 x 1 output", three(3, 5), 1, [3, 3], every);
    add("1 x 1 input with padding", three(2, 2).padding(1), 3, [1, 1], some);
    add("2 x 3, smaller than a tile", three(3, 4).padding(1), 1, [2, 3], some);
    add("1 row", three(4, 4).padding(1), 2, [1, 37], some);
    add("1 column", three(4, 4).padding(1), 2, [37, 1], some);

    // Padding.
    add("no padding", three(3, 4), 1, [11, 14], some);
    add("padding 2", three(3, 4).padding(2), 1, [9, 10], some);
    add("padding above alone", three(3, 4).padding(padding(2, 0, 0, 0)), 1, [8, 9], some);
    add("padding below alone", three(3, 4).padding(padding(0, 2, 0, 0)), 1, [8, 9], some);
    add("padding left alone", three(3, 4).padding(padding(0, 0, 2, 0)), 1, [8, 9], some);
    add("padding right alone", three(3, 4).padding(padding(0, 0, 0, 2)), 1, [8, 9], some);
    add("four paddings", three(2, 3).padding(padding(1, 2, 3, 0)), 2, [7, 6], every);
    add("padding larger than the filter", three(2, 3).padding(padding(5, 4, 4, 7)), 1, [5, 6], some);

    // Channels and filters around vectors and blocks.
    for (i, (c, k)) in [(1, 1), (1, 17), (3, 5), (5, 1), (17, 33), (33, 65), (65, 17), (8, 129)].into_iter().enumerate()
    {
        let name = ["1 -> 1", "1 -> 17", "3 -> 5", "5 -> 1", "17 -> 33", "33 -> 65", "65 -> 17", "8 -> 129"][i];
        add(name, three(c, k).padding(1), 1, [9, 7], some);
    }
    add("64 -> 64, many tiles", three(64, 64).padding(1), 1, [20, 26], Algorithms::Some(2));
    add(BLOCKS_WALKED, three(20, 5).padding(1), 2, [95, 131], Algorithms::Some(6));
    add("an empty batch", three(3, 4).padding(1), 0, [8, 8], every);

    // Groups.
    add("2 groups", three(6, 10).groups(2).padding(1), 2, [9, 9], every);
    add("depthwise", three(5, 5).groups(5).padding(1), 2, [8, 11], some);
    add("depthwise, 3 filters a channel", three(3, 9).groups(3).padding(1), 1, [8, 11], some);
    add("3 groups of 17 filters", three(9, 51).groups(3).padding(1), 1, [7, 7], some);

    // Other filters.
    add("5 x 5", Conv::new(3, 5, [5, 5]).padding(2), 2, [13, 11], every);
    add("5 x 5, no padding, groups", Conv::new(4, 6, [5, 5]).groups(2), 1, [9, 16], every);
    add("7 x 7", Conv::new(3, 4, [7, 7]).padding(3), 1, [15, 13], every);
    add("7 x 7, 1 x 1 output", Conv::new(2, 3, [7, 7]), 2, [7, 7], every);
    add("1 x 3", Conv::new(4, 5, [1, 3]).padding(padding(0, 0, 1, 1)), 1, [6, 13], every);
    add("3 x 1", Conv::new(4, 5, [3, 1]).padding(padding(1, 1, 0, 0)), 1, [13, 6], every);
    add("5 x 1, padded", Conv::new(3, 4, [5, 1]).padding(2), 1, [9, 5], some);
    add("3 x 5", Conv::new(3, 4, [3, 5]).padding(padding(1, 1, 2, 2)), 1, [9, 11], some);
    add("1 x 1", Conv::new(17, 9, [1, 1]), 3, [7, 5], every);
    add("2 x 2", Conv::new(3, 4, [2, 2]).padding(padding(0, 1, 0, 1)), 1, [8, 8], every);
    add("4 x 3", Conv::new(3, 4, [4, 3]).padding(1), 1, [8, 8], every);

    // What `direct` alone does.
    add("stride 2", three(3, 9).stride([2, 2]).padding(1), 2, [12, 13], every);
    add("stride 3 x 1", three(3, 4).stride([3, 1]), 1, [12, 9], every);
    add("dilation 2", three(3, 4).dilation([2, 2]).padding(2), 1, [11, 9], every);
    add("dilation 1 x 3, stride 2 x 1", three(4, 2).dilation([1, 3]).stride([2, 1]).padding(3), 1, [9, 12], every);
    add("stride past the input", three(2, 2).stride([9, 9]), 1, [5, 5], every);
    add("groups, stride, dilation", three(6, 4).groups(2).stride([2, 2]).dilation([2, 1]).padding(1), 2, [9, 9], every);

    // Activations, with bias and without.
    for activation in Activation::ALL {
        let conv = three(3, 6).padding(1).activation(activation);
        add(activation.name(), conv, 1, [7, 9], Algorithms::Some(1));
        add(activation.name(), conv.bias(true), 2, [6, 5], Algorithms::Some(1));
    }

    let mut chunk = |name, conv: Conv, n, [h, w]: [usize; 2], algorithms| {
        all.push(Entry { name, conv, shape: [n, conv.channels, h, w], chunked: true, algorithms });
    };
    chunk("chunks", three(3, 5).padding(1).bias(true), 3, [33, 31], every);
    chunk("chunks of groups", three(6, 4).groups(2).padding(padding(0, 1, 2, 1)), 2, [35, 34], some);
    chunk("chunks of 1 x 3", Conv::new(2, 3, [1, 3]), 2, [9, 70], some);
    chunk("chunks of 5 x 5", Conv::new(2, 3, [5, 5]).padding(2), 3, [24, 26], some);
    all
}

/// An algorithm by demand, whatever its error.
pub(crate) fn forced(algorithm: Algorithm) -> Preferences {
    Preferences::new().tolerance(Tolerance::Any).algorithm(algorithm)
}

/// The algorithms that the planner does not refuse as inapplicable.
pub(crate) fn legal(problem: &Problem, device: &Device) -> Vec<Algorithm> {
    let plan = problem.plan(device, &Preferences::new().tolerance(Tolerance::Any));
    let plan = plan.unwrap_or_else(|error| panic!("{problem}: {error}"));
    let out = |verdict: &Verdict| matches!(verdict, Verdict::Rejected(Reason::Inapplicable(_)));
    plan.candidates().iter().filter(|candidate| !out(&candidate.verdict)).map(|candidate| candidate.algorithm).collect()
}

/// Of the legal algorithms one of each kind: what only depends on a kind's kernels is the same with another transform.
pub(crate) fn one_of_each_kind(problem: &Problem, device: &Device) -> Vec<Algorithm> {
    let mut kinds = Vec::new();
    let mut chosen = legal(problem, device);
    chosen.retain(|algorithm| {
        let kind = std::mem::discriminant(algorithm);
        let new = !kinds.contains(&kind);
        kinds.push(kind);
        new
    });
    chosen
}
