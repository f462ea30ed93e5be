//! What a verb may install on the machine, and only with the package manager of Debian and Ubuntu: a software Vulkan driver
//! where no adapter was found (the caller looks for one; this file knows nothing of GPUs), a software OpenGL ES where Dawn finds
//! none, the SPIR-V validator, and a browser. Everything it does is printed first, and every way it can end is a value.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Mesa's drivers (lavapipe is one of them) and the loader that finds them.
const VULKAN_PACKAGES: &[&str] = &["mesa-vulkan-drivers", "libvulkan1"];
/// Mesa's OpenGL ES without a window, and the name by which Dawn opens it (`libEGL.so`, which the package for builds has).
const GL_PACKAGES: &[&str] = &["libgl1-mesa-dri", "libegl-dev"];
/// Tools by the name of their program.
const TOOLS: &[Tool] = &[
    Tool {
        program: "spirv-val",
        package: "spirv-tools",
        macos: "`spirv-val` is part of Homebrew's spirv-tools and of the Vulkan SDK",
        macos_command: "brew install spirv-tools",
        windows: "`spirv-val` is part of the Vulkan SDK",
    },
    Tool {
        program: "chromium",
        package: "chromium",
        macos: "Chrome or Chromium has to be among the applications",
        macos_command: "brew install --cask google-chrome",
        windows: "Chrome is at https://www.google.com/chrome",
    },
];
/// How much of a failed command's output is worth repeating.
const TAIL_LINES: usize = 12;

/// A program, the package of Debian that carries it, and what is to be said elsewhere.
struct Tool {
    program: &'static str,
    package: &'static str,
    macos: &'static str,
    macos_command: &'static str,
    windows: &'static str,
}

/// How an attempt to have something on this machine ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Setup {
    /// It was there; nothing was done.
    Present,
    /// It was installed just now, by `command`.
    Installed { command: String },
    /// Nothing was done; `command` is what the user can run, where there is such a thing.
    Declined { reason: String, command: Option<String> },
    /// `command` was run and failed.
    Failed { command: String, status: String, tail: String },
}

impl Setup {
    /// Whether the thing is there now.
    pub(crate) fn is_there(&self) -> bool {
        matches!(self, Self::Present | Self::Installed { .. })
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present => f.write_str("already there"),
            Self::Installed { command } => write!(f, "installed by `{command}`"),
            Self::Declined { reason, command: None } => write!(f, "not installed: {reason}"),
            Self::Declined { reason, command: Some(command) } => {
                write!(f, "not installed: {reason}; to do it yourself run `{command}`")
            }
            Self::Failed { command, status, tail } => {
                write!(f, "not installed: `{command}` failed ({status})")?;
                tail.lines().try_for_each(|line| write!(f, "\n  {line}"))
            }
        }
    }
}

/// Installs a software Vulkan driver; to be called when no adapter was found. After [`Setup::Installed`] a new instance of
/// the graphics API sees it, the old one does not.
pub(crate) fn ensure_vulkan(no_install: bool) -> Setup {
    println!("no GPU adapter was found on this machine");
    settle(&Machine::here(), &vulkan_elsewhere(), VULKAN_PACKAGES, no_install)
}

/// Installs a software OpenGL ES; to be called when Dawn found no adapter.
pub(crate) fn ensure_gl(no_install: bool) -> Setup {
    println!("Dawn finds no adapter on this machine");
    settle(&Machine::here(), &vulkan_elsewhere(), GL_PACKAGES, no_install)
}

/// Has the program `tool` on the `PATH`, installing its package if need be.
pub(crate) fn ensure_tool(tool: &str, no_install: bool) -> Setup {
    if is_on_path(tool) {
        return Setup::Present;
    }
    let Some(known) = TOOLS.iter().find(|known| known.program == tool) else {
        return Setup::Declined {
            reason: format!("`{tool}` is not on the PATH, and no package is known for it"),
            command: None,
        };
    };
    println!("the program `{tool}` is not on the PATH");
    let elsewhere = Elsewhere {
        macos: known.macos.to_owned(),
        windows: known.windows.to_owned(),
        macos_command: Some(known.macos_command.to_owned()),
    };
    settle(&Machine::here(), &elsewhere, &[known.package], no_install)
}

