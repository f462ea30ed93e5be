//! Rules for Markdown: a relative link leads to a file of the tree.

use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag};

use super::{File, Violation};

pub(super) fn check(root: &Path, file: &File, found: &mut Vec<Violation>) {
    if file.extension() != "md" {
        return;
    }
    let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
    for (link, span) in links(&file.text) {
        let target = link.split('#').next().unwrap_or_default();
        let is_elsewhere = ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme));
        if target.is_empty() || is_elsewhere {
            continue;
        }
        if !within_root(&folder.join(target)).is_some_and(|path| root.join(path).exists()) {
            let line = 1 + file.text[..span.start].matches('\n').count();
            let what = format!("the link `{link}` leads nowhere; mend its path (relative to this file)");
            found.push(file.violation(line, what));
        }
    }
}

/// Where links and images lead, and where they stand; definitions that nothing refers to are among them.
fn links(text: &str) -> Vec<(String, Range<usize>)> {
    let parser = Parser::new_ext(text, Options::ENABLE_FOOTNOTES | Options::ENABLE_TABLES).into_offset_iter();
    let definitions = parser.reference_definitions().iter();
    let mut links: Vec<_> = definitions.map(|(_, link)| (link.dest.to_string(), link.span.clone())).collect();
    links.extend(parser.filter_map(|(event, span)| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some((dest_url.to_string(), span)),
        _ => None,
    }));
    links
}

fn within_root(path: &Path) -> Option<PathBuf> {
    path.components().try_fold(PathBuf::new(), |mut plain, part| match part {
        Component::Normal(name) => Some(plain.join(name)),
        Component::CurDir => Some(plain),
        Component::ParentDir => plain.pop().then_some(plain),
        Component::RootDir | Component::Prefix(_) => None,
    })
}
