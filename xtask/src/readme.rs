//! Tables that a verb writes: they stand between two lines of a page, and are Markdown.

use std::ops::Range;
use std::path::Path;

use anyhow::Context as _;
use fs_err as fs;

/// A place for a table: its page, the table's name, and the verb that writes it.
pub(crate) struct Place(pub(crate) &'static str, pub(crate) &'static str, pub(crate) &'static str);

impl Place {
    #[cfg(test)]
    pub(crate) fn read(&self, root: &Path) -> anyhow::Result<String> {
        let text = fs::read_to_string(root.join(self.0))?;
        Ok(text[self.find(&text)?].to_owned())
    }

    pub(crate) fn write(&self, root: &Path, table: &str) -> anyhow::Result<()> {
        let path = root.join(self.0);
        let mut text = fs::read_to_string(&path)?;
        text.replace_range(self.find(&text)?, table);
        Ok(fs::write(path, text)?)
    }

    fn find(&self, text: &str) -> anyhow::Result<Range<usize>> {
        let Self(page, name, verb) = self;
        let at = |line: &str| text.find(line).with_context(|| format!("{page} has no line {line}"));
        let first = format!("<!-- {name}: cargo xtask {verb} --write -->\n");
        Ok(at(&first)? + first.len()..at(&format!("<!-- end of {name} -->"))?)
    }
}
