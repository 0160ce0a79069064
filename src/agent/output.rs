//! Which artifacts a client accepts (`acceptedOutputModes`, A2A specification §3.2.2).

/// Media type of the answer's text.
pub(super) const MARKDOWN: &str = "text/markdown";

/// The forms in which a client gets its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputModes {
    /// The answer as text of this media type; `None`: as data.
    pub text: Option<&'static str>,
    /// The report, as data.
    pub data: bool,
}

impl OutputModes {
    /// What fits these media types, of which the first that fits says how the text is called; none means anything.
    pub fn of(accepted: &[String]) -> Self {
        if accepted.is_empty() {
            return Self { text: Some(MARKDOWN), data: true };
        }
        let modes = || accepted.iter().map(|mode| mode.split(';').next().unwrap_or_default().trim());
        let text = modes().find_map(|mode| match mode.to_ascii_lowercase().as_str() {
            "text/markdown" | "text/*" | "*/*" => Some(MARKDOWN),
            // Markdown is made to be read as it is.
            "text/plain" => Some("text/plain"),
            _ => None,
        });
        let is_data = |mode: &str| matches!(mode, "application/json" | "application/*" | "*/*");
        let data = modes().any(|mode| is_data(&mode.to_ascii_lowercase()));
        Self { text, data }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::anything(&[], Some(MARKDOWN), true)]
    #[case::all(&["*/*"], Some(MARKDOWN), true)]
    #[case::plain(&["text/plain"], Some("text/plain"), false)]
    #[case::the_first_counts(&["text/plain", "text/markdown"], Some("text/plain"), false)]
    #[case::with_parameters(&["Text/Markdown; charset=utf-8"], Some(MARKDOWN), false)]
    #[case::data_only(&["application/json"], None, true)]
    #[case::both(&["image/png", "application/json", "text/plain"], Some("text/plain"), true)]
    fn a_client_gets_what_it_accepts(
        #[case] accepted: &[&str],
        #[case] text: Option<&str>,
        #[case] data: bool,
    ) {
        let accepted: Vec<String> = accepted.iter().map(|mode| (*mode).to_owned()).collect();
        let modes = OutputModes::of(&accepted);
        assert_eq!((modes.text, modes.data), (text, data));
    }
}
