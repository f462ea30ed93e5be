//! A page of Markdown as one HTML file that needs nothing beside it: inline style, no script. Light or dark is the reader's
//! system's choice.

use pulldown_cmark::{Event, Options, Parser, html::push_html};

pub(super) fn render(title: &str, markdown: &str) -> String {
    let mut body = String::new();
    push_html(&mut body, Parser::new_ext(markdown, Options::ENABLE_TABLES));
    format!(include_str!("page.html"), title = title, style = include_str!("style.css"), body = body)
}

/// Text in which HTML sees nothing of its own.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::new();
    push_html(&mut out, [Event::Text(text.into())].into_iter());
    out
}
