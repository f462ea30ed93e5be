//! Wisdom as data: its text, its merging, and that a plan follows it only where it holds.

use winoconv::caps::{Caps, DeviceKind, Limits};
use winoconv::error::Error;
use winoconv::plan::wisdom::{Entry, Outdated};
use winoconv::plan::{Choice, Distrust, Ignored, Origin, Reason, Verdict, Wisdom, legal_choices};
use winoconv::{Activation, Conv, Device, Layer, Plan, Preferences, Problem, Tolerance, Weights};

fn problem() -> Problem {
    Conv::new(64, 48, [3, 3]).padding(1).on([1, 64, 28, 30]).expect("legal")
}

fn caps() -> Caps {
    let limits = Limits { max_compute_invocations_per_workgroup: 1024, ..Limits::LARGEST };
    let driver = "driver 1.2".to_owned();
    Caps { name: "GPU, of a name".to_owned(), kind: DeviceKind::DiscreteGpu, driver, limits, ..Caps::webgpu_default() }
}

/// A legal choice that no estimate takes: the last of all.
fn unlikely(preferences: &Preferences) -> Choice {
    legal_choices(&problem(), &caps(), preferences).last().expect("some are legal").choice
}

fn entry(choice: Choice, time_ns: u64) -> Entry {
    Entry::new(&problem(), &caps(), &Preferences::new(), choice, time_ns)
}

fn of_version(version: &str, mut entry: Entry) -> Entry {
    version.clone_into(&mut entry.version);
    entry
}

/// Chosen from other candidates.
fn of_others(mut entry: Entry) -> Entry {
    entry.candidates ^= 1;
    entry
}

fn wisdom(entries: impl IntoIterator<Item = Entry>) -> Wisdom {
    let mut wisdom = Wisdom::new();
    entries.into_iter().for_each(|entry| wisdom.insert(entry));
    wisdom
}

