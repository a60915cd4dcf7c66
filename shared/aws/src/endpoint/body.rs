//! What is looked at of an endpoint's answer: whether a text is in the beginning of its body, which comes in pieces.

/// How much of a body is looked at.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The search for one text in one body.
#[derive(Debug)]
pub struct Search<'a> {
    text: &'a [u8],
    body: Vec<u8>,
}

impl<'a> Search<'a> {
    /// Nothing of the body has come yet.
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, body: Vec::new() }
    }

    /// One more piece has come. Whether the text is there, once that is known; what comes after that is not looked at.
    pub fn piece(&mut self, piece: &[u8]) -> Option<bool> {
        // The text may lie across two pieces.
        let start = self.body.len().saturating_sub(self.text.len());
        let room = MAX_BODY_BYTES.saturating_sub(self.body.len());
        self.body.extend(piece.iter().take(room));
        let mut places = self.body.get(start..)?.windows(self.text.len().max(1));
        if places.any(|place| place == self.text) {
            return Some(true);
        }
        (self.body.len() >= MAX_BODY_BYTES).then_some(self.text.is_empty())
    }

    /// The body has ended. Whether the text was there.
    pub fn end(self) -> bool {
        self.text.is_empty()
    }
}
