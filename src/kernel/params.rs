//! What a kernel learns at run time: sizes, offsets, positions. Each struct is the one home of its fields:
//! the WGSL struct of the same name is written from it, and the CPU twin reads it as it is.

use bytemuck::{Pod, Zeroable};

/// Declares a uniform struct of 32-bit scalars with its fields' names and WGSL types.
macro_rules! params {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ident,)* }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, Default, PartialEq, Pod, Zeroable)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* }

        impl $name {
            /// Name and WGSL type of each field, in order.
            pub const FIELDS: &'static [(&'static str, &'static str)] = &[$((stringify!($field), stringify!($kind)),)*];
        }

        impl Params for $name {
            const FIELDS: &'static [(&'static str, &'static str)] = Self::FIELDS;
        }
    };
}

/// A kernel's uniform struct: plain 32-bit words.
pub trait Params: Pod {
    /// Name and WGSL type of each field, in order.
    const FIELDS: &'static [(&'static str, &'static str)];

    /// The struct as words, as a plan keeps it.
    fn words(&self) -> Vec<u32> {
        bytemuck::cast_slice(std::slice::from_ref(self)).to_vec()
    }

    /// The struct from a plan's words.
    ///
    /// # Panics
    /// If the number of words is not that of the struct: plans are made by this crate alone.
    fn from_words(words: &[u32]) -> Self {
        *bytemuck::from_bytes(bytemuck::cast_slice(words))
    }
}

params! {
    /// Parameters of `direct`, `implicit_gemm` and `depthwise`. Output positions are counted over images, planes, rows and
    /// columns; those of `depthwise` are strips, counted over images, filters, planes, rows and strips of a row.
    DirectParams {
        /// First output position of this dispatch.
        first: u32,
        /// One past the last output position of this dispatch.
        end: u32,
        /// First filter of this dispatch, of all that have a bias or a slope.
        k_first: u32,
        /// Those filters, from group to group.
        k_group: u32,
        /// Groups.
        groups: u32,
        /// Channels of a group.
        group_c: u32,
        /// Filters of a group.
        group_k: u32,
        /// Planes of the source.
        d: u32,
        /// Rows of the source.
        h: u32,
        /// Columns of the source.
        w: u32,
        /// Planes of outputs.
        out_d: u32,
        /// Rows of outputs.
        out_h: u32,
        /// Columns of outputs.
        out_w: u32,
        /// Taps in depth.
        taps_d: u32,
        /// Taps in height.
        taps_h: u32,
        /// Taps in width.
        taps_w: u32,
        /// Stride in depth.
        stride_d: u32,
        /// Stride in height.
        stride_h: u32,
        /// Stride in width.
        stride_w: u32,
        /// Dilation in depth.
        dilation_d: u32,
        /// Dilation in height.
        dilation_h: u32,
        /// Dilation in width.
        dilation_w: u32,
        /// How far the first output's first tap lies before the source, in depth; negative if within.
        before_d: u32,
        /// How far the first output's first tap lies before the source, in height; negative if within.
        before_h: u32,
        /// How far the first output's first tap lies before the source, in width; negative if within.
        before_w: u32,
        /// From image to image of the source.
        src_n: u32,
        /// From group to group.
        src_g: u32,
        /// From channel to channel.
        src_c: u32,
        /// From plane to plane.
        src_d: u32,
        /// From row to row.
        src_h: u32,
        /// From column to column.
        src_w: u32,
        /// From group to group of the weights.
        weights_g: u32,
        /// From filter to filter.
        weights_k: u32,
        /// From channel to channel.
        weights_c: u32,
        /// From tap to tap in depth.
        weights_d: u32,
        /// From tap to tap in height.
        weights_h: u32,
        /// From tap to tap in width.
        weights_w: u32,
        /// From image to image of the output.
        dst_n: u32,
        /// From group to group.
        dst_g: u32,
        /// From filter to filter.
        dst_k: u32,
        /// From plane to plane.
        dst_d: u32,
        /// From row to row.
        dst_h: u32,
        /// From column to column.
        dst_w: u32,
        /// First element of the source.
        src_offset: u32,
        /// First element of the weights.
        weights_offset: u32,
        /// First element of the output.
        dst_offset: u32,
        /// First element of the bias.
        bias_offset: u32,
        /// First element of the slopes.
        slopes_offset: u32,
        /// First element of the residual.
        residual_offset: u32,
        /// The activation's first number.
        act_a: f32,
        /// The activation's second number.
        act_b: f32,
    }
}