/// What is true on systems whose package manager we leave alone.
struct Elsewhere {
    macos: String,
    macos_command: Option<String>,
    windows: String,
}

fn vulkan_elsewhere() -> Elsewhere {
    Elsewhere {
        macos: "macOS brings Metal with it, so a machine without an adapter is a virtual one without a GPU; no package helps".into(),
        macos_command: None,
        windows: "Windows brings DX12 and its software adapter WARP with it; update Windows, or the display driver".into(),
    }
}

/// The facts about this machine that decide what can be installed.
#[derive(Debug, Clone, Default)]
struct Machine {
    /// As in [`std::env::consts::OS`].
    os: String,
    /// The text of `/etc/os-release`; empty where there is none.
    os_release: String,
    has_apt: bool,
    is_root: bool,
    has_free_sudo: bool,
}

impl Machine {
    fn here() -> Self {
        let os = std::env::consts::OS;
        if os != "linux" {
            return Self { os: os.into(), ..Self::default() };
        }
        let is_root = output_of("id", &["-u"]).is_some_and(|uid| uid.trim() == "0");
        Self {
            os: os.into(),
            os_release: std::fs::read_to_string("/etc/os-release").unwrap_or_default(),
            has_apt: is_on_path("apt-get"),
            is_root,
            has_free_sudo: !is_root && output_of("sudo", &["-n", "true"]).is_some(),
        }
    }

    /// Debian, Ubuntu, or one of their kin.
    fn is_debian(&self) -> bool {
        let words = |key: &str| {
            let line = self.os_release.lines().find_map(|line| line.strip_prefix(key));
            line.unwrap_or_default().trim_matches(['"', '\'']).to_lowercase()
        };
        let names = [words("ID="), words("ID_LIKE=")].join(" ");
        self.has_apt && names.split_whitespace().any(|name| matches!(name, "debian" | "ubuntu"))
    }
}

/// What is to be done, before anything is.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// These commands, one after the other.
    Run(Vec<Vec<String>>),
    Decline {
        reason: String,
        command: Option<String>,
    },
}

fn decide(machine: &Machine, elsewhere: &Elsewhere, packages: &[&str], no_install: bool) -> Decision {
    let decline = |reason: &str, command: Option<String>| Decision::Decline { reason: reason.into(), command };
    match machine.os.as_str() {
        "macos" => return decline(&elsewhere.macos, elsewhere.macos_command.clone()),
        "windows" => return decline(&elsewhere.windows, None),
        "linux" => {}
        other => return decline(&format!("no way to install anything on {other} is known"), None),
    }
    let list = packages.join(" ");
    if !machine.is_debian() {
        let reason = format!("this Linux is neither Debian nor Ubuntu; its own package manager may have {list}");
        return decline(&reason, None);
    }
    let by_hand = format!("sudo apt-get update && sudo apt-get install -y --no-install-recommends {list}");
    if no_install {
        return decline("asked not to install anything", Some(by_hand));
    }
    if !machine.is_root && !machine.has_free_sudo {
        return decline("neither root nor sudo without a password", Some(by_hand));
    }
    let sudo = if machine.is_root { "" } else { "sudo -n " };
    let apt = format!("{sudo}env DEBIAN_FRONTEND=noninteractive apt-get");
    let words = |line: String| line.split_whitespace().map(ToOwned::to_owned).collect();
    Decision::Run(vec![
        words(format!("{apt} update")),
        words(format!("{apt} install -y --no-install-recommends {list}")),
    ])
}

fn settle(machine: &Machine, elsewhere: &Elsewhere, packages: &[&str], no_install: bool) -> Setup {
    let setup = match decide(machine, elsewhere, packages, no_install) {
        Decision::Decline { reason, command } => Setup::Declined { reason, command },
        Decision::Run(commands) => {
            println!("this is Debian or Ubuntu: installing {}", packages.join(" "));
            carry_out(&commands)
        }
    };
    println!("{}: {setup}", packages.join(" "));
    setup
}

