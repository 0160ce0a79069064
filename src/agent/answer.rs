//! The answer artifact as it grows: chunks end at line boundaries, and the last one is marked.

use serde_json::json;

use crate::a2a::types::{Artifact, Part};
use crate::tasks::TaskEvent;

use super::RESULT_ARTIFACT;
use super::output::{MARKDOWN, OutputModes};

/// Turns text deltas into artifact chunks. One chunk is held back, because only the end shows which is the last.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    output: OutputModes,
    held: String,
    partial: String,
    started: bool,
}

impl Answer {
    /// An answer in a form that the client accepts.
    pub(super) fn new(output: OutputModes) -> Self {
        Self { output, held: String::new(), partial: String::new(), started: false }
    }

    /// Adds text; returns a chunk when a later one is known to follow it.
    pub(super) fn push(&mut self, text: &str) -> Option<TaskEvent> {
        self.partial.push_str(text);
        // Who reads no text gets it as data, and data has no chunks.
        let media_type = self.output.text?;
        let end = self.partial.rfind('\n')? + 1;
        let rest = self.partial.split_off(end);
        let complete = std::mem::replace(&mut self.partial, rest);
        let ready = std::mem::replace(&mut self.held, complete);
        (!ready.is_empty()).then(|| self.chunk(Part::text(ready, media_type), false))
    }

    /// The last chunk, or nothing where there never was text.
    pub(super) fn finish(&mut self) -> Option<TaskEvent> {
        let mut rest = std::mem::take(&mut self.held);
        rest.push_str(&std::mem::take(&mut self.partial));
        if rest.is_empty() {
            return None;
        }
        let part = match self.output.text {
            Some(media_type) => Part::text(rest, media_type),
            None => Part::data(json!({ "mediaType": MARKDOWN, "text": rest })),
        };
        Some(self.chunk(part, true))
    }

    /// True before the first text.
    pub(super) fn is_empty(&self) -> bool {
        !self.started && self.held.is_empty() && self.partial.is_empty()
    }

    fn chunk(&mut self, part: Part, last_chunk: bool) -> TaskEvent {
        let append = std::mem::replace(&mut self.started, true);
        TaskEvent::Artifact {
            artifact: Artifact {
                artifact_id: RESULT_ARTIFACT.to_owned(),
                name: Some(RESULT_ARTIFACT.to_owned()),
                description: (!append).then(|| "Diagnosis of the cluster, as markdown".to_owned()),
                parts: vec![part],
                metadata: None,
                extensions: Vec::new(),
            },
            append,
            last_chunk,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::a2a::types::PartContent;

    fn read(events: &[TaskEvent]) -> (String, Vec<(bool, bool)>) {
        let mut text = String::new();
        let mut flags = Vec::new();
        for event in events {
            let TaskEvent::Artifact { artifact, append, last_chunk } = event else {
                panic!("not an artifact")
            };
            let PartContent::Text(part) = &artifact.parts[0].content else { panic!("not text") };
            text.push_str(part);
            flags.push((*append, *last_chunk));
        }
        (text, flags)
    }

    #[test]
    fn chunks_end_at_lines_and_only_the_last_one_says_so() {
        let mut answer = Answer::new(OutputModes::of(&[]));
        let mut events: Vec<TaskEvent> =
            ["# Tit", "le\nFirst", " line\n", "Second"].iter().filter_map(|text| answer.push(text)).collect();
        events.extend(answer.finish());
        let (text, flags) = read(&events);
        assert_eq!(text, "# Title\nFirst line\nSecond");
        assert_eq!(flags, [(false, false), (true, true)]);
    }

    #[test]
    fn who_reads_no_text_gets_it_as_data_at_once() {
        let mut answer = Answer::new(OutputModes::of(&["application/json".to_owned()]));
        assert_eq!(answer.push("# Title\nline\n"), None);
        let Some(TaskEvent::Artifact { artifact, append: false, last_chunk: true }) = answer.finish() else {
            panic!("one whole artifact")
        };
        assert_eq!(artifact.parts, [Part::data(json!({ "mediaType": MARKDOWN, "text": "# Title\nline\n" }))]);
    }

    #[test]
    fn no_text_makes_no_artifact() {
        assert_eq!(Answer::new(OutputModes::of(&[])).finish(), None);
    }
}