params! {
    /// Parameters of `winograd_filter`.
    FilterParams {
        /// Filters of a group.
        group_k: u32,
        /// Filters of a group, padded: the stride of U's rows.
        k_stride: u32,
        /// Rows of U in a group: channels, taps in depth and phases.
        group_rows: u32,
        /// Rows of U in all groups.
        rows: u32,
        /// Where U begins in each group's sum, in rows of it.
        sum_first: u32,
        /// Taps in depth: each has rows of its own.
        taps_d: u32,
        /// Taps in height.
        taps_h: u32,
        /// Taps in width.
        taps_w: u32,
        /// Phases in height, taps that a stride of outputs keeps apart; or blocks of taps.
        phases_h: u32,
        /// Phases or blocks in width.
        phases_w: u32,
        /// From a phase's or block's first tap to the next one's, in height.
        phase_step_h: u32,
        /// In width.
        phase_step_w: u32,
        /// From tap to tap of a phase or block, in height.
        tap_step_h: u32,
        /// In width.
        tap_step_w: u32,
        /// From group to group of the weights.
        weights_g: u32,
        /// From filter to filter.
        weights_k: u32,
        /// From channel to channel.
        weights_c: u32,
        /// From tap to tap in depth.
        weights_d: u32,
        /// From tap to tap in height.
        weights_h: u32,
        /// From tap to tap in width.
        weights_w: u32,
        /// First element of the weights.
        weights_offset: u32,
    }
}

params! {
    /// Parameters of `winograd_input`.
    InputParams {
        /// First tile of this dispatch.
        first: u32,
        /// Tiles of this dispatch.
        tiles: u32,
        /// Tiles, padded: the stride of V's rows.
        t_stride: u32,
        /// Rows of tiles in a plane.
        tiles_y: u32,
        /// Tiles in a row.
        tiles_x: u32,
        /// 1 where there is one plane of outputs and of taps, and one phase of either; else 0.
        plain: u32,
        /// Planes of outputs in an image.
        out_d: u32,
        /// First row of V of this dispatch.
        row_first: u32,
        /// Rows of V: channels, taps in depth and phases, in all groups.
        rows: u32,
        /// Rows of V in a group.
        group_rows: u32,
        /// Where V begins in each group's sum, in rows of it.
        sum_first: u32,
        /// Taps in depth: each has rows of its own.
        taps_d: u32,
        /// Phases of taps in height, or blocks of them: each has rows of its own.
        phases_h: u32,
        /// Phases or blocks in width.
        phases_w: u32,
        /// From a phase's or block's first tap to the next one's in the source, in height.
        phase_step_h: u32,
        /// In width.
        phase_step_w: u32,
        /// Phases of outputs in height: each has planes of its own.
        spread_h: u32,
        /// Phases of outputs in width.
        spread_w: u32,
        /// From a tile's row to the next, in the source.
        step_h: u32,
        /// From a tile's column to the next.
        step_w: u32,
        /// Stride in depth.
        stride_d: u32,
        /// Dilation in depth.
        dilation_d: u32,
        /// Planes of the source.
        d: u32,
        /// Rows of the source.
        h: u32,
        /// Columns of the source.
        w: u32,
        /// How far the first tile lies before the source, in depth; negative if within.
        before_d: u32,
        /// In height.
        before_h: u32,
        /// In width.
        before_w: u32,
        /// From image to image of the source.
        src_n: u32,
        /// From group to group.
        src_g: u32,
        /// From channel to channel.
        src_c: u32,
        /// From plane to plane.
        src_d: u32,
        /// From row to row.
        src_h: u32,
        /// From column to column.
        src_w: u32,
        /// First element of the source.
        src_offset: u32,
    }
}