/// Runs the commands in order. Only the last one's failure counts: an `apt-get update` that could not reach one of many
/// mirrors need not keep a package away, and if it does, the install says so.
fn carry_out(commands: &[Vec<String>]) -> Setup {
    let mut last = Setup::Present;
    for words in commands {
        let command = words.join(" ");
        println!("$ {command}");
        let output = Command::new(&words[0]).args(&words[1..]).stdin(Stdio::null()).output();
        last = match output {
            Ok(output) if output.status.success() => Setup::Installed { command },
            Ok(output) => {
                let text = [output.stdout, output.stderr].concat();
                Setup::Failed {
                    command,
                    status: output.status.to_string(),
                    tail: tail(&String::from_utf8_lossy(&text)),
                }
            }
            Err(error) => Setup::Failed { command, status: error.to_string(), tail: String::new() },
        };
        if let Setup::Failed { .. } = last {
            println!("{last}");
        }
    }
    last
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// What a command printed, if it could be run and succeeded.
fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether the `PATH` leads to a program of that name.
pub(crate) fn is_on_path(program: &str) -> bool {
    let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(&file).is_file()))
}

/// Gives this process a private `XDG_RUNTIME_DIR` where Linux set none (containers, CI), since Mesa complains on standard
/// error otherwise. A running process cannot change its own environment safely, so the program starts itself anew in its
/// own place; call this first thing in `main`. Returns only when there is nothing to do, or nothing that can be done.
pub(crate) fn with_runtime_dir() -> Option<ExitCode> {
    let (Some(folder), Ok(program)) = (missing_runtime_dir(), std::env::current_exe()) else {
        return None;
    };
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1)).env("XDG_RUNTIME_DIR", folder);
    restart(command)
}

/// Puts `command`, this program with another environment, in this process's place. Returns only where that fails.
#[cfg(unix)]
pub(crate) fn restart(mut command: Command) -> Option<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    let error = command.exec();
    eprintln!("going on in the environment as it is: {error}");
    None
}

#[cfg(not(unix))]
pub(crate) fn restart(_: Command) -> Option<ExitCode> {
    None
}

/// A folder for `XDG_RUNTIME_DIR`, made if need be; `None` where the variable is set or means nothing.
fn missing_runtime_dir() -> Option<PathBuf> {
    let is_set = std::env::var_os("XDG_RUNTIME_DIR").is_some_and(|value| !value.is_empty());
    if is_set || std::env::consts::OS != "linux" {
        return None;
    }
    private_folder(&std::env::temp_dir())
}

/// A folder below `parent` that belongs to this user alone: the same one each time, so that runs leave one behind, not many.
#[cfg(unix)]
fn private_folder(parent: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
    let user = std::fs::metadata("/proc/self").ok()?.uid();
    let folder = parent.join(format!("winoconv-runtime-{user}"));
    match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
        Ok(()) => Some(folder),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            // Another user may have laid a trap under that name.
            let found = std::fs::symlink_metadata(&folder).ok()?;
            let is_ours = found.is_dir() && found.uid() == user && found.mode() & 0o077 == 0;
            is_ours.then_some(folder)
        }
        Err(_) => None,
    }
}

