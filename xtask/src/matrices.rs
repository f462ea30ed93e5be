//! `cargo xtask matrices`: the transforms of an algorithm as they are, with what they cost and how exact they are.

use winoconv::winograd::{F, Nested, Points, Program, error_bound};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Algorithms by label: f4x3, f4x3t (textbook points), f4qx3 (with x^2 + 1); all, if none is named
    labels: Vec<String>,
}

pub(crate) fn verb(options: &Options) -> anyhow::Result<()> {
    let shipped: Vec<F> = F::shipped().iter().chain(F::for_gradients()).copied().collect();
    let known = || shipped.iter().map(|f| f.label()).collect::<Vec<_>>();
    if let Some(unknown) = options.labels.iter().find(|label| !known().contains(label)) {
        anyhow::bail!("there is no {unknown}: expected one of {}", known().join(", "));
    }
    let is_wanted = |f: &&F| options.labels.is_empty() || options.labels.contains(&f.label());
    for &f in shipped.iter().filter(is_wanted) {
        let (transform, programs) = (f.transform()?, f.programs()?);
        let points: Vec<String> = f.points_used()?.iter().map(ToString::to_string).collect();
        let square = Nested::square(f);
        let modulus = if f.points() == Points::Quadratic { ", and the modulus x^2 + 1" } else { "" };
        println!("{f}  ({}): points {}, infinity{modulus}", f.label(), points.join(", "));
        println!(
            "  {} products for {} outputs; squared {:.2} times fewer multiplications, amplification {:.2}, \
             expected error at C = 64 {:.1e}",
            f.products(),
            f.m(),
            square.reduction(),
            error_bound::amplification_2d(square),
            error_bound::expected_error(square, 64),
        );
        for (name, matrix, program) in [
            ("B^T", &transform.b_t, &programs.input),
            ("G", &transform.g, &programs.filter),
            ("A^T", &transform.a_t, &programs.output),
        ] {
            println!("  {name}: {}", cost(program));
            for line in matrix.to_string().lines() {
                println!("    {line}");
            }
        }
        println!();
    }
    Ok(())
}

fn cost(program: &Program) -> String {
    format!(
        "{} additions or fused multiply-adds, {} multiplications, {} roundings deep",
        program.adds_and_fmas(),
        program.scales(),
        program.depth()
    )
}
