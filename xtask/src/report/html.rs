//! A page of Markdown as one HTML file that needs nothing beside it: inline style, inline SVG, no script. Light or dark is
//! the reader's system's choice.

use pulldown_cmark::{Options, Parser, html::push_html};

use super::figures::Figure;

/// The page, with the figures where it links to them.
pub(super) fn render(title: &str, markdown: &str, figures: &[Figure]) -> String {
    let mut body = String::new();
    push_html(&mut body, Parser::new_ext(markdown, Options::ENABLE_TABLES));
    for figure in figures {
        let mut link = String::new();
        push_html(&mut link, Parser::new(&figure.link()));
        body = body.replacen(&link, &format!("<figure>\n{}</figure>\n", figure.svg), 1);
    }
    format!(include_str!("page.html"), title = title, style = include_str!("style.css"), body = body)
}