#[cfg(not(unix))]
fn private_folder(_: &Path) -> Option<PathBuf> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n";

    fn debian() -> Machine {
        Machine { os: "linux".into(), os_release: DEBIAN.into(), has_apt: true, is_root: true, has_free_sudo: false }
    }

    fn decide_vulkan(machine: &Machine, no_install: bool) -> Decision {
        decide(machine, &vulkan_elsewhere(), VULKAN_PACKAGES, no_install)
    }

    fn lines(decision: &Decision) -> Vec<String> {
        match decision {
            Decision::Run(commands) => commands.iter().map(|words| words.join(" ")).collect(),
            Decision::Decline { .. } => Vec::new(),
        }
    }

    #[test]
    fn root_on_debian_installs() {
        let expected = [
            "env DEBIAN_FRONTEND=noninteractive apt-get update",
            "env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends mesa-vulkan-drivers libvulkan1",
        ];
        assert_eq!(lines(&decide_vulkan(&debian(), false)), expected);
    }

    #[test]
    fn a_free_sudo_is_used_and_passes_the_environment_on() {
        let machine = Machine { is_root: false, has_free_sudo: true, ..debian() };
        let lines = lines(&decide_vulkan(&machine, false));
        assert!(lines[0].starts_with("sudo -n env DEBIAN_FRONTEND=noninteractive apt-get"), "{lines:?}");
    }

    #[test]
    fn without_rights_or_wish_the_command_is_told() {
        let machine = Machine { is_root: false, ..debian() };
        for (machine, no_install, why) in [(machine, false, "sudo"), (debian(), true, "asked not to")] {
            let Decision::Decline { reason, command: Some(command) } = decide_vulkan(&machine, no_install) else {
                panic!("must decline with a command");
            };
            assert!(reason.contains(why), "{reason}");
            assert!(command.contains("apt-get install -y --no-install-recommends mesa-vulkan-drivers"), "{command}");
        }
    }

    #[test]
    fn kin_of_debian_count_and_strangers_do_not() {
        let with = |os_release: &str| Machine { os_release: os_release.into(), ..debian() };
        assert!(with("ID=ubuntu\nID_LIKE=debian\n").is_debian());
        assert!(with("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n").is_debian());
        assert!(!with("ID=fedora\nVERSION_ID=41\n").is_debian());
        assert!(!with("").is_debian());
        assert!(!Machine { has_apt: false, ..debian() }.is_debian());
        assert!(matches!(decide_vulkan(&with("ID=fedora\n"), false), Decision::Decline { command: None, .. }));
    }

    #[test]
    fn other_systems_are_told_what_is_true_there() {
        for (os, word) in [("macos", "Metal"), ("windows", "WARP"), ("freebsd", "freebsd")] {
            let machine = Machine { os: os.into(), ..Machine::default() };
            let Decision::Decline { reason, .. } = decide_vulkan(&machine, false) else { panic!("{os} must decline") };
            assert!(reason.contains(word), "{reason}");
        }
    }

    #[test]
    fn an_unknown_tool_is_declined_and_a_known_program_is_present() {
        assert!(matches!(ensure_tool("no-such-program-anywhere", true), Setup::Declined { command: None, .. }));
        assert!(is_on_path("cargo"));
    }

    #[test]
    #[cfg(unix)]
    fn commands_end_as_values() {
        let run = |line: &str| carry_out(&[vec!["sh".into(), "-c".into(), line.into()]]);
        assert!(run("true").is_there());
        let Setup::Failed { status, tail, .. } = run("seq 1 40; echo broken >&2; exit 3") else { panic!("must fail") };
        assert!(status.contains('3'), "{status}");
        assert_eq!(tail.lines().count(), TAIL_LINES);
        assert!(tail.ends_with("broken"), "{tail}");
        let missing = carry_out(&[vec!["no-such-program-anywhere".into()]]);
        assert!(matches!(missing, Setup::Failed { .. }), "{missing}");
        // A failed update alone does not count.
        let both = carry_out(&[vec!["false".into()], vec!["true".into()]]);
        assert!(both.is_there(), "{both}");
    }

    #[test]
    fn every_end_can_be_read() {
        let declined = Setup::Declined { reason: "no rights".into(), command: Some("apt-get x".into()) };
        assert_eq!(declined.to_string(), "not installed: no rights; to do it yourself run `apt-get x`");
        let failed = Setup::Failed { command: "x".into(), status: "exit status: 1".into(), tail: "a\nb".into() };
        assert_eq!(failed.to_string(), "not installed: `x` failed (exit status: 1)\n  a\n  b");
    }

    #[test]
    #[cfg(unix)]
    fn the_private_folder_is_reused_and_a_trap_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let parent = std::env::temp_dir().join(format!("winoconv-setup-{}", std::process::id()));
        std::fs::create_dir_all(&parent).expect("a folder for the test");
        let folder = private_folder(&parent).expect("a new folder");
        assert_eq!(private_folder(&parent), Some(folder.clone()));
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("open it to others");
        assert_eq!(private_folder(&parent), None);
        std::fs::remove_dir_all(&parent).expect("clean up");
    }
}