params! {
    /// Parameters of `winograd_multiply`: one matrix product for each point and group, and for each part of the channels.
    MultiplyParams {
        /// Input channels of a group: the summed dimension.
        group_c: u32,
        /// Filters of a group.
        group_k: u32,
        /// The stride of U's rows.
        k_stride: u32,
        /// The stride of V's and M's rows.
        t_stride: u32,
        /// Channels of a part, of those that are summed apart.
        part_c: u32,
        /// Points and groups: the products of a part.
        batches: u32,
    }
}

params! {
    /// Parameters of `winograd_output`.
    OutputParams {
        /// First tile of this dispatch.
        first: u32,
        /// Tiles of this dispatch.
        tiles: u32,
        /// The stride of M's rows.
        t_stride: u32,
        /// Rows of tiles in a plane.
        tiles_y: u32,
        /// Tiles in a row.
        tiles_x: u32,
        /// 1 where there is one plane of outputs and one phase of them; else 0.
        plain: u32,
        /// Planes of outputs in an image.
        out_d: u32,
        /// Phases of outputs in height: each has planes of its own.
        spread_h: u32,
        /// Phases of outputs in width.
        spread_w: u32,
        /// First filter of this dispatch.
        k_first: u32,
        /// Filters, K.
        k: u32,
        /// Rows of outputs.
        p: u32,
        /// Columns of outputs.
        q: u32,
        /// Parts of the channels, each with products of its own: they are added up.
        parts: u32,
        /// From image to image of the output.
        dst_n: u32,
        /// From filter to filter.
        dst_k: u32,
        /// From plane to plane.
        dst_d: u32,
        /// From row to row.
        dst_h: u32,
        /// From column to column.
        dst_w: u32,
        /// First element of the output.
        dst_offset: u32,
        /// First element of the bias.
        bias_offset: u32,
        /// First element of the slopes.
        slopes_offset: u32,
        /// First element of the residual.
        residual_offset: u32,
        /// The activation's first number.
        act_a: f32,
        /// The activation's second number.
        act_b: f32,
    }
}

params! {
    /// Parameters of `winograd_fused`, `winograd_fused_output` and `winograd_inlined`.
    FusedParams {
        /// First tile of this dispatch.
        first: u32,
        /// Tiles of this dispatch.
        tiles: u32,
        /// The stride of V's rows; `winograd_fused` has no V.
        t_stride: u32,
        /// Rows of tiles in an image.
        tiles_y: u32,
        /// Tiles in a row.
        tiles_x: u32,
        /// Rows of U and V: channels.
        c: u32,
        /// Rows of the source.
        h: u32,
        /// Columns of the source.
        w: u32,
        /// Rows that the first tile lies before the source; negative if within.
        before_h: u32,
        /// Columns.
        before_w: u32,
        /// Channels of a group.
        group_c: u32,
        /// Filters of a group.
        group_k: u32,
        /// The stride of U's rows.
        k_stride: u32,
        /// Rows of outputs.
        p: u32,
        /// Columns of outputs.
        q: u32,
        /// Blocks of tiles that a workgroup of `winograd_fused` walks.
        walk: u32,
        /// From image to image of the source.
        src_n: u32,
        /// From channel to channel.
        src_c: u32,
        /// From row to row; columns lie side by side.
        src_h: u32,
        /// From image to image of the output.
        dst_n: u32,
        /// From filter to filter.
        dst_k: u32,
        /// From row to row.
        dst_h: u32,
        /// From column to column.
        dst_w: u32,
        /// First element of the source.
        src_offset: u32,
        /// First element of the weights, where they are taken as given.
        weights_offset: u32,
        /// First element of the output.
        dst_offset: u32,
        /// First element of the bias.
        bias_offset: u32,
        /// First element of the slopes.
        slopes_offset: u32,
        /// First element of the residual.
        residual_offset: u32,
        /// The activation's first number.
        act_a: f32,
        /// The activation's second number.
        act_b: f32,
    }
}