fn plan(caps: &Caps, preferences: &Preferences, wisdom: &Wisdom) -> Plan {
    Plan::with_wisdom(&problem(), caps, preferences, wisdom).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_plan_follows_wisdom_and_says_so() {
    let preferences = Preferences::new();
    let choice = unlikely(&preferences);
    let by_estimate = plan(&caps(), &preferences, &Wisdom::new());
    assert_eq!(*by_estimate.origin(), Origin::Estimate { ignored: None });
    assert_ne!(by_estimate.choice(), choice, "the slowest by estimate");
    let plan = plan(&caps(), &preferences, &wisdom([entry(choice, 41_236)]));
    assert_eq!(plan.choice(), choice);
    assert_eq!(*plan.origin(), Origin::Wisdom { time_ns: 41_236, driver: "driver 1.2".to_owned() });
    assert!(plan.to_string().contains("chosen by wisdom: 41.2 us with driver 1.2"), "{plan}");
    // The rest is as if it had been forced.
    let forced = Plan::new(&problem(), &caps(), &preferences.choice(choice)).expect("legal");
    assert_eq!((plan.dispatches(), plan.workspace()), (forced.dispatches(), forced.workspace()));
    assert_eq!(*forced.origin(), Origin::Demand);
    assert_eq!((plan.candidates()[0].algorithm, &plan.candidates()[0].verdict), (choice.algorithm, &Verdict::Chosen));
    assert_eq!(plan.candidates().len(), by_estimate.candidates().len(), "every algorithm once");
    let of = |plan: &Plan, verdict: Verdict| plan.candidates().iter().filter(|c| c.verdict == verdict).count();
    assert_eq!(of(&plan, Verdict::Chosen), 1, "{plan}");
    assert_eq!(of(&plan, Verdict::Slower), 0, "all are faster by estimate: {plan}");
    let overruled = plan.candidates().iter().find(|c| c.algorithm == by_estimate.algorithm()).expect("judged");
    let own = by_estimate.algorithm() == choice.algorithm;
    assert!(own || overruled.verdict == Verdict::Overruled, "{plan}");
}

/// Bias and activation cost every candidate the same.
#[test]
fn layers_that_are_alike_share_wisdom() {
    let choice = unlikely(&Preferences::new());
    let conv = problem().conv().bias(true).activation(Activation::LeakyRelu { slope: 0.125 });
    let other = conv.on(problem().input_shape()).expect("legal");
    let plan = Plan::with_wisdom(&other, &caps(), &Preferences::new(), &wisdom([entry(choice, 1)])).expect("a plan");
    assert_eq!(plan.choice(), choice);
}

#[test]
fn wisdom_of_something_else_is_not_taken() {
    let preferences = Preferences::new();
    let wisdom = wisdom([entry(unlikely(&preferences), 1)]);
    let taken = |problem: &Problem, caps: &Caps, preferences: &Preferences| {
        let plan = Plan::with_wisdom(problem, caps, preferences, &wisdom).unwrap_or_else(|error| panic!("{error}"));
        matches!(plan.origin(), Origin::Wisdom { .. })
    };
    assert!(taken(&problem(), &caps(), &preferences), "its own");
    let newer = Caps { driver: "driver 2.0".to_owned(), ..caps() };
    assert!(taken(&problem(), &newer, &preferences), "a driver's version is no part of the key");
    let narrow = Limits { max_compute_invocations_per_workgroup: 256, ..caps().limits };
    let little = Limits { max_compute_workgroup_storage_size: 32 << 10, ..caps().limits };
    for other in [
        Caps { name: "GPU".to_owned(), ..caps() },
        Caps { backend: "Vulkan".to_owned(), ..caps() },
        Caps { limits: narrow, ..caps() },
        Caps { limits: little, ..caps() },
    ] {
        assert!(!taken(&problem(), &other, &preferences), "another device: {other}");
    }
    let conv = problem().conv();
    for (conv, shape) in [
        (conv, [2, 64, 28, 30]),
        (conv, [1, 64, 30, 28]),
        (conv.padding(0), [1, 64, 28, 30]),
        (conv.groups(2), [1, 64, 28, 30]),
        (conv.stride([2, 1]), [1, 64, 28, 30]),
        (conv.dilation([1, 2]), [1, 64, 28, 30]),
        (Conv { filters: 52, ..conv }, [1, 64, 28, 30]),
        (Conv { kernel: [1, 3].into(), ..conv }, [1, 64, 28, 30]),
    ] {
        let other = conv.on(shape).expect("legal");
        assert!(!taken(&other, &caps(), &preferences), "another problem: {other}");
    }
    for other in [preferences.tolerance(Tolerance::Any), preferences.workspace_limit(1 << 30)] {
        assert!(!taken(&problem(), &caps(), &other), "other preferences: {other:?}");
    }
    let direct = preferences.algorithm(winoconv::Algorithm::Direct);
    let plan = Plan::with_wisdom(&problem(), &caps(), &direct, &wisdom).expect("a plan");
    assert_eq!((plan.algorithm(), plan.origin()), (winoconv::Algorithm::Direct, &Origin::Demand), "a demand wins");
}

#[test]
fn outdated_wisdom_is_ignored_and_the_plan_says_why() {
    let choice = unlikely(&Preferences::new());
    let version = of_version("0.0.9", entry(choice, 1));
    let candidates = of_others(entry(choice, 1));
    let why = Outdated::Candidates { measured: candidates.candidates, here: entry(choice, 1).candidates };
    for (outdated, why, words) in [
        (version, Outdated::Version("0.0.9".to_owned()), "is of version 0.0.9, this is"),
        (candidates, why, "was chosen from the candidates"),
    ] {
        let plan = plan(&caps(), &Preferences::new(), &wisdom([outdated.clone()]));
        let ignored = Some(Ignored { choice, why: Distrust::Outdated(why) });
        assert_eq!(*plan.origin(), Origin::Estimate { ignored });
        assert_eq!(plan.choice(), self::plan(&caps(), &Preferences::new(), &Wisdom::new()).choice());
        assert!(plan.to_string().contains(words), "{plan}");
    }
}

/// A device carries it, and the account of a run repeats where the choice came from.
#[test]
fn a_layer_takes_its_devices_wisdom() {
    let conv = Conv::new(2, 3, [3, 3]).padding(1);
    let (shape, preferences) = ([1, 2, 9, 9], Preferences::new().tolerance(Tolerance::Any));
    let problem = conv.on(shape).expect("legal");
    let choice = legal_choices(&problem, &Caps::cpu(), &preferences).last().expect("some are legal").choice;
    let wisdom = wisdom([Entry::new(&problem, &Caps::cpu(), &preferences, choice, 7_000)]);
    let run = |device: &Device| {
        let layer = Layer::new_blocking(device, conv, Weights::new(&[1.0; 54]), preferences).expect("a layer");
        layer.run_blocking(shape, &[1.0; 162]).expect("runs").account
    };
    assert_eq!(*Device::cpu().wisdom(), *Wisdom::shipped(), "shipped wisdom is on by default");
    let account = run(&Device::cpu().with_wisdom(wisdom));
    assert_eq!(account.choice, choice);
    assert_eq!(account.origin, Origin::Wisdom { time_ns: 7_000, driver: String::new() });
    assert!(account.to_string().contains("(by wisdom: 7.0 us) on CPU"), "{account}");
    let account = run(&Device::cpu().with_wisdom(Wisdom::new()));
    assert_ne!(account.choice, choice);
    assert!(account.to_string().contains("(by estimate) on CPU"), "{account}");
}

/// A file may say anything: what it says must pass what every candidate passes.
#[test]
fn wisdom_that_may_not_run_is_ignored_and_the_plan_says_why() {
    let preferences = Preferences::new();
    for (label, words) in [
        ("staged:f6x3@64x64x8_8x8/1", "the tolerance allows"),
        ("staged:f2x3@256x256x16_8x8/1", "bytes of workgroup memory"),
        ("staged:f2x3@16x16x16_4x4/64", "split-K has more parts than there are channels"),
        ("fused:f2x5@8x8x8_4x4_4", "the transform is for another filter size"),
    ] {
        let choice = label.parse().unwrap_or_else(|error| panic!("{error}"));
        let plan = plan(&caps(), &preferences, &wisdom([entry(choice, 1)]));
        let Origin::Estimate { ignored: Some(Ignored { choice: named, why: Distrust::Rejected(reason) }) } =
            plan.origin()
        else {
            panic!("{label}: {:?}", plan.origin())
        };
        assert_eq!(*named, choice);
        assert!(reason.to_string().contains(words), "{label}: expected '{words}', got '{reason}'");
        assert!(plan.to_string().contains(words), "{plan}");
    }
    // The same within a smaller workspace.
    let preferences = preferences.workspace_limit(200_000);
    let choice = "staged:f2x3@16x16x16_4x4/4".parse().unwrap_or_else(|error| panic!("{error}"));
    let entry = Entry::new(&problem(), &caps(), &preferences, choice, 1);
    let plan = plan(&caps(), &preferences, &wisdom([entry]));
    let why = match plan.origin() {
        Origin::Estimate { ignored: Some(Ignored { why: Distrust::Rejected(Reason::Limit(error)), .. }) } => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(why.bound, 200_000, "{why}");
}

#[test]
fn a_text_reads_back_and_is_sorted() {
    let choices = legal_choices(&problem(), &caps(), &Preferences::new().tolerance(Tolerance::Any));
    let mut entries = Vec::new();
    for (i, legal) in choices.iter().enumerate() {
        let tolerance = [Tolerance::default(), Tolerance::RelativeL2(3.7e-6), Tolerance::Any][i % 3];
        let limit = 1000 * i as u64;
        let preferences = Preferences::new().tolerance(tolerance).workspace_limit(limit);
        let silent = Caps { driver: String::new(), name: format!("a | of {}", i % 5), ..caps() };
        let of = if i % 2 == 0 { caps() } else { silent };
        entries.push(Entry::new(&problem(), &of, &preferences, legal.choice, 999 + i as u64));
    }
    let all = wisdom(entries.clone());
    assert_eq!(all.entries().len(), choices.len(), "each has a key of its own");
    let text = all.to_string();
    let read = Wisdom::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(read, all);
    assert_eq!(read.to_string(), text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines.len(), choices.len(), "a line each");
    let keys = lines.iter().map(|line| line.split(" | ").take(2).collect::<Vec<_>>());
    assert!(keys.is_sorted(), "{text}");
    // In whatever order they came.
    entries.reverse();
    assert_eq!(wisdom(entries).to_string(), text);
}

#[test]
fn the_better_of_two_stays_and_the_newer_where_they_cannot_be_compared() {
    let [first, second] = ["direct", "staged:f2x3@16x16x16_4x4/1"].map(|l| l.parse::<Choice>().expect("a choice"));
    let kept = |there: Entry, added: Entry| {
        let mut all = wisdom([there]);
        all.merge(wisdom([added]));
        assert_eq!(all.entries().len(), 1);
        all.entries().next().map(|entry| entry.choice)
    };
    assert_eq!(kept(entry(first, 100), entry(second, 99)), Some(second), "faster");
    assert_eq!(kept(entry(first, 100), entry(second, 101)), Some(first), "slower");
    let old = of_version("0.0.9", entry(first, 10));
    assert_eq!(kept(old, entry(second, 100)), Some(second), "of another version");
    let old = of_others(entry(first, 10));
    assert_eq!(kept(old, entry(second, 100)), Some(second), "of other candidates");
    let inserted = wisdom([entry(first, 100), entry(second, 101)]);
    assert_eq!(inserted.entries().map(|entry| entry.choice).collect::<Vec<_>>(), [second], "what is inserted replaces");
    let mut two = wisdom([entry(first, 1)]);
    let elsewhere = Caps { name: "another".to_owned(), ..caps() };
    two.merge(wisdom([Entry::new(&problem(), &elsewhere, &Preferences::new(), second, 1)]));
    assert_eq!(two.entries().len(), 2, "devices lie beside each other");
}

#[test]
fn a_line_that_makes_no_sense_is_named() {
    let good = wisdom([entry("direct".parse().expect("a choice"), 41_236)]).to_string();
    let line = good.lines().last().expect("an entry");
    for (from, to, what) in [
        (" | direct", "", "the line"),
        (", 1024 |", ", many |", "the device"),
        ("; taps=3x3", ", taps=3x3", "the problem"),
        ("error=2xdirect", "error=2", "nothing"),
        ("error=2xdirect", "error=twice", "the problem"),
        (" workspace=", " room=", "the problem"),
        ("| direct |", "| dirct |", "the choice"),
        ("41.236 us", "41.236 ms", "the time"),
        ("41.236 us", "41.23 us", "the time"),
        (winoconv::VERSION, "", "the version and the candidates' hash"),
    ] {
        assert!(line.contains(from), "{from} is not in {line}");
        let text = format!("# a comment\n\n{}\n", line.replace(from, to));
        match Wisdom::parse(&text) {
            Ok(_) => assert_eq!(what, "nothing", "{text}"),
            Err(error) => {
                assert_eq!((error.line, error.what), (3, what), "{error}");
                let words = Error::from(error).to_string();
                assert!(words.starts_with("wisdom, line 3: ") && words.contains("expected"), "{words}");
            }
        }
    }
    let twice = format!("{line}\n{line}\n");
    assert_eq!(Wisdom::parse(&twice).map_err(|error| error.line), Err(2), "the same device and problem twice");
}

/// An outdated file fails no test: it is not believed, and `cargo xtask tidy` says that it is.
#[test]
fn shipped_wisdom_reads() {
    let shipped = Wisdom::shipped();
    for (name, text) in Wisdom::SHIPPED_FILES {
        let file = Wisdom::parse(text).unwrap_or_else(|error| panic!("wisdom/{name}: {error}"));
        assert_eq!(file.to_string(), *text, "wisdom/{name} is as it would be written");
        for entry in file.entries() {
            assert!(shipped.entries().any(|other| other == entry), "wisdom/{name}: {entry:?} is not in the whole");
        }
    }
}
