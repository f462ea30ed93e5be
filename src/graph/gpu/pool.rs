//! Pooling: an invocation for each output.

use super::job::Job;
use super::text::{LARGEST, Writer};
use crate::graph::PoolKind;
use crate::graph::compile::Stored;
use crate::graph::compile::{Place, Window};

pub(super) fn job(of: &Window, stored: &Stored, source: &Place, to: &Place) -> Job {
    let axes = to.dims.rank() - 2;
    let is_max = of.kind == PoolKind::Max;
    let mut writer = Writer::new(if is_max { "max_pool" } else { "avg_pool" }, stored);
    let input = writer.read(source);
    let out = writer.write(to);
    if is_max {
        writer.functions(crate::wgsl::part("keep_nan").unwrap_or_default());
    }
    let workgroups = writer.begin_elements(to.dims.elements());
    let indices = writer.indices("i", "index", &to.dims);
    writer.line(&if is_max { format!("var best = -{LARGEST};") } else { "var best = 0.0;".to_owned() });
    writer.line("var inside = 0u;");
    if is_max {
        writer.line("var any = false;");
    }
    let counts_padding = of.kind == PoolKind::Average { counts_padding: true };
    let mut places = indices[..2].to_vec();
    let mut counted = Vec::new();
    if counts_padding {
        for axis in 0..axes {
            let own = 3 - axes + axis;
            let [kernel, stride, dilation] =
                [of.kernel[own], of.stride[own], of.dilation[own]].map(|size| writer.size(size));
            // Taps before the end of the padding.
            let end = writer.size(source.dims[axis + 2] + of.before[own] + of.after[own]);
            let left = format!("({end} - {} * {stride} + {dilation} - 1u) / {dilation}", indices[axis + 2]);
            writer.line(&format!("let counted{axis} = min({kernel}, {left});"));
            counted.push(format!("counted{axis}"));
        }
    }
    for axis in 0..axes {
        let own = 3 - axes + axis;
        let [kernel, stride, dilation, before] =
            [of.kernel[own], of.stride[own], of.dilation[own], of.before[own]].map(|size| writer.size(size));
        let size = writer.size(source.dims[axis + 2]);
        writer.line(&format!("for (var t{axis} = 0u; t{axis} < {kernel}; t{axis}++) {{"));
        writer.line(&format!("let y{axis} = {} * {stride} + t{axis} * {dilation} - {before};", indices[axis + 2]));
        writer.line(&format!("if (y{axis} < {size}) {{"));
        places.push(format!("y{axis}"));
    }
    let value = input.load(&input.at(&places));
    if is_max {
        writer.line(&format!("let value = {value};"));
        writer.line("best = select(keep_nan(keep_nan(max(best, value), best), value), value, !any);");
        writer.line("any = true;");
    } else {
        writer.line(&format!("best += {value};"));
    }
    writer.line("inside += 1u;");
    (0..axes).for_each(|_| writer.line("} }"));
    let at = out.at(&indices);
    if is_max {
        writer.line(&out.store(&at, "best"));
    } else {
        let count = if counts_padding { counted.join(" * ") } else { "inside".to_owned() };
        writer.line(&out.store(&at, &format!("best / f32({count})")));
    }
    writer.finish(to, workgroups)
}