params! {
    /// Parameters of `pack_halves`. The output's dimensions are ordered by their steps, the longest first; those of one
    /// element have the longest there is.
    PackParams {
        /// First element of memory of this dispatch, counted from the first output.
        first: u32,
        /// Elements of this dispatch.
        count: u32,
        /// Elements along a dimension.
        size_0: u32,
        /// Elements along a dimension.
        size_1: u32,
        /// Elements along a dimension.
        size_2: u32,
        /// Elements along a dimension.
        size_3: u32,
        /// Elements along a dimension.
        size_4: u32,
        /// From one of them to the next.
        step_0: u32,
        /// From one of them to the next.
        step_1: u32,
        /// From one of them to the next.
        step_2: u32,
        /// From one of them to the next.
        step_3: u32,
        /// From one of them to the next.
        step_4: u32,
        /// This dispatch's first value.
        values_offset: u32,
        /// This dispatch's first half.
        halves_offset: u32,
    }
}

params! {
    /// Parameters of `activation_gradient`. The tensors' dimensions are sorted as those of [`PackParams`].
    ActivationParams {
        /// First element of memory of this dispatch, counted from the tensors' first.
        first: u32,
        /// Elements of this dispatch.
        count: u32,
        /// Elements along a dimension.
        size_0: u32,
        /// Elements along a dimension.
        size_1: u32,
        /// Elements along a dimension.
        size_2: u32,
        /// Elements along a dimension.
        size_3: u32,
        /// Elements along a dimension.
        size_4: u32,
        /// From one of them to the next.
        step_0: u32,
        /// From one of them to the next.
        step_1: u32,
        /// From one of them to the next.
        step_2: u32,
        /// From one of them to the next.
        step_3: u32,
        /// From one of them to the next.
        step_4: u32,
        /// 1 if the dimension is the channels', else 0.
        k_0: u32,
        /// 1 if the dimension is the channels', else 0.
        k_1: u32,
        /// 1 if the dimension is the channels', else 0.
        k_2: u32,
        /// 1 if the dimension is the channels', else 0.
        k_3: u32,
        /// 1 if the dimension is the channels', else 0.
        k_4: u32,
        /// This dispatch's first kept value.
        src_offset: u32,
        /// This dispatch's first gradient.
        weights_offset: u32,
        /// This dispatch's first result.
        dst_offset: u32,
        /// First slope.
        slopes_offset: u32,
        /// The activation's first number.
        act_a: f32,
        /// The activation's second number.
        act_b: f32,
    }
}

params! {
    /// Parameters of `channel_sums`. Positions are counted over the four dimensions that are not the channels'.
    ChannelParams {
        /// Channels of this dispatch.
        channels: u32,
        /// From a channel to the next.
        step_k: u32,
        /// Positions of a channel.
        positions: u32,
        /// Positions of a part.
        part: u32,
        /// Positions along a dimension but the first.
        size_1: u32,
        /// Positions along a dimension.
        size_2: u32,
        /// Positions along a dimension.
        size_3: u32,
        /// From one of them to the next.
        step_0: u32,
        /// From one of them to the next.
        step_1: u32,
        /// From one of them to the next.
        step_2: u32,
        /// From one of them to the next.
        step_3: u32,
        /// From the sums of a part to those of the next.
        dst_part: u32,
        /// The first channel's first value.
        src_offset: u32,
        /// The first channel's first factor.
        weights_offset: u32,
        /// The first channel's first sum.
        dst_offset: u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        let params = OutputParams { first: 1, act_b: -2.5, ..Default::default() };
        assert_eq!(OutputParams::from_words(&params.words()), params, "same bits");
        assert_eq!(params.words().len(), OutputParams::FIELDS.len(), "one word a field");
    }
}
