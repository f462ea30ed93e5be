//! `cargo xtask soak`: random problems of all sorts, long-lived layers at random sizes, thread pools and devices that are made
//! and dropped, futures that are dropped half-way, for as long as one likes. Results are verified; at the end memory must be
//! flat. What an iteration does follows from the seed and its number.

mod memory;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, anyhow};

use self::memory::Memory;
use self::world::World;

const SAMPLE: Duration = Duration::from_secs(1);
const LINE: Duration = Duration::from_secs(60);
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// How long
    #[arg(long, default_value_t = 20.0)]
    pub(crate) minutes: f64,
    /// What is random follows from this number [default: the time]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Do this iteration alone
    #[arg(long, requires = "seed")]
    pub(crate) iteration: Option<u64>,
    /// Part of an adapter's name [default: a software adapter]
    #[arg(long)]
    pub(crate) adapter: Option<String>,
    /// Without a GPU
    #[arg(long, conflicts_with = "adapter")]
    pub(crate) no_gpu: bool,
}

pub(crate) fn verb(options: &Options) -> anyhow::Result<()> {
    let now = || SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_secs());
    let seed = options.seed.unwrap_or_else(now);
    println!("seed {seed}: the same run is `cargo xtask soak --seed {seed}`, one iteration alone with `--iteration N`");
    let mut world = World::new(seed, options.adapter.as_deref(), options.no_gpu)?;
    println!("devices: {}", world.devices());
    if let Some(iteration) = options.iteration {
        println!("iteration {iteration}: {}", step(&mut world, seed, iteration)?);
        return Ok(());
    }
    let (start, length) = (Instant::now(), Duration::from_secs_f64(60.0 * options.minutes));
    let (mut memory, mut counts) = (Memory::new(length), BTreeMap::<&str, u64>::new());
    let (mut sampled, mut lines) = (Duration::ZERO, 0);
    for iteration in 0.. {
        let elapsed = start.elapsed();
        if elapsed >= sampled {
            memory.sample(elapsed);
            sampled = elapsed + SAMPLE;
        }
        if elapsed >= LINE * (lines + 1) || elapsed >= length {
            lines += 1;
            let all: Vec<_> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
            println!(
                "{:5.1} min: {iteration} iterations ({}), {}, {} live layers",
                elapsed.as_secs_f64() / 60.0,
                all.join(", "),
                memory.now(),
                world.layers()
            );
        }
        if elapsed >= length {
            break;
        }
        *counts.entry(step(&mut world, seed, iteration)?).or_default() += 1;
    }
    println!("{}", memory.judge()?);
    Ok(())
}

/// One iteration: what it did. A panic is an error as any other.
fn step(world: &mut World, seed: u64, iteration: u64) -> anyhow::Result<&'static str> {
    let result = catch_unwind(AssertUnwindSafe(|| world.step(iteration)));
    let result = result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(anyhow!("a panic: {}", text.unwrap_or("without a word")))
    });
    result.with_context(|| {
        format!("iteration {iteration} of seed {seed}; alone: `cargo xtask soak --seed {seed} --iteration {iteration}`")
    })
}
